import { etcdHostname } from "../cilium/clustermesh-config.ts";
import type { ClusterFacts } from "../facts/schema.ts";
import { describeTraffic, type IngressPolicy, type Traffic } from "./traffic.ts";

/** How VPCs are connected. */
export type NetworkMode = "peering" | "transit-gateway";

/** A route that one VPC needs to reach a peer. */
export interface MeshRoute {
    routeTableId: string;
    /** A block of the peer's VPC. */
    destination: string;
}

/** A security group rule with which a cluster admits a peer. */
export interface MeshIngressRule extends Traffic {
    securityGroupId: string;
    /** A block of the peer's VPC. */
    source: string;
    description: string;
}

/** All traffic of all protocols. */
const ALL: Traffic = { protocol: "-1" };

/** Traffic that Cilium itself needs between nodes in addition to etcd if `ingress` is a list of ports: the health checks of cilium-health. */
const CILIUM_HEALTH: Traffic[] = [
    { protocol: "tcp", fromPort: 4240, toPort: 4240 },
    { protocol: "icmp", fromPort: 8, toPort: 0 },
];

/** Members sorted by name: reordering the list in the mesh's stack file must not change any resource. */
export function ordered<T extends Pick<ClusterFacts, "name">>(members: readonly T[]): T[] {
    return members.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every pair of members once. */
export function pairs<T>(members: readonly T[]): [T, T][] {
    return members.flatMap((a, i) => members.slice(i + 1).map((b): [T, T] => [a, b]));
}

/** All members except `self`. */
export function peersOf<T extends Pick<ClusterFacts, "name">>(self: Pick<ClusterFacts, "name">, members: readonly T[]): T[] {
    return members.filter((member) => member.name !== self.name);
}

/** The values without duplicates, in the order of their first occurrence. */
export function distinct<T>(values: Iterable<T>): T[] {
    return [...new Set(values)];
}

/** The routes from `from` to `to`: every VPC block of `to` in every route table of `from`. */
export function routesTo(from: Pick<ClusterFacts, "routeTableIds">, to: Pick<ClusterFacts, "vpcCidrs">): MeshRoute[] {
    return from.routeTableIds.flatMap((routeTableId) => to.vpcCidrs.map((destination) => ({ routeTableId, destination })));
}

/** The rules with which `self` admits `peer`: the peer's agents to the etcd, and its nodes and pods to the nodes and pods. */
export function ingressFrom(
    peer: Pick<ClusterFacts, "name" | "vpcCidrs">,
    self: Pick<ClusterFacts, "name" | "etcd" | "nodeSecurityGroupIds">,
    policy: IngressPolicy,
): MeshIngressRule[] {
    const etcd = { protocol: "tcp", fromPort: self.etcd.port, toPort: self.etcd.port };
    const workload = policy === "all" ? [ALL] : uniqueTraffic([...CILIUM_HEALTH, ...policy]);
    return peer.vpcCidrs.flatMap((source) => [
        { ...etcd, source, securityGroupId: self.etcd.securityGroupId, description: `agents of ${peer.name} to the etcd of ${self.name}` },
        ...self.nodeSecurityGroupIds.flatMap((securityGroupId) =>
            workload.map((traffic) => ({
                ...traffic,
                source,
                securityGroupId,
                description: `${describeTraffic(traffic)} from nodes and pods of ${peer.name}`,
            })),
        ),
    ]);
}

/** Without duplicates: AWS refuses a rule that already exists (InvalidPermission.Duplicate). */
function uniqueTraffic(traffic: readonly Traffic[]): Traffic[] {
    return [...new Map(traffic.map((entry) => [describeTraffic(entry), entry])).values()];
}

/** Host aliases with which agents resolve the peers' etcds: one entry per address. */
export function hostAliases(peers: readonly ClusterFacts[]): { ip: string; hostnames: string[] }[] {
    return peers.flatMap((peer) => peer.etcd.addresses.map((ip) => ({ ip, hostnames: [etcdHostname(peer.name)] })));
}

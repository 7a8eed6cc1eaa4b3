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

/** A rule that one cluster needs to admit a peer. */
export interface MeshIngressRule extends Traffic {
    securityGroupId: string;
    /** A block of the peer's VPC. */
    source: string;
    description: string;
}

/** Everything, of every protocol. */
const ALL: Traffic = { protocol: "-1" };

/** What Cilium itself needs between nodes beside etcd, when not everything is let in: the health checks of cilium-health. */
const CILIUM_HEALTH: Traffic[] = [
    { protocol: "tcp", fromPort: 4240, toPort: 4240 },
    { protocol: "icmp", fromPort: 8, toPort: 0 },
];

/** Members in an order that does not depend on the order in the mesh's stack file: reordering that must change no resource. */
export function ordered<T extends Pick<ClusterFacts, "name">>(members: readonly T[]): T[] {
    return members.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Each two members once. */
export function pairs<T>(members: readonly T[]): [T, T][] {
    return members.flatMap((a, i) => members.slice(i + 1).map((b): [T, T] => [a, b]));
}

/** All members but this one. */
export function peersOf<T extends Pick<ClusterFacts, "name">>(self: Pick<ClusterFacts, "name">, members: readonly T[]): T[] {
    return members.filter((member) => member.name !== self.name);
}

/** Each different value once, in the order in which it is first met. */
export function distinct<T>(values: Iterable<T>): T[] {
    return [...new Set(values)];
}

/** Routes by which `from` reaches `to`: every block of the one in every table of the other. */
export function routesTo(from: Pick<ClusterFacts, "routeTableIds">, to: Pick<ClusterFacts, "vpcCidrs">): MeshRoute[] {
    return from.routeTableIds.flatMap((routeTableId) => to.vpcCidrs.map((destination) => ({ routeTableId, destination })));
}

/** Rules by which `self` admits `peer`: its agents to the etcd, and its nodes and pods to the nodes and pods. */
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

/** AWS refuses a rule that is there already (InvalidPermission.Duplicate). */
function uniqueTraffic(traffic: readonly Traffic[]): Traffic[] {
    return [...new Map(traffic.map((one) => [describeTraffic(one), one])).values()];
}

/** Host aliases by which agents resolve the peers' etcds: an entry for each address. */
export function hostAliases(peers: readonly ClusterFacts[]): { ip: string; hostnames: string[] }[] {
    return peers.flatMap((peer) => peer.etcd.addresses.map((ip) => ({ ip, hostnames: [etcdHostname(peer.name)] })));
}

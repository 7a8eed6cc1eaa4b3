import { accountOf, type PlannedFacts, subnets, zoneNames } from "../facts/planned.ts";
import { size } from "../network/cidr.ts";
import { meshNeeds } from "../preflight.ts";
import type { ClusterConfig, MeshConfig } from "../settings/parse.ts";
import { standardCpus } from "./prices.ts";
import { natGateways, regionsOf } from "./resources.ts";

/** How much the stacks need of an AWS quota. Other resources in the account count towards it too. */
export interface Quota {
    what: string;
    /** Service and code, as for `aws service-quotas get-service-quota`; null for a limit that is not a quota. */
    code: string | null;
    /** Region and account, or the cluster. */
    where: string;
    needed: number;
    /** The default for a new account, or the value in the mesh's stack file. */
    limit: number;
}

/** Addresses that AWS reserves in each subnet, and the /28 of the etcd endpoint. */
const RESERVED_ADDRESSES = 5 + 16;

/** Maximum number of pods that EKS sets for a node with less than 30 vCPUs and prefix delegation. */
const PODS_PER_NODE = 110;

/** Addresses in a prefix of the VPC CNI. */
const PREFIX_ADDRESSES = 16;

/** Network interfaces of a control plane: EKS creates two to four. */
const CONTROL_PLANE_INTERFACES = 4;

/** Quotas of a region and account, in the order in which a new account reaches them. Defaults: AWS documentation (VPC, EC2, Transit Gateway: quotas). */
export function accountQuotas(clusters: readonly ClusterConfig[], transitGatewayRegions: readonly string[]): Quota[] {
    const places = Map.groupBy(clusters, (cluster) => place(cluster.region, accountOf(cluster)));
    return [
        ...[...places].flatMap(([where, here]) => {
            const sum = (count: (cluster: ClusterConfig) => number) => here.reduce((total, cluster) => total + count(cluster), 0);
            const nat = (cluster: ClusterConfig) => natGateways(cluster, zoneNames(cluster).length);
            return [
                { what: "vCPUs of running on-demand standard instances", code: "ec2/L-1216C47A", where, needed: sum(cpus), limit: 5 },
                { what: "VPCs in a region", code: "vpc/L-F678F1CE", where, needed: here.length, limit: 5 },
                { what: "elastic IP addresses in a region", code: "ec2/L-0263D0A3", where, needed: sum(nat), limit: 5 },
                // The worst case: all gateways are in the same zones.
                {
                    what: "NAT gateways in a zone",
                    code: "vpc/L-FE5A380F",
                    where,
                    needed: here.filter((cluster) => nat(cluster) > 0).length,
                    limit: 5,
                },
                {
                    what: "network interfaces in a region, one for each node",
                    code: "vpc/L-DF5E4CA3",
                    where,
                    needed: sum(
                        (cluster) => cluster.nodeGroup.desired + zoneNames(cluster).length + nat(cluster) + CONTROL_PLANE_INTERFACES,
                    ),
                    limit: 5000,
                },
            ];
        }),
        ...transitGatewayRegions.map((region) => ({
            what: "Transit Gateways of an account",
            code: "ec2/L-A2478D36",
            where: place(region, undefined),
            needed: 1,
            limit: 5,
        })),
    ].filter(({ needed }) => needed > 0);
}

/** Quotas that grow with the mesh, each for the member that needs most of it. Empty when the mesh has no members in this project. */
export function meshQuotas(members: readonly PlannedFacts[], { network, ingress, quotas }: MeshConfig): Quota[] {
    const needs = members.map((self) => ({ where: self.name, ...meshNeeds(self, members, network, ingress) }));
    const rows = [
        { what: "peering connections of a VPC", code: "vpc/L-7E9ECCDB", key: "peerings", limit: quotas.peeringsPerVpc },
        { what: "routes in a table", code: "vpc/L-93826ACB", key: "routes", limit: quotas.routesPerTable },
        { what: "inbound rules of a security group", code: "vpc/L-0EA8095F", key: "rules", limit: quotas.rulesPerSecurityGroup },
    ] as const;
    return rows
        .flatMap(({ key, ...row }) => {
            const [largest] = needs.toSorted((a, b) => b[key] - a[key]);
            return largest ? [{ ...row, where: largest.where, needed: largest[key] }] : [];
        })
        .filter(({ needed }) => needed > 0);
}

/** Addresses that the nodes and pods of a zone need with the maximum number of nodes and pods. */
export function addressNeeds(config: ClusterConfig): Quota {
    const { nodeGroup, name } = config;
    const blocks = subnets(config);
    const [subnet = ""] = nodeGroup.subnets === "private" ? blocks.private : blocks.public;
    const nodes = Math.ceil(nodeGroup.max / zoneNames(config).length);
    return {
        what: `addresses of a zone's subnet: ${nodes} nodes, ${PODS_PER_NODE} pods each`,
        code: null,
        where: name,
        needed: nodes * (1 + Math.ceil(PODS_PER_NODE / PREFIX_ADDRESSES) * PREFIX_ADDRESSES),
        limit: size(subnet) - RESERVED_ADDRESSES,
    };
}

/** Regions in which the mesh has a Transit Gateway. */
export function gatewayRegions(members: readonly PlannedFacts[], { network }: Pick<MeshConfig, "network">): string[] {
    return network === "transit-gateway" ? regionsOf(members) : [];
}

function cpus({ nodeGroup }: ClusterConfig): number {
    return nodeGroup.desired * (standardCpus(nodeGroup.instanceTypes[0] ?? "") ?? 0);
}

function place(region: string, account: string | undefined): string {
    return account ? `${region}, ${account}` : region;
}

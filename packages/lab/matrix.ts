import type { SimulatedAws } from "./aws/aws.ts";
import { interfaces } from "./aws/ec2/tables.ts";
import { findBalancerTargets } from "./aws/elb/forwarding.ts";
import type { Place } from "./aws/memory.ts";
import { type Endpoint, type Path, pathBetween, type Traffic } from "./aws/path/path.ts";
import type { RunningCluster } from "./cluster/clusters.ts";

const ANYWHERE: Place = { account: "", region: "" };

/** A path from a node or pod of one cluster to a node or pod of another. */
export interface MatrixPath {
    from: string;
    to: string;
    /** Whether packets arrive with the sender's own address. */
    open: boolean;
    path: Path;
}

/** Computes all paths between clusters: from every node, and a pod of every node, to every node and pod of all other clusters. */
export function pathMatrix(aws: SimulatedAws, clusters: readonly RunningCluster[], traffic: Traffic): MatrixPath[] {
    const ends = clusters.map((cluster) => ({ cluster, endpoints: nodesAndPods(aws, cluster) }));
    return ends.flatMap((a) =>
        ends
            .filter((b) => b.cluster.name !== a.cluster.name)
            .flatMap((b) =>
                a.endpoints.flatMap((from) =>
                    b.endpoints.map((to) => {
                        const path = aws.edit(ANYWHERE, (scope) => pathBetween(scope, from, to, traffic, findBalancerTargets));
                        return { from: a.cluster.name, to: b.cluster.name, open: path.open && !path.nat, path };
                    }),
                ),
            ),
    );
}

/** The address of each node, and the first address of each of its pod prefixes. */
function nodesAndPods(aws: SimulatedAws, { account, region, vpcId }: RunningCluster): Endpoint[] {
    const all = aws.edit({ account, region }, (scope) => interfaces.in(scope).list());
    return all
        .filter(({ VpcId, Attachment }) => VpcId === vpcId && Attachment?.InstanceId)
        .flatMap(({ PrivateIpAddress, Ipv4Prefixes }) => [
            PrivateIpAddress,
            ...Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix.split("/")[0] ?? ""),
        ])
        .map((address) => ({ account, region, vpcId, address }));
}

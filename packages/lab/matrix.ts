import type { SimulatedAws } from "./aws/aws.ts";
import { interfaces } from "./aws/ec2/tables.ts";
import type { Place } from "./aws/memory.ts";
import { behindBalancers } from "./aws/path/elb-path.ts";
import { type Endpoint, type Path, pathBetween, type Traffic } from "./aws/path/path.ts";
import type { RunningCluster } from "./cluster/clusters.ts";

const ANYWHERE: Place = { account: "", region: "" };

/** A path from a node or pod of one cluster to one of another. */
export interface Tried {
    from: string;
    to: string;
    /** Whether packets arrive, with the address of the node or pod that sent them. */
    open: boolean;
    path: Path;
}

/** Tries every node, and a pod of every node, of each cluster against every one of every other cluster, as the simulated AWS computes it. */
export function pathMatrix(aws: SimulatedAws, clusters: readonly RunningCluster[], traffic: Traffic): Tried[] {
    const ends = clusters.map((cluster) => ({ cluster, endpoints: nodesAndPods(aws, cluster) }));
    return ends.flatMap((a) =>
        ends
            .filter((b) => b.cluster.name !== a.cluster.name)
            .flatMap((b) =>
                a.endpoints.flatMap((from) =>
                    b.endpoints.map((to) => {
                        const path = aws.edit(ANYWHERE, (scope) => pathBetween(scope, from, to, traffic, behindBalancers));
                        return { from: a.cluster.name, to: b.cluster.name, open: path.open && !path.nat, path };
                    }),
                ),
            ),
    );
}

/** Each node's address, and the first one of each of its pod prefixes. */
function nodesAndPods(aws: SimulatedAws, { account, region, vpcId }: RunningCluster): Endpoint[] {
    const found = aws.edit({ account, region }, (scope) => interfaces.in(scope).list());
    return found
        .filter((one) => one.VpcId === vpcId && one.Attachment?.InstanceId)
        .flatMap((one) => [one.PrivateIpAddress, ...one.Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix.split("/")[0] ?? "")])
        .map((address) => ({ account, region, vpcId, address }));
}

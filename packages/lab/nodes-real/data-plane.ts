import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { SimulatedAws } from "../aws/aws.ts";
import { interfaces } from "../aws/ec2/tables.ts";
import { clusters } from "../aws/eks/tables.ts";
import type { RunningCluster } from "../cluster/clusters.ts";
import type { DataPlane, DataPlaneOptions } from "../data-plane.ts";
import { startNetwork } from "../net/network.ts";
import type { DebianPrograms } from "../tools/debian.ts";
import { ensureTools } from "../tools/tools.ts";
import { labNodes } from "./cluster-nodes.ts";
import { nodePrograms } from "./node-programs.ts";

/** Real packets: a network namespace for each interface of the simulated AWS, and a small kubelet for each node, which runs Cilium. */
export async function realDataPlane({ aws, folder, log }: DataPlaneOptions, debian: DebianPrograms): Promise<DataPlane> {
    const [programs, { netd }] = await Promise.all([nodePrograms(debian, { log }), ensureTools(["netd"], { log })]);
    const { ip, nft } = debian.file;
    const id = `c${randomBytes(4).toString("hex")}`;
    const network = await startNetwork({ aws, id, programs: { ip, nft, netd }, folder: join(folder, "network"), log });
    return {
        nodes: labNodes({
            ...programs,
            folder: join(folder, "nodes"),
            log,
            async network({ interfaceId }) {
                await network.settled();
                return `/run/netns/${network.namespaceOf(interfaceId)}`;
            },
            apiServer: async (cluster) => apiServerAddresses(aws, cluster),
        }),
        network,
        connected: true,
        close: () => network.close(),
    };
}

/** Addresses of the interfaces of a cluster's API server in the VPC. */
function apiServerAddresses(aws: SimulatedAws, cluster: RunningCluster): string[] {
    return aws.edit(cluster, (scope) => {
        const ids = clusters.in(scope).get(cluster.name)?.own.interfaces ?? [];
        return ids.flatMap((id) => interfaces.in(scope).get(id)?.PrivateIpAddress ?? []);
    });
}

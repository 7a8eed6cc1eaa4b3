import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { interfaces } from "../aws/ec2/tables.ts";
import { clusters } from "../aws/eks/tables.ts";
import type { DataPlane, DataPlaneOptions } from "../data-plane.ts";
import { startNetwork } from "../net/network.ts";
import { simulatedDataPlane } from "../nodes-simulated/data-plane.ts";
import { tryDatapath } from "../tools/datapath.ts";
import { ensureTools } from "../tools/tools.ts";
import { labNodes } from "./cluster-nodes.ts";
import { nodePrograms } from "./programs.ts";

/**
 * Real packets where this machine lets them: each interface of the simulated AWS a network namespace, each node a small kubelet that runs Cilium. Where it does
 * not, the reason is told, and kwok plays the nodes.
 */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
    const { aws, folder, log } = options;
    const { programs: debian, why } = await tryDatapath({ log });
    if (!debian) {
        log(`nodes are simulated: ${why}`);
        return simulatedDataPlane(options);
    }
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
            apiServer: async (cluster) =>
                aws.edit(cluster, (scope) => {
                    const ids = clusters.in(scope).get(cluster.name)?.own.interfaces ?? [];
                    return ids.flatMap((id) => interfaces.in(scope).get(id)?.PrivateIpAddress ?? []);
                }),
        }),
        network,
        connected: true,
        close: () => network.close(),
    };
}

import { join } from "node:path";
import { interfaces } from "../aws/ec2/tables.ts";
import type { RunningCluster } from "../cluster/clusters.ts";
import type { DataPlane, DataPlaneOptions } from "../data-plane.ts";
import { ciliumSources } from "../tools/cilium.ts";
import { ensureTools } from "../tools/tools.ts";
import { kwokNodes } from "./kwok-nodes.ts";
import { type ClientPlace, type MeshClient, startMeshClient } from "./mesh-client.ts";
import { whyNoSandbox } from "./sandbox.ts";
import { agentExec, reach, type Surroundings } from "./simulated-nodes.ts";

/**
 * Nodes that kwok plays, with agents whose answers follow from what the mesh's client of their cluster says: etcd, kvstoremesh and their connections are real,
 * and paths computed. Where the machine does not let a user run even these, the reason is told, and the answers are computed as well.
 */
export async function simulatedDataPlane({ aws, running, folder, log }: DataPlaneOptions): Promise<DataPlane> {
    const why = await whyNoSandbox();
    if (why) {
        log(`connections between clusters are computed too: ${why}`);
        return { nodes: kwokNodes((cluster) => agentExec(cluster, { aws, running })), connected: false, close: async () => {} };
    }
    const [tools, sources] = await Promise.all([
        ensureTools(["etcd", "clustermesh-apiserver", "cilium-dbg", "netd"], { log }),
        ciliumSources({ log }),
    ]);
    const programs = { ...tools, "cilium-sources": sources };
    const clients = new Map<string, MeshClient>();
    const key = ({ account, region, name }: RunningCluster) => `${account}/${region}/${name}`;
    const replica = (cluster: RunningCluster) => clients.get(key(cluster))?.replica();
    const surroundings: Surroundings = { aws, running, replica };
    const reached = remembered(surroundings);
    const kwok = kwokNodes((cluster) => agentExec(cluster, surroundings));
    let started = 0;
    return {
        nodes: (cluster) => {
            const nodes = kwok(cluster);
            const { name, serviceCidr, config } = cluster;
            const lead = (address: string, place: ClientPlace) => {
                const sources = place.kvstoreMesh ? [place.podAddress] : nodeAddresses(surroundings, cluster);
                for (const source of sources) {
                    const target = reached(cluster, source, address);
                    if (!("dropped" in target)) return replica(target)?.etcd;
                }
                return undefined;
            };
            return {
                ...nodes,
                async start(control) {
                    await nodes.start(control);
                    started += 1;
                    const home = join(folder, "mesh", `${started}`);
                    clients.set(key(cluster), startMeshClient({ name, serviceCidr, config, programs, log, lead, folder: home }));
                },
                async stop() {
                    const client = clients.get(key(cluster));
                    clients.delete(key(cluster));
                    await Promise.all([client?.stop(), nodes.stop()]);
                },
            };
        },
        connected: true,
        close: async () => {},
    };
}

/** Paths are asked for four times a second, and change only when the simulated AWS does. */
function remembered(surroundings: Surroundings): (from: RunningCluster, source: string, to: string) => ReturnType<typeof reach> {
    const known = new Map<string, ReturnType<typeof reach>>();
    let revision = -1;
    return (from, source, to) => {
        const now = surroundings.aws.revision();
        if (now !== revision) known.clear();
        revision = now;
        const key = `${from.account}/${from.region}/${from.vpcId} ${source} ${to}`;
        const found = known.get(key) ?? reach(surroundings, from, source, to);
        known.set(key, found);
        return found;
    };
}

/** Of the cluster's instances: agents live in their nodes' network. */
function nodeAddresses({ aws }: Surroundings, { account, region, vpcId }: RunningCluster): string[] {
    const found = aws.edit({ account, region }, (scope) => interfaces.in(scope).list());
    return found.flatMap((one) => (one.VpcId === vpcId && one.Attachment?.InstanceId ? [one.PrivateIpAddress] : []));
}

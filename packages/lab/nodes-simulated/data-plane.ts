import { join } from "node:path";
import { interfaces } from "../aws/ec2/tables.ts";
import type { RunningCluster } from "../cluster/clusters.ts";
import type { DataPlane, DataPlaneOptions } from "../data-plane.ts";
import { ciliumSources } from "../tools/cilium.ts";
import { ensureTools } from "../tools/tools.ts";
import { kwokNodes } from "./kwok-nodes.ts";
import { type ClientPlace, MeshClient } from "./mesh-client.ts";
import { whyNoSandbox } from "./sandbox.ts";
import { agentExec, reach, type Surroundings } from "./simulated-nodes.ts";

/**
 * Lets kwok play the nodes. Their agents report what the mesh's client of their cluster reports: etcd, kvstoremesh and their connections
 * are real, paths are computed. If this user cannot run even these programs on this machine, logs the reason and computes the agents'
 * answers too.
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
    const reached = cachedReach(surroundings);
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
                    clients.set(key(cluster), new MeshClient({ name, serviceCidr, config, programs, log, lead, folder: home }));
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

/** `reach`, computed once for each state of the simulated AWS: it is called four times a second. */
function cachedReach(surroundings: Surroundings): (from: RunningCluster, source: string, to: string) => ReturnType<typeof reach> {
    const cache = new Map<string, ReturnType<typeof reach>>();
    let revision = -1;
    return (from, source, to) => {
        const now = surroundings.aws.revision();
        if (now !== revision) cache.clear();
        revision = now;
        const key = `${from.account}/${from.region}/${from.vpcId} ${source} ${to}`;
        const found = cache.get(key) ?? reach(surroundings, from, source, to);
        cache.set(key, found);
        return found;
    };
}

/** Addresses of the cluster's instances: agents use the host network. */
function nodeAddresses({ aws }: Surroundings, { account, region, vpcId }: RunningCluster): string[] {
    const found = aws.edit({ account, region }, (scope) => interfaces.in(scope).list());
    return found.flatMap(({ VpcId, Attachment, PrivateIpAddress }) =>
        VpcId === vpcId && Attachment?.InstanceId ? [PrivateIpAddress] : [],
    );
}

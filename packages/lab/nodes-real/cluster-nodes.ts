import { join } from "node:path";
import { addressAt } from "../../../core/network/cidr.ts";
import type { InstanceNode } from "../aws/eks/specs.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNodes, RunningCluster } from "../cluster/clusters.ts";
import type { Containers, LogRequest } from "../cluster/kubelet.ts";
import { addonObjects, applyObjects, deleteObjects } from "./addons.ts";
import { writeApiEndpoints } from "./api-endpoints.ts";
import { type LabNode, type NodeOptions, startNode } from "./node.ts";
import { type ClusterObjects, clusterObjects } from "./pods/objects.ts";
import type { NodePrograms } from "./programs.ts";

/** The API server's port at its interfaces in the VPC, as on EKS. */
const API_PORT = 443;

export interface LabNodesOptions extends NodePrograms, Pick<NodeOptions, "backOffMilliseconds" | "log"> {
    /** Where each cluster gets a folder of its own for its nodes. */
    folder: string;
    /** Path of the network namespace that is the interface of a node's instance. */
    network(instance: InstanceNode): Promise<string>;
    /** Addresses of the API server's interfaces in the VPC; something must take connections there to the API server on loopback. */
    apiServer(cluster: RunningCluster): Promise<readonly string[]>;
}

/** Nodes that really run their pods, each a namespace of this machine with a small kubelet of ours. Needs root on Linux. */
export function labNodes(options: LabNodesOptions): (cluster: RunningCluster) => ClusterNodes {
    return (running) => {
        const nodes = new Map<string, Promise<LabNode>>();
        const { account, region, name, serviceCidr, config } = running;
        const folder = join(options.folder, account, region, name);
        let cluster: Cluster | undefined;
        let objects: ClusterObjects | undefined;
        let apiAddresses: readonly string[] = [];

        const nodeOf = async (namespace: string, pod: string) => {
            for (const node of nodes.values()) {
                const started = await node.catch(() => undefined);
                if (started?.has(namespace, pod)) return started;
            }
            throw new Error(`pod ${pod} does not run on a node of ${name}`);
        };
        const containers: Containers = {
            exec: async (request, streams) => (await nodeOf(request.namespace, request.pod)).exec(request, streams),
            logs: async (request: LogRequest, signal) => (await nodeOf(request.namespace, request.pod)).logs(request, signal),
        };
        return {
            containers,
            async start(started) {
                cluster = started;
                objects = clusterObjects(config);
                apiAddresses = await options.apiServer(running);
                await writeApiEndpoints(config, apiAddresses, API_PORT);
            },
            async addNode(node, instance) {
                if (!cluster || !objects) throw new Error(`cluster ${name} does not run`);
                const { kubeletPort, version } = cluster;
                const apiServer = { host: addressAt(serviceCidr, 1), port: API_PORT };
                let starting = nodes.get(node.name);
                if (!starting) {
                    const network = await options.network(instance);
                    starting = startNode(node, network, { ...options, folder, config, objects, apiServer, kubeletPort, version });
                    nodes.set(node.name, starting);
                    // One that could not be started, or has ended by itself, is started anew when it is asked for again.
                    const forget = () => nodes.delete(node.name);
                    starting.then(({ broken }) => broken.then((how) => forget() && options.log(`node ${node.name} ${how}`)), forget);
                }
                await starting;
                await cluster.nodesReady([node.name]);
            },
            async removeNode(name) {
                const node = await nodes.get(name)?.catch(() => undefined);
                nodes.delete(name);
                await node?.stop();
                await cluster?.removeNode(name);
            },
            crash: async (address) => (await nodeOf(address.namespace, address.pod)).crash(address),
            putAddon: (addon) => applyObjects(config, addonObjects(addon, { serviceCidr, apiAddresses })),
            deleteAddon: (addon) => deleteObjects(config, addonObjects(addon, { serviceCidr, apiAddresses })),
            async stop() {
                const all = [...nodes.values()];
                nodes.clear();
                objects?.stop();
                await Promise.allSettled(all.map(async (node) => (await node).stop()));
            },
        };
    };
}

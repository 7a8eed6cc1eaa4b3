import { join } from "node:path";
import { addressAt } from "../../../core/network/cidr.ts";
import type { AddonSpec, InstanceNode } from "../aws/eks/specs.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNodes, RunningCluster } from "../cluster/clusters.ts";
import type { ContainerAddress, Containers } from "../cluster/kubelet.ts";
import type { RegisteredNode } from "../cluster/node-object.ts";
import { addonObjects, applyObjects, deleteObjects } from "./addons.ts";
import { writeApiEndpoints } from "./api-endpoints.ts";
import { LabNode, type NodeOptions } from "./node.ts";
import type { NodePrograms } from "./node-programs.ts";
import { type ClusterObjects, clusterObjects } from "./pods/watched-objects.ts";

/** The API server's port at its interfaces in the VPC, as on EKS. */
const API_PORT = 443;

export interface LabNodesOptions extends NodePrograms, Pick<NodeOptions, "backOffMilliseconds" | "log"> {
    /** Folder in which each cluster gets a folder for its nodes. */
    folder: string;
    /** Path of the network namespace that is the network interface of a node's instance. */
    network(instance: InstanceNode): Promise<string>;
    /** Addresses of the API server's interfaces in the VPC. Something must relay connections there to the API server on loopback. */
    apiServer(cluster: RunningCluster): Promise<readonly string[]>;
}

/** Nodes that run their pods, each in namespaces of this machine with a small kubelet of the lab. Needs root on Linux. */
export function labNodes(options: LabNodesOptions): (cluster: RunningCluster) => ClusterNodes {
    return (cluster) => new LabNodes(cluster, options);
}

/** The control plane of a running cluster, and what its nodes share. */
interface ControlPlane {
    cluster: Cluster;
    objects: ClusterObjects;
}

class LabNodes implements ClusterNodes {
    readonly containers: Containers;
    readonly #running: RunningCluster;
    readonly #options: LabNodesOptions;
    readonly #nodes = new Map<string, Promise<LabNode>>();
    #controlPlane: ControlPlane | undefined;
    #apiAddresses: readonly string[] = [];

    constructor(running: RunningCluster, options: LabNodesOptions) {
        this.#running = running;
        this.#options = options;
        this.containers = {
            exec: async (request, streams) => (await this.#nodeOf(request)).exec(request, streams),
            logs: async (request, signal) => (await this.#nodeOf(request)).logs(request, signal),
        };
    }

    async start(cluster: Cluster): Promise<void> {
        const { config } = this.#running;
        this.#controlPlane = { cluster, objects: clusterObjects(config) };
        this.#apiAddresses = await this.#options.apiServer(this.#running);
        await writeApiEndpoints(config, this.#apiAddresses, API_PORT);
    }

    async addNode(node: RegisteredNode, instance: InstanceNode): Promise<void> {
        const controlPlane = this.#controlPlane;
        if (!controlPlane) throw new Error(`cluster ${this.#running.name} is not running`);
        let starting = this.#nodes.get(node.name);
        if (!starting) {
            const network = await this.#options.network(instance);
            starting = LabNode.start(node, network, this.#nodeOptions(controlPlane));
            this.#nodes.set(node.name, starting);
            this.#forgetWhenEnded(node.name, starting);
        }
        await starting;
        await controlPlane.cluster.nodesReady([node.name]);
    }

    async removeNode(name: string): Promise<void> {
        const node = await this.#nodes.get(name)?.catch(() => undefined);
        this.#nodes.delete(name);
        await node?.stop();
        await this.#controlPlane?.cluster.removeNode(name);
    }

    async crash(address: ContainerAddress): Promise<void> {
        await (await this.#nodeOf(address)).crash(address);
    }

    putAddon(addon: AddonSpec): Promise<void> {
        return applyObjects(this.#running.config, this.#addonObjects(addon));
    }

    deleteAddon(addon: AddonSpec): Promise<void> {
        return deleteObjects(this.#running.config, this.#addonObjects(addon));
    }

    async stop(): Promise<void> {
        const nodes = [...this.#nodes.values()];
        this.#nodes.clear();
        this.#controlPlane?.objects.stop();
        await Promise.allSettled(nodes.map(async (node) => (await node).stop()));
    }

    #nodeOptions({ cluster, objects }: ControlPlane): NodeOptions {
        const { account, region, name, serviceCidr, config } = this.#running;
        const { kubeletPort, version } = cluster;
        const folder = join(this.#options.folder, account, region, name);
        const apiServer = { host: addressAt(serviceCidr, 1), port: API_PORT };
        return { ...this.#options, folder, config, objects, apiServer, kubeletPort, version };
    }

    /** A node that could not be started, or has ended by itself, is started again by the next `addNode`. */
    #forgetWhenEnded(name: string, starting: Promise<LabNode>): void {
        const forget = () => this.#nodes.delete(name);
        starting.then(({ broken }) => broken.then((how) => forget() && this.#options.log(`node ${name} ${how}`)), forget);
    }

    async #nodeOf({ namespace, pod }: ContainerAddress): Promise<LabNode> {
        for (const node of this.#nodes.values()) {
            const started = await node.catch(() => undefined);
            if (started?.has(namespace, pod)) return started;
        }
        throw new Error(`pod ${pod} is not running on any node of ${this.#running.name}`);
    }

    #addonObjects(addon: AddonSpec) {
        return addonObjects(addon, { serviceCidr: this.#running.serviceCidr, apiAddresses: this.#apiAddresses });
    }
}

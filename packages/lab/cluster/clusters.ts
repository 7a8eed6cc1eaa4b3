import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiException, AppsV1Api, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { EksBackend } from "../aws/eks/backend.ts";
import type { AddonSpec, ClusterSpec, InstanceNode } from "../aws/eks/specs.ts";
import type { Place } from "../aws/memory.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Program } from "./control-plane.ts";
import type { ContainerAddress, Containers } from "./kubelet.ts";
import type { RegisteredNode } from "./node-object.ts";

/** Runs the nodes of a cluster. */
export interface ClusterNodes {
    /** Runs commands in the containers of the nodes, and reads their logs. */
    containers: Containers;
    /** Called once the control plane is up. */
    start(cluster: Cluster): Promise<void>;
    /**
     * Resolves once pods can run on the node. A node that exists stays as it is.
     *
     * @param instance the node's instance in the simulated AWS
     */
    addNode(node: RegisteredNode, instance: InstanceNode): Promise<void>;
    removeNode(name: string): Promise<void>;
    putAddon?(addon: AddonSpec): Promise<void>;
    deleteAddon?(addon: AddonSpec): Promise<void>;
    /** Kills a container's process, as a crash does. */
    crash?(container: ContainerAddress): Promise<void>;
    /** Stops all nodes. Their objects stay in the API server. */
    stop(): Promise<void>;
}

export interface ClustersOptions {
    /** Folder that gets a subfolder for each cluster. */
    folder: string;
    /** File that the lab's `aws eks get-token` reads. */
    tokens: string;
    tools: Readonly<Record<Program, string>>;
    /** Makes the nodes of a cluster: `kwokNodes` or `labNodes`. */
    nodes: (cluster: RunningCluster) => ClusterNodes;
    log: (line: string) => void;
}

/** A running cluster of the simulated EKS. */
export interface RunningCluster extends Place {
    name: string;
    vpcId: string;
    serviceCidr: string;
    config: KubeConfig;
}

/** The backend of the simulated EKS: a real control plane for each cluster, and its nodes. */
export interface Clusters extends EksBackend {
    running(): RunningCluster[];
    /** Stops all processes. The folders stay, and `createCluster` resumes from them. */
    stop(): Promise<void>;
}

/** Clusters start when the simulated EKS creates them. */
export function realClusters({ folder, tokens, tools, nodes, log }: ClustersOptions): Clusters {
    const clusters = new Map<string, { spec: RunningCluster; cluster: Cluster; nodes: ClusterNodes }>();
    const key = ({ account, region }: Place, name: string) => `${account}/${region}/${name}`;
    const running = (place: Place, name: string) => {
        const cluster = clusters.get(key(place, name));
        if (!cluster) throw new Error(`cluster ${name} is not running`);
        return cluster;
    };
    const writeTokens = () => {
        const all = [...clusters.values()].map(({ spec, cluster }) => [`${spec.region}/${spec.name}`, cluster.token]);
        writeFileSync(`${tokens}.new`, JSON.stringify(Object.fromEntries(all)), { mode: 0o600 });
        renameSync(`${tokens}.new`, tokens);
    };

    return {
        async createCluster(spec: ClusterSpec) {
            if (!clusters.has(key(spec, spec.name))) {
                const home = join(folder, spec.account, spec.region, spec.name);
                mkdirSync(home, { recursive: true, mode: 0o700 });
                const config = new KubeConfig();
                const { account, region, name, vpcId, serviceCidr } = spec;
                const entry = { account, region, name, vpcId, serviceCidr, config };
                const clusterNodes = nodes(entry);
                const cluster = await startCluster({ name, folder: home, serviceCidr, tools, containers: clusterNodes.containers });
                config.loadFromString(cluster.kubeconfig);
                cluster.broken.then((error) => log(`${name}: ${error.message}`));
                clusters.set(key(spec, name), { spec: entry, cluster, nodes: clusterNodes });
                writeTokens();
                await clusterNodes.start(cluster);
            }
            const { endpoint, certificateAuthority } = running(spec, spec.name).cluster;
            return { endpoint, certificateAuthority };
        },
        async deleteCluster(spec: ClusterSpec) {
            const entry = clusters.get(key(spec, spec.name));
            if (!entry) return;
            await entry.nodes.stop();
            await entry.cluster.destroy();
            clusters.delete(key(spec, spec.name));
            writeTokens();
        },
        addNode: (node: InstanceNode) => running(node, node.cluster).nodes.addNode(registeredNode(node), node),
        removeNode: (node: InstanceNode) => running(node, node.cluster).nodes.removeNode(node.name),
        putAddon: async (addon: AddonSpec) => running(addon, addon.cluster).nodes.putAddon?.(addon),
        deleteAddon: async (addon: AddonSpec) => running(addon, addon.cluster).nodes.deleteAddon?.(addon),
        running: () => [...clusters.values()].map(({ spec }) => spec),
        async stop() {
            await Promise.all([...clusters.values()].map(({ nodes }) => nodes.stop()));
            await Promise.all([...clusters.values()].map(({ cluster }) => cluster.stop()));
            clusters.clear();
        },
    };
}

const KUBERNETES_EFFECTS: Record<string, string> = {
    NO_EXECUTE: "NoExecute",
    NO_SCHEDULE: "NoSchedule",
    PREFER_NO_SCHEDULE: "PreferNoSchedule",
};

/** The node that the instance registers. */
function registeredNode({
    name,
    address,
    nodegroup,
    zone,
    region,
    instanceType,
    instanceId,
    labels,
    taints,
    podPrefixes,
}: InstanceNode): RegisteredNode {
    return {
        name,
        internalIp: address,
        nodeGroup: nodegroup,
        zone,
        region,
        instanceType,
        providerId: `aws:///${zone}/${instanceId}`,
        labels,
        taints: taints.map(({ key, value, effect }) => ({ key, ...(value && { value }), effect: KUBERNETES_EFFECTS[effect] ?? effect })),
        ...(podPrefixes[0] && { podCidr: podPrefixes[0] }),
        podPrefixes,
    };
}

/** Reads the files of a Secret in kube-system. @returns no files if it does not exist */
export async function secretFiles(config: KubeConfig, name: string): Promise<Record<string, string>> {
    const secret = await config
        .makeApiClient(CoreV1Api)
        .readNamespacedSecret({ name, namespace: "kube-system" })
        .catch((error) => {
            if (error instanceof ApiException && error.code === 404) return undefined;
            throw error;
        });
    return Object.fromEntries(Object.entries(secret?.data ?? {}).map(([file, data]) => [file, Buffer.from(data, "base64").toString()]));
}

/** Whether a replica of the cluster's clustermesh-apiserver is available. */
export async function hasEtcd(config: KubeConfig): Promise<boolean> {
    const deployment = await config
        .makeApiClient(AppsV1Api)
        .readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: "kube-system" })
        .catch(() => undefined);
    return (deployment?.status?.availableReplicas ?? 0) > 0;
}

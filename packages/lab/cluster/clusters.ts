import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiException, AppsV1Api, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { EksBackend } from "../aws/eks/backend.ts";
import type { AddonSpec, ClusterSpec, NodeSpec } from "../aws/eks/specs.ts";
import type { Place } from "../aws/memory.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Program } from "./control-plane.ts";
import type { ContainerAddress, Containers } from "./kubelet.ts";
import type { NodeSpec as KubernetesNode } from "./node-registration.ts";

/** Who runs the nodes of a cluster. */
export interface ClusterNodes {
    /** Answers for the containers on them. */
    containers: Containers;
    /** The control plane is up. */
    start(cluster: Cluster): Promise<void>;
    /** Resolves once pods can run on it. One that is there already stays as it is. @param instance what it is in the simulated AWS */
    addNode(node: KubernetesNode, instance: NodeSpec): Promise<void>;
    removeNode(name: string): Promise<void>;
    putAddon?(addon: AddonSpec): Promise<void>;
    deleteAddon?(addon: AddonSpec): Promise<void>;
    /** Kills a container's process, as a crash would. */
    crash?(container: ContainerAddress): Promise<void>;
    /** Ends them all; their objects stay. */
    stop(): Promise<void>;
}

export interface ClustersOptions {
    /** Where each cluster gets a folder of its own. */
    folder: string;
    /** File that `aws eks get-token` of the lab reads. */
    tokens: string;
    tools: Readonly<Record<Program, string>>;
    /** `kwokNodes` or `labNodes`. */
    nodes: (cluster: RunningCluster) => ClusterNodes;
    log: (line: string) => void;
}

/** A cluster of the simulated EKS that runs. */
export interface RunningCluster extends Place {
    name: string;
    vpcId: string;
    serviceCidr: string;
    config: KubeConfig;
}

/** What stands behind the simulated EKS: a real control plane for each cluster, and its nodes. */
export interface Clusters extends EksBackend {
    running(): RunningCluster[];
    /** Ends all processes; the folders stay, and `createCluster` takes them up again. */
    stop(): Promise<void>;
}

/** Starts nothing yet. */
export function realClusters({ folder, tokens, tools, nodes, log }: ClustersOptions): Clusters {
    const clusters = new Map<string, { spec: RunningCluster; cluster: Cluster; nodes: ClusterNodes }>();
    const key = ({ account, region }: Place, name: string) => `${account}/${region}/${name}`;
    const needed = (place: Place, name: string) => {
        const found = clusters.get(key(place, name));
        if (!found) throw new Error(`cluster ${name} is not running`);
        return found;
    };
    const writeTokens = () => {
        const all = [...clusters.values()].map(({ spec, cluster }) => [`${spec.region}/${spec.name}`, cluster.token]);
        writeFileSync(`${tokens}.new`, JSON.stringify(Object.fromEntries(all)), { mode: 0o600 });
        renameSync(`${tokens}.new`, tokens);
    };

    return {
        async createCluster(spec: ClusterSpec) {
            const known = clusters.get(key(spec, spec.name));
            if (!known) {
                const home = join(folder, spec.account, spec.region, spec.name);
                mkdirSync(home, { recursive: true, mode: 0o700 });
                const config = new KubeConfig();
                const { account, region, name, vpcId, serviceCidr } = spec;
                const running = { account, region, name, vpcId, serviceCidr, config };
                const own = nodes(running);
                const cluster = await startCluster({ name, folder: home, serviceCidr, tools, containers: own.containers });
                config.loadFromString(cluster.kubeconfig);
                cluster.broken.then((error) => log(`${name}: ${error.message}`));
                clusters.set(key(spec, name), { spec: running, cluster, nodes: own });
                writeTokens();
                await own.start(cluster);
            }
            const { endpoint, certificateAuthority } = needed(spec, spec.name).cluster;
            return { endpoint, certificateAuthority };
        },
        async deleteCluster(spec: ClusterSpec) {
            const found = clusters.get(key(spec, spec.name));
            if (!found) return;
            await found.nodes.stop();
            await found.cluster.destroy();
            clusters.delete(key(spec, spec.name));
            writeTokens();
        },
        addNode: (node: NodeSpec) => needed(node, node.cluster).nodes.addNode(kubernetesNode(node), node),
        removeNode: (node: NodeSpec) => needed(node, node.cluster).nodes.removeNode(node.name),
        putAddon: async (addon: AddonSpec) => needed(addon, addon.cluster).nodes.putAddon?.(addon),
        deleteAddon: async (addon: AddonSpec) => needed(addon, addon.cluster).nodes.deleteAddon?.(addon),
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

/** The node as it registers itself. */
function kubernetesNode({
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
}: NodeSpec): KubernetesNode {
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

/** Reads a cluster's Secret as plain files; none: no files. */
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

/** Whether the cluster's clustermesh-apiserver could answer: a replica of it is available. */
export async function hasEtcd(config: KubeConfig): Promise<boolean> {
    const deployment = await config
        .makeApiClient(AppsV1Api)
        .readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: "kube-system" })
        .catch(() => undefined);
    return (deployment?.status?.availableReplicas ?? 0) > 0;
}

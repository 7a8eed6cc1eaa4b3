import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiException, AppsV1Api, CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { EksBackend } from "./aws/eks-backend.ts";
import type { ClusterSpec, NodeSpec } from "./aws/eks-specs.ts";
import type { Place } from "./aws/memory.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Program } from "./control-plane.ts";
import type { ExecHandler } from "./kubelet.ts";

const AGENT_NOT_READY = "node.cilium.io/agent-not-ready";
const OPERATOR_INTERVAL_MILLISECONDS = 250;

export interface ClustersOptions {
    /** Where each cluster gets a folder of its own. */
    folder: string;
    /** File that `aws eks get-token` of the lab reads. */
    tokens: string;
    tools: Readonly<Record<Program, string>>;
    /** Answers `kubectl exec` in the pods of a cluster. */
    exec: (cluster: RunningCluster) => ExecHandler;
    tell: (line: string) => void;
}

/** A cluster of the simulated EKS that runs. */
export interface RunningCluster extends Place {
    name: string;
    vpcId: string;
    config: KubeConfig;
}

/** What stands behind the simulated EKS: a real control plane for each cluster, and kwok's nodes. */
export interface Clusters extends EksBackend {
    running(): RunningCluster[];
    /** Ends all processes; the folders stay, and `createCluster` takes them up again. */
    stop(): Promise<void>;
}

/** Starts nothing yet. */
export function realClusters({ folder, tokens, tools, exec, tell }: ClustersOptions): Clusters {
    const clusters = new Map<string, { spec: RunningCluster; cluster: Cluster; operator: NodeJS.Timeout }>();
    const key = ({ account, region }: Place, name: string) => `${account}/${region}/${name}`;
    const needed = (place: Place, name: string) => {
        const found = clusters.get(key(place, name));
        if (!found) throw new Error(`cluster ${name} is not running`);
        return found.cluster;
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
                const running = { account: spec.account, region: spec.region, name: spec.name, vpcId: spec.vpcId, config };
                const cluster = await startCluster({
                    name: spec.name,
                    folder: home,
                    serviceCidr: spec.serviceCidr,
                    tools,
                    exec: exec(running),
                });
                config.loadFromString(cluster.kubeconfig);
                cluster.broken.then((error) => tell(`${spec.name}: ${error.message}`));
                clusters.set(key(spec, spec.name), { spec: running, cluster, operator: startOperator(config) });
                writeTokens();
            }
            const { endpoint, certificateAuthority } = needed(spec, spec.name);
            return { endpoint, certificateAuthority };
        },
        async deleteCluster(spec: ClusterSpec) {
            const found = clusters.get(key(spec, spec.name));
            if (!found) return;
            clearInterval(found.operator);
            await found.cluster.destroy();
            clusters.delete(key(spec, spec.name));
            writeTokens();
        },
        async addNode(node: NodeSpec) {
            const { name, address, nodegroup, zone, region, instanceType, instanceId, labels, taints, podPrefixes } = node;
            await needed(node, node.cluster).addNodes([
                {
                    name,
                    internalIp: address,
                    nodeGroup: nodegroup,
                    zone,
                    region,
                    instanceType,
                    providerId: `aws:///${zone}/${instanceId}`,
                    labels,
                    taints: taints.map(({ key, value, effect }) => ({
                        key,
                        ...(value && { value }),
                        effect: KUBERNETES_EFFECTS[effect] ?? effect,
                    })),
                    ...(podPrefixes[0] && { podCidr: podPrefixes[0] }),
                },
            ]);
        },
        removeNode: (node: NodeSpec) => needed(node, node.cluster).removeNode(node.name),
        running: () => [...clusters.values()].map(({ spec }) => spec),
        async stop() {
            for (const { operator } of clusters.values()) clearInterval(operator);
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

/**
 * Stands for the part of Cilium's operator without which nothing starts: it takes the taint from a node once an agent is ready there. The operator itself
 * runs as a pod of kwok's, and so not at all.
 */
function startOperator(config: KubeConfig): NodeJS.Timeout {
    const core = config.makeApiClient(CoreV1Api);
    let busy = false;
    const once = async () => {
        const { items: nodes } = await core.listNode();
        const tainted = nodes.filter(({ spec }) => spec?.taints?.some(({ key }) => key === AGENT_NOT_READY));
        if (tainted.length === 0) return;
        const { items: pods } = await core.listNamespacedPod({ namespace: "kube-system", labelSelector: "k8s-app=cilium" });
        const ready = new Set(
            pods.flatMap(({ spec, status }) =>
                status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? (spec?.nodeName ?? []) : [],
            ),
        );
        for (const { metadata, spec } of tainted) {
            if (!ready.has(metadata?.name ?? "")) continue;
            const taints = spec?.taints?.filter(({ key }) => key !== AGENT_NOT_READY) ?? [];
            await core.patchNode(
                { name: metadata?.name ?? "", body: { spec: { taints } } },
                setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
            );
        }
    };
    return setInterval(() => {
        if (busy) return;
        busy = true;
        // The cluster may be on its way down; the next look tells.
        once()
            .catch(() => {})
            .finally(() => {
                busy = false;
            });
    }, OPERATOR_INTERVAL_MILLISECONDS);
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

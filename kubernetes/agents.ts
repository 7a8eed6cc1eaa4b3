import { AppsV1Api, CoreV1Api } from "@kubernetes/client-node";
import type { Agent, Agents } from "../core/gate.ts";
import type { Clients } from "./clients.ts";

const NAMESPACE = "kube-system";
/** Label selector of the nodes on which Cilium's DaemonSet runs: Fargate nodes have no DaemonSet pods, and Cilium runs on Linux only. */
export const WITH_AGENT = "eks.amazonaws.com/compute-type!=fargate,kubernetes.io/os=linux";

/** The clusters' Cilium agents, through the API servers. */
export function kubernetesAgents(clients: Clients): Agents {
    return {
        async list(cluster) {
            const [daemonSet, pods] = await Promise.all([
                clients.client(cluster, AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE }),
                clients.client(cluster, CoreV1Api).listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=cilium" }),
            ]);
            const running = pods.items
                .filter(({ metadata, status }) => status?.phase === "Running" && !metadata?.deletionTimestamp)
                .map(({ metadata, spec }) => ({
                    cluster,
                    node: spec?.nodeName ?? "",
                    pod: metadata?.name ?? "",
                    uid: metadata?.uid ?? "",
                }));
            return { running, expected: daemonSet.status?.desiredNumberScheduled ?? 0 };
        },
        status: (agent) => inAgent(clients, agent, ["cilium-dbg", "status", "-o", "json"]),
        async restart({ cluster, pod }) {
            await clients.client(cluster, CoreV1Api).deleteNamespacedPod({ name: pod, namespace: NAMESPACE });
        },
    };
}

/**
 * Runs a command in the agent's container.
 *
 * @returns its standard output
 * @throws Error when it fails or times out
 */
export function inAgent(clients: Clients, { cluster, pod }: Agent, command: string[]): Promise<string> {
    return clients.exec(cluster, { namespace: NAMESPACE, pod, container: "cilium-agent" }, command);
}

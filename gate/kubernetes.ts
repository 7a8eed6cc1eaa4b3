import { Writable } from "node:stream";
import { AppsV1Api, CoreV1Api, Exec, KubeConfig } from "@kubernetes/client-node";
import type { Agent, Agents } from "../core/gate.ts";

const NAMESPACE = "kube-system";
const CONTAINER = "cilium-agent";
/** `cilium-dbg status` answers within a second; a command that hangs must not hold up the others. */
const EXEC_TIMEOUT_MILLISECONDS = 20_000;

/** The Cilium agents of clusters, through their API servers. @param kubeconfigs by cluster name */
export function kubernetesAgents(kubeconfigs: Record<string, string>): Agents {
    const configs = new Map(
        Object.entries(kubeconfigs).map(([cluster, text]) => {
            const config = new KubeConfig();
            config.loadFromString(text);
            return [cluster, config];
        }),
    );
    const of = (cluster: string) => {
        const config = configs.get(cluster);
        if (!config) throw new Error(`no kubeconfig for ${cluster}`);
        return config;
    };

    return {
        async list(cluster) {
            const [daemonSet, pods] = await Promise.all([
                of(cluster).makeApiClient(AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE }),
                of(cluster).makeApiClient(CoreV1Api).listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=cilium" }),
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
        status: (agent) => execute(of(agent.cluster), agent, ["cilium-dbg", "status", "-o", "json"]),
        async restart({ cluster, pod }) {
            await of(cluster).makeApiClient(CoreV1Api).deleteNamespacedPod({ name: pod, namespace: NAMESPACE });
        },
    };
}

/** Runs a command in the agent's container. @returns its standard output @throws Error when it fails or does not end */
async function execute(config: KubeConfig, agent: Agent, command: string[]): Promise<string> {
    const output = { stdout: "", stderr: "" };
    const into = (stream: keyof typeof output) =>
        new Writable({
            write(chunk, _encoding, done) {
                output[stream] += chunk;
                done();
            },
        });
    return new Promise((resolve, reject) => {
        const timer = setTimeout(
            () => reject(new Error(`${command.join(" ")} did not end within ${EXEC_TIMEOUT_MILLISECONDS / 1000} s`)),
            EXEC_TIMEOUT_MILLISECONDS,
        );
        const settle = (error?: Error) => {
            clearTimeout(timer);
            if (error) reject(error);
            else resolve(output.stdout);
        };
        new Exec(config)
            .exec(NAMESPACE, agent.pod, CONTAINER, command, into("stdout"), into("stderr"), null, false, (status) =>
                settle(status.status === "Success" ? undefined : new Error(output.stderr.trim() || status.message)),
            )
            .then((socket) => {
                socket.onerror = () => settle(new Error(`the connection to ${agent.pod} failed`));
            }, settle);
    });
}

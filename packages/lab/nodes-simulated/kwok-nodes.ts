import { CoreV1Api, type KubeConfig, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNodes, RunningCluster } from "../cluster/clusters.ts";
import { type ExecHandler, simulatedContainers } from "../cluster/kubelet.ts";

const AGENT_NOT_READY = "node.cilium.io/agent-not-ready";
const OPERATOR_INTERVAL_MILLISECONDS = 250;

/** Nodes simulated by kwok: no container runs, and `exec` answers `kubectl exec`. */
export function kwokNodes(exec: (cluster: RunningCluster) => ExecHandler): (cluster: RunningCluster) => ClusterNodes {
    return (running) => {
        let started: Cluster | undefined;
        let operator: NodeJS.Timeout | undefined;
        return {
            containers: simulatedContainers(exec(running)),
            async start(cluster) {
                started = cluster;
                operator = startOperator(running.config);
            },
            addNode: async (node) => started?.addNodes([node]),
            removeNode: async (name) => started?.removeNode(name),
            stop: async () => clearInterval(operator),
        };
    };
}

/**
 * Does the one thing of Cilium's operator without which no pod starts: removes the taint from a node once its agent is ready. The
 * operator's own pods are played by kwok, so they do nothing.
 */
function startOperator(config: KubeConfig): NodeJS.Timeout {
    const core = config.makeApiClient(CoreV1Api);
    let busy = false;
    const removeTaints = async () => {
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
        // The cluster may be stopping; if it is not, the next run retries.
        removeTaints()
            .catch(() => {})
            .finally(() => {
                busy = false;
            });
    }, OPERATOR_INTERVAL_MILLISECONDS);
}

import { type CoreV1Api, PatchStrategy, setHeaderOptions, type V1Node } from "@kubernetes/client-node";
import { until } from "../process/until.ts";
import { ignoreStatus } from "./api-errors.ts";
import { nodeObject, type RegisteredNode, SIMULATED_BY_KWOK } from "./node-object.ts";

const READY_TIMEOUT_MILLISECONDS = 60_000;
const NOT_READY_TAINT = "node.kubernetes.io/not-ready";

/** Adds Node objects to a cluster and removes them, as a node group does with its instances. */
export interface NodeRegistry {
    /** Registers nodes for kwok to simulate and waits until pods can run on them. Does not change nodes that already exist. */
    addNodes(nodes: readonly RegisteredNode[]): Promise<void>;
    /**
     * Waits until pods can run on these nodes.
     *
     * @throws Error after one minute
     */
    nodesReady(names: readonly string[]): Promise<void>;
    /** Deletes the node and its pods, as when its instance is terminated. Succeeds if the node does not exist. */
    removeNode(name: string): Promise<void>;
}

/** The nodes of one API server. */
export function nodeRegistry(
    core: CoreV1Api,
    { kubeletPort, version }: { kubeletPort: number; version: string },
): NodeRegistry & { adopt(): Promise<void> } {
    async function nodesReady(names: readonly string[]): Promise<void> {
        const wanted = new Set(names);
        const ready = async () => {
            const { items } = await core.listNode();
            return items.filter((node) => wanted.has(node.metadata?.name ?? "") && isReady(node)).length === wanted.size || undefined;
        };
        await until(ready, READY_TIMEOUT_MILLISECONDS, `nodes ${[...wanted].join(", ")} are not ready`);
    }

    return {
        nodesReady,

        async addNodes(nodes) {
            await Promise.all(
                nodes.map((node) => core.createNode({ body: nodeObject(node, kubeletPort, version) }).catch(ignoreStatus(409))),
            );
            await nodesReady(nodes.map(({ name }) => name));
        },

        async removeNode(name) {
            await core.deleteNode({ name }).catch(ignoreStatus(404));
            // The garbage collector waits 40 s before it deletes the pods of a node that no longer exists.
            const { items } = await core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${name}` });
            await Promise.all(
                items.map(({ metadata }) =>
                    core
                        .deleteNamespacedPod({ name: metadata?.name ?? "", namespace: metadata?.namespace ?? "", gracePeriodSeconds: 0 })
                        .catch(ignoreStatus(404)),
                ),
            );
        },

        /** Updates the nodes of an earlier run, whose status still holds that run's kubelet port. */
        async adopt() {
            const { items } = await core.listNode();
            const body = { status: { daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } } } };
            const simulated = items.filter(({ metadata }) => Object.keys(SIMULATED_BY_KWOK).every((key) => metadata?.annotations?.[key]));
            await Promise.all(
                simulated.map(({ metadata }) =>
                    core.patchNodeStatus(
                        { name: metadata?.name ?? "", body },
                        setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
                    ),
                ),
            );
        },
    };
}

function isReady({ spec, status }: V1Node): boolean {
    const ready = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    return ready === true && !spec?.taints?.some(({ key }) => key === NOT_READY_TAINT);
}

import { ApiException, type CoreV1Api, PatchStrategy, setHeaderOptions, type V1Node } from "@kubernetes/client-node";
import { until } from "../process/until.ts";
import { type NodeSpec, nodeObject, PLAYED_BY_KWOK } from "./node-registration.ts";

const READY_TIMEOUT_MILLISECONDS = 60_000;
const NOT_READY = "node.kubernetes.io/not-ready";

/** Where nodes come and go, as instances of a node group do. */
export interface NodeRegistry {
    /** Registers nodes and waits until pods can run on them. One that is there already stays as it is. */
    addNodes(specs: readonly NodeSpec[]): Promise<void>;
    /** Waits until pods can run on these nodes. @throws Error when that takes more than a minute */
    nodesReady(names: readonly string[]): Promise<void>;
    /** Takes the node away and the pods with it, as when its instance is terminated. One that is not there is no error. */
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

        async addNodes(specs) {
            await Promise.all(
                specs.map((spec) => core.createNode({ body: nodeObject(spec, kubeletPort, version) }).catch(unlessCode(409))),
            );
            await nodesReady(specs.map(({ name }) => name));
        },

        async removeNode(name) {
            await core.deleteNode({ name }).catch(unlessCode(404));
            // The garbage collector waits 40 s before it takes pods whose node is gone.
            const { items } = await core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${name}` });
            await Promise.all(
                items.map(({ metadata }) =>
                    core
                        .deleteNamespacedPod({ name: metadata?.name ?? "", namespace: metadata?.namespace ?? "", gracePeriodSeconds: 0 })
                        .catch(unlessCode(404)),
                ),
            );
        },

        /** Nodes of an earlier run say where its kubelet was. */
        async adopt() {
            const { items } = await core.listNode();
            const body = { status: { daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } } } };
            const played = items.filter(({ metadata }) => Object.keys(PLAYED_BY_KWOK).every((key) => metadata?.annotations?.[key]));
            await Promise.all(
                played.map(({ metadata }) =>
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
    return ready === true && !spec?.taints?.some(({ key }) => key === NOT_READY);
}

function unlessCode(expected: number) {
    return (error: unknown): undefined => {
        if (error instanceof ApiException && error.code === expected) return undefined;
        throw error;
    };
}

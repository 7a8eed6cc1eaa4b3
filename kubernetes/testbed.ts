import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubernetesObjectApi, PatchStrategy, type V1Node, type V1Pod } from "@kubernetes/client-node";
import { explain } from "../core/text/explain.ts";
import { EXPIRES, namespaceObject, OWNER, ROLE, type Role } from "../core/verify/objects.ts";
import { parseProbe, probeCommand, probeSeconds } from "../core/verify/probe.ts";
import type { MeshNode, Testbed, TestPod } from "../core/verify/testbed.ts";
import { inAgent, kubernetesAgents } from "./agents.ts";
import { kubernetesClients } from "./clients.ts";

const FIELD_MANAGER = "clustermesh-verify";
/** Nodes without Cilium's DaemonSet: Fargate has none of any kind, and Cilium runs on Linux alone. */
export const WITH_AGENT = "eks.amazonaws.com/compute-type!=fargate,kubernetes.io/os=linux";
const LOOK_AGAIN_MILLISECONDS = 500;

export interface TestbedSettings {
    kubeconfigs: Record<string, string>;
    namespace: string;
    /** When the run must have ended. */
    expires: Date;
    /** Seconds that a namespace is given to go. */
    removeSeconds: number;
    signal?: AbortSignal | undefined;
}

/** The mesh's clusters through their API servers, on AWS and in the lab alike. */
export function kubernetesTestbed({ kubeconfigs, namespace, expires, removeSeconds, signal }: TestbedSettings): Testbed {
    const clients = kubernetesClients(kubeconfigs, signal);
    // The namespace is removed after an abort as well, and its making is not cut off halfway.
    const unaborted = kubernetesClients(kubeconfigs);
    const core = (cluster: string) => clients.client(cluster, CoreV1Api);
    /** Clusters in which the namespace was asked for: one whose answer got lost may be there as well. */
    const made = new Set<string>();

    return {
        agents: kubernetesAgents(clients),
        nodeList: (agent) => inAgent(clients, agent, ["cilium-dbg", "node", "list", "-o", "json"]),
        troubleshoot: (agent, peer) => inAgent(clients, agent, ["cilium-dbg", "troubleshoot", "clustermesh", peer]),
        async nodes(cluster) {
            const { items } = await core(cluster).listNode({ labelSelector: WITH_AGENT });
            return items.map(meshNode);
        },
        async createNamespace(cluster) {
            made.add(cluster);
            try {
                await unaborted
                    .client(cluster, CoreV1Api)
                    .createNamespace({ body: namespaceObject(namespace, expires), fieldManager: FIELD_MANAGER });
            } catch (error) {
                if ((error as { code?: number }).code === 409) made.delete(cluster);
                throw error;
            }
        },
        async apply(cluster, object) {
            const api = clients.client(cluster, KubernetesObjectApi);
            await api.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
        },
        async pods(cluster) {
            const { items } = await core(cluster).listNamespacedPod({ namespace });
            return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map((pod) => testPod(cluster, pod));
        },
        async serviceAddress(cluster, name) {
            const { spec } = await core(cluster).readNamespacedService({ name, namespace });
            return spec?.clusterIP ?? "";
        },
        async warnings(cluster) {
            const { items } = await core(cluster).listNamespacedEvent({ namespace, fieldSelector: "type=Warning" });
            return [...new Set(items.flatMap(({ message }) => message ?? []))];
        },
        async probe({ cluster, name }, probe) {
            const container = { namespace, pod: name, container: "agnhost" };
            return parseProbe(await clients.exec(cluster, container, probeCommand(probe), probeSeconds(probe)));
        },
        async removeNamespace(cluster) {
            if (made.has(cluster)) await removeNamespace(unaborted.client(cluster, CoreV1Api), namespace, removeSeconds);
        },
        async removeExpired(cluster) {
            const labelSelector = Object.entries(OWNER).map(([label, value]) => `${label}=${value}`);
            const { items } = await core(cluster).listNamespace({ labelSelector: labelSelector.join(",") });
            const expired = items.filter(({ metadata }) => new Date(metadata?.annotations?.[EXPIRES] ?? Number.NaN) < new Date());
            const names = expired.flatMap(({ metadata }) => metadata?.name ?? []);
            for (const name of names) await core(cluster).deleteNamespace({ name });
            return names;
        },
    };
}

/** @throws Error when it is not gone in time */
async function removeNamespace(core: CoreV1Api, name: string, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    // One failed request must not leave everything behind, so each is made again until the namespace is seen to be gone.
    for (;;) {
        let last = "";
        try {
            const { metadata } = await core.readNamespace({ name });
            // With the id, so that one of this name which somebody made meanwhile is left alone.
            if (!metadata?.deletionTimestamp) await core.deleteNamespace({ name, body: { preconditions: { uid: metadata?.uid ?? "" } } });
        } catch (error) {
            if ((error as { code?: number }).code === 404) return;
            last = explain(error);
        }
        if (performance.now() >= end) throw new Error(`namespace ${name} is not gone after ${seconds} s${last && `: ${last}`}`);
        await sleep(LOOK_AGAIN_MILLISECONDS);
    }
}

function meshNode({ metadata, spec, status }: V1Node): MeshNode {
    return {
        name: metadata?.name ?? "",
        zone: metadata?.labels?.["topology.kubernetes.io/zone"] ?? "",
        ready: !spec?.unschedulable && (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
    };
}

function testPod(cluster: string, { metadata, spec, status }: V1Pod): TestPod {
    const ready = (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
    return {
        cluster,
        role: (metadata?.labels?.[ROLE] ?? "") as Role,
        name: metadata?.name ?? "",
        node: spec?.nodeName ?? "",
        address: status?.podIP ?? "",
        nodeAddress: status?.hostIP ?? "",
        ready,
        waitsFor: ready ? "" : waitsFor(status),
    };
}

function waitsFor(status: V1Pod["status"]): string {
    const { waiting, terminated } = status?.containerStatuses?.[0]?.state ?? {};
    const state = waiting ?? terminated;
    if (state) return [state.reason, state.message].filter(Boolean).join(": ");
    const unmet = status?.conditions?.find(({ status }) => status !== "True");
    return unmet?.message ?? unmet?.reason ?? `is ${status?.phase ?? "of no state"}`;
}

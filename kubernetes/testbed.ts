import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, type KubernetesObject, KubernetesObjectApi, PatchStrategy, type V1Node, type V1Pod } from "@kubernetes/client-node";
import type { Agent, Agents } from "../core/gate.ts";
import { explain } from "../core/text/explain.ts";
import type { MeshNode } from "../core/verify/nodes.ts";
import { EXPIRES, namespaceObject, OWNER, ROLE, type Role, type ServiceName } from "../core/verify/objects.ts";
import { type Answer, type Probe, parseProbe, probeCommand, probeSeconds } from "../core/verify/probe.ts";
import type { Testbed, TestPod } from "../core/verify/testbed.ts";
import { inAgent, kubernetesAgents, WITH_AGENT } from "./agents.ts";
import { type Clients, kubernetesClients } from "./clients.ts";

const FIELD_MANAGER = "clustermesh-verify";
const POLL_MILLISECONDS = 500;

interface TestbedSettings {
    kubeconfigs: Record<string, string>;
    namespace: string;
    /** When the run must have ended. */
    expires: Date;
    /** Seconds that the deletion of a namespace may take. */
    removeSeconds: number;
    signal?: AbortSignal | undefined;
}

/** The mesh's clusters through their API servers, on AWS and in the lab alike. */
export class KubernetesTestbed implements Testbed {
    readonly agents: Agents;
    readonly #clients: Clients;
    /** Not aborted: the namespace is removed after an abort as well, and its creation is not cut off halfway. */
    readonly #unabortedClients: Clients;
    /** Clusters where a namespace was requested. Even if the answer was lost, the namespace may exist. */
    readonly #created = new Set<string>();
    readonly #settings: TestbedSettings;

    constructor(settings: TestbedSettings) {
        this.#settings = settings;
        this.#clients = kubernetesClients(settings.kubeconfigs, settings.signal);
        this.#unabortedClients = kubernetesClients(settings.kubeconfigs);
        this.agents = kubernetesAgents(this.#clients);
    }

    nodeList(agent: Agent): Promise<string> {
        return inAgent(this.#clients, agent, ["cilium-dbg", "node", "list", "-o", "json"]);
    }

    troubleshoot(agent: Agent, peer: string): Promise<string> {
        return inAgent(this.#clients, agent, ["cilium-dbg", "troubleshoot", "clustermesh", peer]);
    }

    async nodes(cluster: string): Promise<MeshNode[]> {
        const { items } = await this.#core(cluster).listNode({ labelSelector: WITH_AGENT });
        return items.map(meshNode);
    }

    async createNamespace(cluster: string): Promise<void> {
        const { namespace, expires } = this.#settings;
        this.#created.add(cluster);
        try {
            await this.#unabortedClients
                .client(cluster, CoreV1Api)
                .createNamespace({ body: namespaceObject(namespace, expires), fieldManager: FIELD_MANAGER });
        } catch (error) {
            if ((error as { code?: number }).code === 409) this.#created.delete(cluster);
            throw error;
        }
    }

    async apply(cluster: string, object: KubernetesObject): Promise<void> {
        const api = this.#clients.client(cluster, KubernetesObjectApi);
        await api.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
    }

    async pods(cluster: string): Promise<TestPod[]> {
        const { items } = await this.#core(cluster).listNamespacedPod({ namespace: this.#settings.namespace });
        return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map((pod) => testPod(cluster, pod));
    }

    async serviceAddress(cluster: string, name: ServiceName): Promise<string> {
        const { spec } = await this.#core(cluster).readNamespacedService({ name, namespace: this.#settings.namespace });
        return spec?.clusterIP ?? "";
    }

    async warnings(cluster: string): Promise<string[]> {
        const { namespace } = this.#settings;
        const { items } = await this.#core(cluster).listNamespacedEvent({ namespace, fieldSelector: "type=Warning" });
        return [...new Set(items.flatMap(({ message }) => message ?? []))];
    }

    async probe({ cluster, name }: TestPod, probe: Probe): Promise<Answer[]> {
        const container = { namespace: this.#settings.namespace, pod: name, container: "agnhost" };
        return parseProbe(await this.#clients.exec(cluster, container, probeCommand(probe), probeSeconds(probe)));
    }

    async removeNamespace(cluster: string): Promise<void> {
        const { namespace, removeSeconds } = this.#settings;
        if (this.#created.has(cluster)) await removeNamespace(this.#unabortedClients.client(cluster, CoreV1Api), namespace, removeSeconds);
    }

    async removeExpired(cluster: string): Promise<string[]> {
        const labelSelector = Object.entries(OWNER).map(([label, value]) => `${label}=${value}`);
        const { items } = await this.#core(cluster).listNamespace({ labelSelector: labelSelector.join(",") });
        const expired = items.filter(({ metadata }) => new Date(metadata?.annotations?.[EXPIRES] ?? Number.NaN) < new Date());
        const names = expired.flatMap(({ metadata }) => metadata?.name ?? []);
        for (const name of names) await this.#core(cluster).deleteNamespace({ name });
        return names;
    }

    #core(cluster: string): CoreV1Api {
        return this.#clients.client(cluster, CoreV1Api);
    }
}

/** @throws Error when the namespace still exists after `seconds` */
async function removeNamespace(core: CoreV1Api, name: string, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    // Retry until the namespace is seen to be gone, so that one failed request does not leave everything behind.
    for (;;) {
        let last = "";
        try {
            const { metadata } = await core.readNamespace({ name });
            // With the uid, so that a namespace of this name which someone else created meanwhile is not deleted.
            if (!metadata?.deletionTimestamp) await core.deleteNamespace({ name, body: { preconditions: { uid: metadata?.uid ?? "" } } });
        } catch (error) {
            if ((error as { code?: number }).code === 404) return;
            last = explain(error);
        }
        if (performance.now() >= end) throw new Error(`namespace ${name} still exists after ${seconds} s${last && `: ${last}`}`);
        await sleep(POLL_MILLISECONDS);
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
    return unmet?.message ?? unmet?.reason ?? `phase ${status?.phase ?? "unknown"}`;
}

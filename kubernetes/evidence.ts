import { AppsV1Api, CoreV1Api, CustomObjectsApi, VersionApi } from "@kubernetes/client-node";
import { z } from "zod";
import { attempt, type Known, type KubernetesEvidence, LEFT_OUT } from "../core/doctor/evidence.ts";
import { readMaterial, readPeers } from "../core/doctor/secrets.ts";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { explain } from "../core/text/explain.ts";
import { agentsOf } from "./agent-evidence.ts";
import type { Clients } from "./clients.ts";
import { WITH_AGENT } from "./agents.ts";

const NAMESPACE = "kube-system";
const MATERIAL = ["server", "admin", "remote", "local"].map((role) => `clustermesh-apiserver-${role}-cert`);
/** What of cilium-config is looked at: the rest is the user's affair. */
const CONFIG_KEYS = [
    "cluster-id",
    "cluster-name",
    "cni-chaining-mode",
    "enable-identity-mark",
    "enable-ipv4-masquerade",
    "identity-allocation-mode",
    "max-connected-clusters",
    "mtu",
    "policy-default-local-cluster",
    "routing-mode",
];
/** Objects of a page, so that a large cluster's answer is no hundred megabytes at once. */
const PAGE = 500;

/** How much is looked at: what a line of status needs, or everything. */
export type Depth = "status" | "doctor";

export interface Asked {
    cluster: ClusterFacts;
    /** Names of the clusters that it should see. */
    peers: readonly string[];
    /** PEM of all CAs that the mesh's clusters have published. */
    authorities: readonly string[];
    depth: Depth;
}

/** The names of all nodes that have an agent, or should. */
export async function nodeNames(clients: Clients, cluster: string): Promise<string[]> {
    const { items } = await clients.client(cluster, CoreV1Api).listNode({ labelSelector: WITH_AGENT });
    return items.map(({ metadata }) => metadata?.name ?? "");
}

/**
 * What one cluster's API server and agents tell. Never throws: what could not be had says why.
 *
 * @param nodes of every cluster, where they could be had
 */
export async function kubernetesEvidence(
    clients: Clients,
    asked: Asked,
    nodes: ReadonlyMap<string, readonly string[]>,
): Promise<KubernetesEvidence> {
    const { cluster, depth } = asked;
    const { name, wiring } = cluster;
    const core = clients.client(name, CoreV1Api);
    const apps = clients.client(name, AppsV1Api);
    const look = <T>(run: () => Promise<T>) => attempt(run, explain);
    const deep = <T>(run: () => Promise<T>): Promise<Known<T>> => (depth === "doctor" ? look(run) : Promise.resolve(LEFT_OUT));
    const secret = async (secretName: string): Promise<Record<string, string> | null> => {
        const found = await orNull(core.readNamespacedSecret({ name: secretName, namespace: NAMESPACE }));
        return (
            found &&
            Object.fromEntries(Object.entries(found.data ?? {}).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]))
        );
    };
    const peersOf = async (secretName: string) => {
        const files = await secret(secretName);
        return files && readPeers(files, name, asked.authorities);
    };

    // Alone first: it brings the token that the others then share, and says soon of a server that does not answer.
    const version = await look(async () => (await clients.client(name, VersionApi).getCode()).gitVersion);
    if ("unknown" in version) return unanswered(version.unknown, wiring);
    const [config, daemonSet, agents, apiserver, vpcCni, pods, peers, cached, remoteUsers, ...material] = await Promise.all([
        look(async () => {
            const { data = {} } = await core.readNamespacedConfigMap({ name: "cilium-config", namespace: NAMESPACE });
            return Object.fromEntries(Object.entries(data).filter(([key]) => CONFIG_KEYS.includes(key)));
        }),
        look(async () => {
            const { spec, status } = await apps.readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE });
            return {
                desired: status?.desiredNumberScheduled ?? 0,
                ready: status?.numberReady ?? 0,
                updated: status?.updatedNumberScheduled ?? 0,
                aliases: (spec?.template.spec?.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
            };
        }),
        look(() => agentsOf(clients, asked, nodes)),
        look(() => apiserverOf(core, apps)),
        deep(async () => {
            const { spec } = await apps.readNamespacedDaemonSet({ name: "aws-node", namespace: NAMESPACE });
            const env = spec?.template.spec?.containers.find((container) => container.name === "aws-node")?.env ?? [];
            return Object.fromEntries(env.filter(({ name }) => /SNAT|MTU/.test(name)).map(({ name, value = "" }) => [name, value]));
        }),
        deep(() => podsOf(clients, name)),
        deep(() => peersOf(wiring === "direct" ? "cilium-clustermesh" : "cilium-kvstoremesh")),
        wiring === "kvstoremesh" ? deep(() => peersOf("cilium-clustermesh")) : undefined,
        deep(async () => (await orNull(core.readNamespacedConfigMap({ name: "clustermesh-remote-users", namespace: NAMESPACE }))) !== null),
        ...MATERIAL.map((secretName) =>
            deep(async () => {
                const files = await secret(secretName);
                return files && readMaterial(files, asked.authorities);
            }),
        ),
    ]);
    return {
        version,
        config,
        daemonSet,
        agents,
        apiserver,
        vpcCni,
        pods,
        material: Object.fromEntries(material.map((one, i) => [MATERIAL[i] ?? "", one])),
        peers,
        ...(cached && { cached }),
        remoteUsers,
    };
}

/** Of a cluster that cannot be asked. */
export function unanswered(why: string, wiring: ClusterFacts["wiring"]): KubernetesEvidence {
    const unknown = { unknown: why };
    return {
        version: unknown,
        config: unknown,
        daemonSet: unknown,
        agents: unknown,
        apiserver: unknown,
        vpcCni: unknown,
        pods: unknown,
        material: Object.fromEntries(MATERIAL.map((name) => [name, unknown])),
        peers: unknown,
        ...(wiring === "kvstoremesh" && { cached: unknown }),
        remoteUsers: unknown,
    };
}

async function apiserverOf(core: CoreV1Api, apps: AppsV1Api) {
    const found = await orNull(apps.readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: NAMESPACE }));
    if (!found) return null;
    const { items } = await core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=clustermesh-apiserver" });
    const waiting = items.flatMap(({ metadata, status }) =>
        [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
            .filter(({ ready, state }) => !ready && !state?.terminated)
            .map(({ name, state }) => `${metadata?.name}/${name} ${state?.waiting?.reason ?? "not ready"}`),
    );
    return {
        replicas: found.spec?.replicas ?? 1,
        ready: found.status?.readyReplicas ?? 0,
        containers: (found.spec?.template.spec?.containers ?? []).map(({ name }) => name),
        waiting,
    };
}

const Endpoints = z.looseObject({
    metadata: z.looseObject({ continue: z.string().optional() }).optional(),
    items: z.array(z.looseObject({ metadata: z.looseObject({ namespace: z.string(), name: z.string() }) })),
});

async function podsOf(clients: Clients, cluster: string) {
    const core = clients.client(cluster, CoreV1Api);
    const custom = clients.client(cluster, CustomObjectsApi);
    const [pods, endpoints] = await Promise.all([
        pages(async (_continue) => {
            const { items, metadata } = await core.listPodForAllNamespaces({
                fieldSelector: "status.phase=Running",
                limit: PAGE,
                ...(_continue && { _continue }),
            });
            return { items: items.filter(({ spec }) => !spec?.hostNetwork), next: metadata?._continue };
        }),
        pages(async (_continue) => {
            const where = { group: "cilium.io", version: "v2", plural: "ciliumendpoints" };
            const { items, metadata } = Endpoints.parse(
                await custom.listClusterCustomObject({ ...where, limit: PAGE, ...(_continue && { _continue }) }),
            );
            return { items: items.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`), next: metadata?.continue };
        }),
    ]);
    const managed = new Set(endpoints);
    const named = pods.map((pod) => ({ pod: `${pod.metadata?.namespace}/${pod.metadata?.name}`, ...pod }));
    return {
        all: pods.length,
        unmanaged: named
            .filter(({ pod, metadata }) => !managed.has(pod) && !metadata?.deletionTimestamp)
            .map(({ pod, spec, status, metadata }) => ({
                pod,
                node: spec?.nodeName ?? "",
                since: new Date(status?.startTime ?? 0).toISOString(),
                owner: metadata?.ownerReferences?.[0] ? `${metadata.ownerReferences[0].kind} ${metadata.ownerReferences[0].name}` : "",
            })),
    };
}

async function pages<T>(page: (from: string | undefined) => Promise<{ items: T[]; next: string | undefined }>): Promise<T[]> {
    const all: T[] = [];
    for (let from: string | undefined; ; ) {
        const { items, next } = await page(from);
        all.push(...items);
        if (!next) return all;
        from = next;
    }
}

/** null where there is no such object. */
async function orNull<T>(reading: Promise<T>): Promise<T | null> {
    return reading.catch((error) => {
        if ((error as { code?: number }).code === 404) return null;
        throw error;
    });
}

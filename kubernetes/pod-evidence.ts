import { CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { z } from "zod";
import type { Clients } from "./clients.ts";

/** Objects per page, so that a large cluster does not answer with a hundred megabytes at once. */
const PAGE = 500;

const Endpoints = z.looseObject({
    metadata: z.looseObject({ continue: z.string().optional() }).optional(),
    items: z.array(z.looseObject({ metadata: z.looseObject({ namespace: z.string(), name: z.string() }) })),
});

/** Counts a cluster's running pods outside the host network, and lists those without a CiliumEndpoint. */
export async function podEvidence(clients: Clients, cluster: string) {
    const [pods, endpoints] = await Promise.all([listPods(clients, cluster), listEndpoints(clients, cluster)]);
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

function listPods(clients: Clients, cluster: string) {
    const core = clients.client(cluster, CoreV1Api);
    return allPages(async (_continue) => {
        const { items, metadata } = await core.listPodForAllNamespaces({
            fieldSelector: "status.phase=Running",
            limit: PAGE,
            ...(_continue && { _continue }),
        });
        return { items: items.filter(({ spec }) => !spec?.hostNetwork), next: metadata?._continue };
    });
}

/** Pods with a CiliumEndpoint, as "<namespace>/<name>". */
function listEndpoints(clients: Clients, cluster: string): Promise<string[]> {
    const custom = clients.client(cluster, CustomObjectsApi);
    const kind = { group: "cilium.io", version: "v2", plural: "ciliumendpoints" };
    return allPages(async (_continue) => {
        const { items, metadata } = Endpoints.parse(
            await custom.listClusterCustomObject({ ...kind, limit: PAGE, ...(_continue && { _continue }) }),
        );
        return { items: items.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`), next: metadata?.continue };
    });
}

async function allPages<T>(page: (from: string | undefined) => Promise<{ items: T[]; next: string | undefined }>): Promise<T[]> {
    const all: T[] = [];
    for (let from: string | undefined; ; ) {
        const { items, next } = await page(from);
        all.push(...items);
        if (!next) return all;
        from = next;
    }
}

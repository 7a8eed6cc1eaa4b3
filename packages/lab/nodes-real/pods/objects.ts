import { setTimeout as sleep } from "node:timers/promises";
import { type KubeConfig, type KubernetesObject, type V1ConfigMap, type V1Secret, Watch } from "@kubernetes/client-node";
import type { Lookup } from "./environment.ts";

const RETRY_MILLISECONDS = 250;
const END_OF_LIST = "k8s.io/initial-events-end";

/** Objects of one kind, as last seen. */
export interface Followed<T> {
    get(namespace: string, name: string): T | undefined;
    /** Resolves once all that were there have been seen. */
    readonly synced: Promise<void>;
    stop(): void;
}

/**
 * Follows the objects of a path. A connection that ends, with an API server say, is made anew, and begins with all objects there are, so nothing is missed.
 *
 * @param changed is told of each object that is new or has changed, and with undefined of one that is gone
 */
export function follow<T extends KubernetesObject>(
    config: KubeConfig,
    path: string,
    query: Record<string, string>,
    changed: (key: string, now: T | undefined) => void,
): Followed<T> {
    const objects = new Map<string, T>();
    const stopped = new AbortController();
    const { promise: synced, resolve: complete } = Promise.withResolvers<void>();
    const watch = new Watch(config);
    const remove = (key: string) => {
        if (objects.delete(key)) changed(key, undefined);
    };

    async function once(): Promise<void> {
        const seen = new Set<string>();
        let listed = false;
        const take = (phase: string, object: T) => {
            const key = keyOf(object.metadata?.namespace, object.metadata?.name);
            if (phase === "DELETED") return remove(key);
            if (phase === "ADDED" || phase === "MODIFIED") {
                if (!listed) seen.add(key);
                if (objects.get(key)?.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
                objects.set(key, object);
                changed(key, object);
            }
            if (phase === "BOOKMARK" && object.metadata?.annotations?.[END_OF_LIST] === "true") {
                listed = true;
                // Those that went while nobody looked.
                for (const known of [...objects.keys()]) if (!seen.has(known)) remove(known);
                complete();
            }
        };
        const initial = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };
        const over = Promise.withResolvers<void>();
        const end = () => over.resolve();
        stopped.signal.addEventListener("abort", end);
        // A connection that fails is made anew, whatever the reason.
        const connection = watch.watch(path, { ...query, ...initial }, take, end).catch(end);
        await over.promise;
        stopped.signal.removeEventListener("abort", end);
        (await connection)?.abort();
    }

    (async () => {
        while (!stopped.signal.aborted) {
            await once();
            await sleep(RETRY_MILLISECONDS);
        }
    })();

    return { get: (namespace, name) => objects.get(keyOf(namespace, name)), synced, stop: () => stopped.abort() };
}

export function keyOf(namespace = "", name = ""): string {
    return `${namespace}/${name}`;
}

/** The Secrets and ConfigMaps of a cluster, all of them: the lab's kubelets share one view, where each real one watches those of its own pods. */
export interface ClusterObjects extends Lookup {
    readonly synced: Promise<unknown>;
    /** Tells `listener` of changes, as `secret/<name>` and the namespace. @returns ends that */
    onChange(listener: (namespace: string, name: string) => void): () => void;
    stop(): void;
}

export function clusterObjects(config: KubeConfig): ClusterObjects {
    const listeners = new Set<(namespace: string, name: string) => void>();
    const log = (kind: string) => (key: string) => {
        const [namespace = "", name = ""] = key.split("/");
        for (const listener of listeners) listener(namespace, `${kind}/${name}`);
    };
    const secrets = follow<V1Secret>(config, "/api/v1/secrets", {}, log("secret"));
    const configMaps = follow<V1ConfigMap>(config, "/api/v1/configmaps", {}, log("configMap"));
    const decoded = (data: Record<string, string> = {}, encoding: BufferEncoding) =>
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value, encoding)] as const);
    return {
        secret(namespace, name) {
            const found = secrets.get(namespace, name);
            return found && Object.fromEntries(decoded(found.data, "base64"));
        },
        configMap(namespace, name) {
            const found = configMaps.get(namespace, name);
            return found && Object.fromEntries([...decoded(found.data, "utf8"), ...decoded(found.binaryData, "base64")]);
        },
        synced: Promise.all([secrets.synced, configMaps.synced]),
        onChange(listener) {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        stop() {
            secrets.stop();
            configMaps.stop();
        },
    };
}

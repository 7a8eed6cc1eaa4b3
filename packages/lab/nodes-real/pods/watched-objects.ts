import { setTimeout as sleep } from "node:timers/promises";
import { type KubeConfig, type KubernetesObject, type V1ConfigMap, type V1Secret, Watch } from "@kubernetes/client-node";
import type { Lookup } from "../containers/environment.ts";

const RETRY_MILLISECONDS = 250;
const END_OF_LIST = "k8s.io/initial-events-end";

/** Objects of one kind, as last seen. */
export interface Followed<T> {
    get(namespace: string, name: string): T | undefined;
    /** Resolves when all objects that existed at the start have been seen. */
    readonly synced: Promise<void>;
    stop(): void;
}

/** Called for every object that is new or has changed, and with undefined for an object that has been deleted. */
type Listener<T> = (key: string, object: T | undefined) => void;

/**
 * Watches the objects of a path.
 *
 * A watch that ends, for instance because the API server stops, is started again. It begins with all existing objects, so that no change is missed.
 */
export function follow<T extends KubernetesObject>(
    config: KubeConfig,
    path: string,
    query: Record<string, string>,
    changed: Listener<T>,
): Followed<T> {
    const stopped = new AbortController();
    const store = new ObjectStore(changed);
    const watch = new Watch(config);
    const watchForever = async () => {
        while (!stopped.signal.aborted) {
            await watchOnce(watch, path, query, store, stopped.signal);
            await sleep(RETRY_MILLISECONDS);
        }
    };
    watchForever();
    return { get: (namespace, name) => store.get(keyOf(namespace, name)), synced: store.synced, stop: () => stopped.abort() };
}

/** Watches until the connection ends or `stopped` is aborted. A failed connection counts as ended, whatever the reason. */
async function watchOnce<T extends KubernetesObject>(
    watch: Watch,
    path: string,
    query: Record<string, string>,
    store: ObjectStore<T>,
    stopped: AbortSignal,
): Promise<void> {
    const initialList = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };
    const over = Promise.withResolvers<void>();
    const end = () => over.resolve();
    stopped.addEventListener("abort", end);
    const connection = watch.watch(path, { ...query, ...initialList }, store.startList(), end).catch(end);
    await over.promise;
    stopped.removeEventListener("abort", end);
    (await connection)?.abort();
}

/** The objects that a watch has reported. */
class ObjectStore<T extends KubernetesObject> {
    readonly #objects = new Map<string, T>();
    readonly #changed: Listener<T>;
    readonly #synced = Promise.withResolvers<void>();

    constructor(changed: Listener<T>) {
        this.#changed = changed;
    }

    get synced(): Promise<void> {
        return this.#synced.promise;
    }

    get(key: string): T | undefined {
        return this.#objects.get(key);
    }

    /** @returns the handler for the events of one connection, which begin with the list of all objects */
    startList(): (phase: string, object: T) => void {
        const seen = new Set<string>();
        let listed = false;
        return (phase, object) => {
            const key = keyOf(object.metadata?.namespace, object.metadata?.name);
            if (phase === "DELETED") this.#remove(key);
            if (phase === "ADDED" || phase === "MODIFIED") {
                if (!listed) seen.add(key);
                this.#put(key, object);
            }
            if (phase === "BOOKMARK" && object.metadata?.annotations?.[END_OF_LIST] === "true") {
                listed = true;
                // Objects that were deleted while there was no connection.
                for (const known of [...this.#objects.keys()]) if (!seen.has(known)) this.#remove(known);
                this.#synced.resolve();
            }
        };
    }

    #put(key: string, object: T): void {
        if (this.#objects.get(key)?.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
        this.#objects.set(key, object);
        this.#changed(key, object);
    }

    #remove(key: string): void {
        if (this.#objects.delete(key)) this.#changed(key, undefined);
    }
}

export function keyOf(namespace = "", name = ""): string {
    return `${namespace}/${name}`;
}

/** All Secrets and ConfigMaps of a cluster. The lab's kubelets share one watch, where a real kubelet watches only those of its own pods. */
export interface ClusterObjects extends Lookup {
    readonly synced: Promise<unknown>;
    /**
     * Calls `listener` for every change, with the namespace and `secret/<name>` or `configMap/<name>`.
     *
     * @returns removes the listener
     */
    onChange(listener: (namespace: string, object: string) => void): () => void;
    stop(): void;
}

export function clusterObjects(config: KubeConfig): ClusterObjects {
    const listeners = new Set<(namespace: string, object: string) => void>();
    const notify = (kind: string) => (key: string) => {
        const [namespace = "", name = ""] = key.split("/");
        for (const listener of listeners) listener(namespace, `${kind}/${name}`);
    };
    const secrets = follow<V1Secret>(config, "/api/v1/secrets", {}, notify("secret"));
    const configMaps = follow<V1ConfigMap>(config, "/api/v1/configmaps", {}, notify("configMap"));
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

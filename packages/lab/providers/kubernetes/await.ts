import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "./client.ts";
import type { Collection } from "./collection.ts";
import { type KubernetesObject, metadataOf, nameOf } from "./objects.ts";
import { progress } from "./rollout.ts";

const POLL_MS = 500;

/** The object has not become what was waited for; `live` is how it was last seen. */
export class AwaitError extends Error {
    readonly live: KubernetesObject;
    readonly reasons: string[];
    constructor(message: string, live: KubernetesObject, reasons: string[] = []) {
        super(message);
        this.live = live;
        this.reasons = reasons;
    }
}

interface Wait {
    seconds: number;
    signal: AbortSignal;
    /** Told when there is something new to tell. */
    onStatus(message: string): void;
}

/** Waits until a workload has rolled out. Other objects are ready at once. @throws AwaitError when it does not in time, or will not */
export async function rolledOut(collection: Collection, made: KubernetesObject, wait: Wait): Promise<KubernetesObject> {
    const end = Date.now() + wait.seconds * 1000;
    let live = made;
    let told = "";
    for (;;) {
        const state = progress(live);
        if (!state) return live;
        if (state.message !== told) wait.onStatus(state.message);
        told = state.message;
        if (state.done) return live;
        if (state.failed) throw new AwaitError(`'${nameOf(live)}' failed: ${state.message}`, live, [state.message]);
        if (Date.now() >= end) throw new AwaitError(`'${nameOf(live)}' timed out waiting to be Ready`, live, [state.message]);
        await pause(live, wait.signal);
        live = await collection.get(nameOf(made));
    }
}

/** Waits until an object is gone, with all that depends on it. @throws AwaitError when it is not in time */
export async function gone(collection: Collection, deleted: KubernetesObject, wait: Wait): Promise<void> {
    const end = Date.now() + wait.seconds * 1000;
    for (;;) {
        const live = await collection.get(nameOf(deleted)).catch(ignoreMissing);
        const { uid } = metadataOf(deleted);
        // One that has been made since under the same name is another.
        if (!live || (uid && metadataOf(live).uid !== uid)) return;
        if (Date.now() >= end) throw new AwaitError(`'${nameOf(deleted)}' timed out waiting to be deleted`, live);
        await pause(live, wait.signal);
    }
}

async function pause(live: KubernetesObject, signal: AbortSignal): Promise<void> {
    try {
        await sleep(POLL_MS, undefined, { signal });
    } catch {
        throw new AwaitError(`Resource operation was cancelled for "${nameOf(live)}"`, live);
    }
}

export function ignoreMissing(error: unknown): undefined {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
}

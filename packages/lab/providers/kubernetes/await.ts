import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "./client.ts";
import type { Collection } from "./collection.ts";
import { type KubernetesObject, metadataOf, nameOf } from "./objects.ts";
import { progress } from "./rollout.ts";

const POLL_MS = 500;

/** A wait failed; `live` is the object's last known state. */
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
    /** Called whenever the status changes. */
    onStatus(message: string): void;
}

/**
 * Waits until a workload has rolled out. Other objects are ready at once.
 *
 * @throws AwaitError on a timeout, and for a failed rollout
 */
export async function waitForRollout(collection: Collection, created: KubernetesObject, wait: Wait): Promise<KubernetesObject> {
    const deadline = Date.now() + wait.seconds * 1000;
    let live = created;
    let reported = "";
    for (;;) {
        const state = progress(live);
        if (!state) return live;
        if (state.message !== reported) wait.onStatus(state.message);
        reported = state.message;
        if (state.done) return live;
        if (state.failed) throw new AwaitError(`'${nameOf(live)}' failed: ${state.message}`, live, [state.message]);
        if (Date.now() >= deadline) throw new AwaitError(`'${nameOf(live)}' timed out waiting to be Ready`, live, [state.message]);
        await pause(live, wait.signal);
        live = await collection.get(nameOf(created));
    }
}

/**
 * Waits until an object and its dependents are deleted.
 *
 * @throws AwaitError on a timeout
 */
export async function waitForDeletion(collection: Collection, deleted: KubernetesObject, wait: Wait): Promise<void> {
    const deadline = Date.now() + wait.seconds * 1000;
    for (;;) {
        const live = await collection.get(nameOf(deleted)).catch(ignoreMissing);
        const { uid } = metadataOf(deleted);
        // Another uid: a new object with the same name.
        if (!live || (uid && metadataOf(live).uid !== uid)) return;
        if (Date.now() >= deadline) throw new AwaitError(`'${nameOf(deleted)}' timed out waiting to be deleted`, live);
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

import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ApiException, type CoreV1Api, PatchStrategy, setHeaderOptions, type V1Pod, type V1PodStatus } from "@kubernetes/client-node";
import { type PodFacts, podStatus } from "./status.ts";

const RETRY_MILLISECONDS = 500;
/** Changes within this time are written together. */
const BATCH_MILLISECONDS = 20;

/**
 * Writes the status of one pod to the API server.
 *
 * Retries until the API server has the status or the node is powered off, so that a restart of the API server loses no status.
 */
export class StatusWriter {
    readonly #core: CoreV1Api;
    readonly #pod: () => V1Pod;
    readonly #facts: PodFacts;
    readonly #poweredOff: AbortSignal;
    #sent: V1PodStatus | undefined;
    #dirty = false;
    #writing: Promise<void> | undefined;

    /** @param facts read at every write */
    constructor(core: CoreV1Api, pod: () => V1Pod, facts: PodFacts, poweredOff: AbortSignal) {
        this.#core = core;
        this.#pod = pod;
        this.#facts = facts;
        this.#poweredOff = poweredOff;
    }

    /** Call whenever the facts have changed. */
    changed(): void {
        if (this.#poweredOff.aborted) return;
        this.#dirty = true;
        this.#writing ??= this.#write().finally(() => {
            this.#writing = undefined;
            if (this.#dirty) this.changed();
        });
    }

    /** Resolves when every change has been written, or the pod does not exist any more. */
    async flushed(): Promise<void> {
        await this.#writing;
    }

    async #write(): Promise<void> {
        await sleep(BATCH_MILLISECONDS);
        while (this.#dirty && !this.#poweredOff.aborted) {
            this.#dirty = false;
            const { name = "", namespace = "", uid } = this.#pod().metadata ?? {};
            const status = podStatus(this.#pod(), this.#facts, new Date(), this.#sent?.conditions);
            if (isDeepStrictEqual(status, this.#sent)) continue;
            // A merge patch leaves fields alone that it does not mention: only null removes a message.
            const body = { metadata: { uid }, status: { ...status, message: status.message ?? null } };
            const headers = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
            try {
                await this.#core.patchNamespacedPodStatus({ name, namespace, body }, headers);
                this.#sent = status;
            } catch (error) {
                // 409: the uid differs, because another pod of the same name has replaced this one.
                if (error instanceof ApiException && (error.code === 404 || error.code === 409)) return;
                this.#dirty = true;
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }
}

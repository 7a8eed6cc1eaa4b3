import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ApiException, type CoreV1Api, PatchStrategy, setHeaderOptions, type V1Pod, type V1PodStatus } from "@kubernetes/client-node";
import { type PodFacts, podStatus } from "../containers/status.ts";

const RETRY_MILLISECONDS = 500;
/** Changes that come together go together. */
const GATHER_MILLISECONDS = 20;

/** Tells the API server of one pod. */
export interface StatusWriter {
    /** What it tells has changed. */
    changed(): void;
    /** Resolves once all that has changed is told, or the pod is gone. */
    told(): Promise<void>;
}

/** Tells again and again until it is told, or the node is off: an API server that restarts loses no status. */
export function statusWriter(core: CoreV1Api, pod: () => V1Pod, facts: PodFacts, off: AbortSignal): StatusWriter {
    let sent: V1PodStatus | undefined;
    let dirty = false;
    let busy: Promise<void> | undefined;

    async function log(): Promise<void> {
        await sleep(GATHER_MILLISECONDS);
        while (dirty && !off.aborted) {
            dirty = false;
            const { name = "", namespace = "", uid } = pod().metadata ?? {};
            const status = podStatus(pod(), facts, new Date(), sent?.conditions);
            if (isDeepStrictEqual(status, sent)) continue;
            // A merge leaves what is not mentioned; null takes a message away.
            const body = { metadata: { uid }, status: { ...status, message: status.message ?? null } };
            try {
                await core.patchNamespacedPodStatus({ name, namespace, body }, setHeaderOptions("Content-Type", PatchStrategy.MergePatch));
                sent = status;
            } catch (error) {
                // Of another uid: a pod of the same name has taken its place.
                if (error instanceof ApiException && (error.code === 404 || error.code === 409)) return;
                dirty = true;
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }
    function changed(): void {
        if (off.aborted) return;
        dirty = true;
        busy ??= log().finally(() => {
            busy = undefined;
            if (dirty) changed();
        });
    }
    return { changed, told: async () => busy };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { V1LifecycleHandler, V1Probe } from "@kubernetes/client-node";
import { ask, type Probed, type Prober, watchProbe } from "./probes.ts";

const HOOK_SECONDS = 60;

/** A container that runs, and how it is asked. */
export interface Attended extends Probed {
    prober: Prober;
}

/** What is told of it. */
export interface Told {
    /** Its hook has run, its startup probe has passed. */
    started(): void;
    ready(ready: boolean): void;
    /** It must be ended, for this reason. */
    unwell(reason: string): void;
}

/** Runs the hook of a container that has been started, then its probes, until aborted. */
export async function attend(attended: Attended, told: Told, signal: AbortSignal): Promise<void> {
    const { lifecycle, startupProbe, livenessProbe, readinessProbe } = attended.container;
    if (lifecycle?.postStart) {
        const why = await runHook(lifecycle.postStart, attended).catch((error) => (error instanceof Error ? error.message : String(error)));
        if (why) return told.unwell(`postStart hook failed: ${why}`);
    }
    const watch = (probe: V1Probe, verdict: (well: boolean, why: string) => void, until: AbortSignal) =>
        watchProbe(probe, () => ask(probe, attended, attended.prober), verdict, until);
    if (startupProbe) {
        const decided = new AbortController();
        let passed = false;
        const verdict = (well: boolean, why: string) => {
            passed = well;
            if (!well) told.unwell(`startup probe failed: ${why}`);
            decided.abort();
        };
        await watch(startupProbe, verdict, AbortSignal.any([signal, decided.signal]));
        if (!passed) return;
    }
    if (signal.aborted) return;
    if (!readinessProbe) told.ready(true);
    told.started();
    await Promise.all([
        livenessProbe && watch(livenessProbe, (well, why) => well || told.unwell(`liveness probe failed: ${why}`), signal),
        readinessProbe && watch(readinessProbe, told.ready, signal),
    ]);
}

/** @throws Error with the reason when it fails */
export async function runHook({ exec, httpGet, tcpSocket, sleep: rest }: V1LifecycleHandler, attended: Attended): Promise<undefined> {
    if (rest) await sleep(rest.seconds * 1000);
    else await ask({ exec, httpGet, tcpSocket, timeoutSeconds: HOOK_SECONDS }, attended, attended.prober);
}

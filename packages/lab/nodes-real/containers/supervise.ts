import { setTimeout as sleep } from "node:timers/promises";
import type { V1LifecycleHandler, V1Probe } from "@kubernetes/client-node";
import { type Prober, type ProbeTarget, runProbe, watchProbe } from "./probes.ts";

const HOOK_TIMEOUT_SECONDS = 60;

/** A running container, and how to probe it. */
export interface Supervised extends ProbeTarget {
    prober: Prober;
}

export interface SupervisionEvents {
    /** The postStart hook has run and the startup probe has passed. */
    started(): void;
    ready(ready: boolean): void;
    /** The container must be ended, for this reason. */
    unhealthy(reason: string): void;
}

/** Runs the postStart hook of a container, then its probes, until aborted. */
export async function supervise(supervised: Supervised, events: SupervisionEvents, signal: AbortSignal): Promise<void> {
    const { lifecycle, startupProbe, livenessProbe, readinessProbe } = supervised.container;
    if (lifecycle?.postStart) {
        const failure = await runHook(lifecycle.postStart, supervised).catch((error) =>
            error instanceof Error ? error.message : String(error),
        );
        if (failure) return events.unhealthy(`postStart hook failed: ${failure}`);
    }
    const watch = (probe: V1Probe, onChange: (passing: boolean, why: string) => void, until: AbortSignal) =>
        watchProbe(probe, () => runProbe(probe, supervised, supervised.prober), onChange, until);
    if (startupProbe) {
        const decided = new AbortController();
        let passed = false;
        const onChange = (passing: boolean, why: string) => {
            passed = passing;
            if (!passing) events.unhealthy(`startup probe failed: ${why}`);
            decided.abort();
        };
        await watch(startupProbe, onChange, AbortSignal.any([signal, decided.signal]));
        if (!passed) return;
    }
    if (signal.aborted) return;
    if (!readinessProbe) events.ready(true);
    events.started();
    await Promise.all([
        livenessProbe && watch(livenessProbe, (passing, why) => passing || events.unhealthy(`liveness probe failed: ${why}`), signal),
        readinessProbe && watch(readinessProbe, events.ready, signal),
    ]);
}

/** @throws Error with the reason when the hook fails */
export async function runHook({ exec, httpGet, tcpSocket, sleep: pause }: V1LifecycleHandler, supervised: Supervised): Promise<undefined> {
    if (pause) await sleep(pause.seconds * 1000);
    else await runProbe({ exec, httpGet, tcpSocket, timeoutSeconds: HOOK_TIMEOUT_SECONDS }, supervised, supervised.prober);
}

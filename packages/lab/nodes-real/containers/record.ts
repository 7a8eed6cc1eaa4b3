/** How a container ended. */
export interface Terminated {
    phase: "terminated";
    exitCode: number;
    reason: string;
    message?: string;
    startedAt: Date;
    finishedAt: Date;
}

/** The state of a container, as in its status. */
export type ContainerPhase = { phase: "waiting"; reason: string; message?: string } | { phase: "running"; startedAt: Date } | Terminated;

/** What the kubelet knows of one container. */
export interface ContainerRecord {
    now: ContainerPhase;
    last?: Terminated;
    restarts: number;
    /** The startup probe has passed and the postStart hook has run. */
    started: boolean;
    /** The readiness probe passes. */
    ready: boolean;
    id?: string;
}

/** Whether a container that has ended is started again. */
export function shouldRestart(policy: string | undefined, exitCode: number): boolean {
    return policy === "Never" ? false : policy === "OnFailure" ? exitCode !== 0 : true;
}

const LONGEST_BACKOFF_FACTOR = 30;

/**
 * Milliseconds that the kubelet waits before it restarts a container: 0 after the first crash, then `base`, doubled each time up to 30 times `base`.
 * With the kubelet's own base of 10 s the maximum is five minutes.
 *
 * @param crashes number of crashes in a row
 */
export function backOff(crashes: number, base: number): number {
    return crashes <= 1 ? 0 : Math.min(base * 2 ** (crashes - 2), base * LONGEST_BACKOFF_FACTOR);
}

import type { V1ContainerState, V1ContainerStatus, V1Pod, V1PodCondition, V1PodStatus } from "@kubernetes/client-node";

export interface Terminated {
    phase: "terminated";
    exitCode: number;
    reason: string;
    message?: string;
    startedAt: Date;
    finishedAt: Date;
}

export type ContainerPhase = { phase: "waiting"; reason: string; message?: string } | { phase: "running"; startedAt: Date } | Terminated;

/** What the kubelet knows of one container. */
export interface ContainerRecord {
    now: ContainerPhase;
    last?: Terminated;
    restarts: number;
    /** Its startup probe has passed, and its postStart hook has run. */
    started: boolean;
    /** Its readiness probe passes. */
    ready: boolean;
    id?: string;
}

/** What the kubelet knows of a pod. */
export interface PodFacts {
    hostAddress: string;
    podAddress?: string;
    startTime: Date;
    /** By name; init containers among them. */
    records: ReadonlyMap<string, ContainerRecord>;
    /** The pod as a whole has ended, and how. */
    outcome?: "Succeeded" | "Failed";
    /** Why it does not get on. */
    message?: string;
}

/** The kubelet's own conditions; others stand beside them. */
const OWN = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"];

/**
 * The pod's status.
 *
 * @param now when conditions that change have changed
 * @param reported the conditions as last reported, which the pod may not show yet
 */
export function podStatus(pod: V1Pod, facts: PodFacts, now: Date, reported = pod.status?.conditions): V1PodStatus {
    const { spec, status: before, metadata } = pod;
    const record = (name: string) => facts.records.get(name) ?? CREATING;
    const inits = spec?.initContainers ?? [];
    const containers = spec?.containers ?? [];
    const sidecar = (name: string) => inits.some((init) => init.name === name && init.restartPolicy === "Always");
    const initialized = inits.every(({ name }) => {
        const { now, started } = record(name);
        return sidecar(name) ? started : now.phase === "terminated" && now.exitCode === 0;
    });
    const unready = [...inits.filter(({ name }) => sidecar(name)), ...containers].filter(({ name }) => !record(name).ready);
    const allReady = initialized && unready.length === 0 && !facts.outcome;
    const gates = (spec?.readinessGates ?? []).every(({ conditionType }) =>
        before?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
    );
    const notReady = facts.outcome
        ? { reason: facts.outcome === "Succeeded" ? "PodCompleted" : "PodFailed" }
        : { reason: "ContainersNotReady", message: `containers with unready status: [${unready.map(({ name }) => name).join(" ")}]` };
    const conditions = [
        condition("PodReadyToStartContainers", facts.podAddress !== undefined && !facts.outcome),
        condition("Initialized", initialized, { reason: "ContainersNotInitialized" }),
        condition("ContainersReady", allReady, notReady),
        condition("Ready", allReady && gates, allReady ? { reason: "ReadinessGatesNotReady" } : notReady),
    ];
    const running = [...facts.records.values()].some(({ now, restarts }) => now.phase !== "waiting" || restarts > 0);
    return {
        phase: facts.outcome ?? (initialized && running ? "Running" : "Pending"),
        conditions: [...(before?.conditions ?? []).filter(({ type }) => !OWN.includes(type)), ...conditions],
        hostIP: facts.hostAddress,
        hostIPs: [{ ip: facts.hostAddress }],
        ...(facts.podAddress && { podIP: facts.podAddress, podIPs: [{ ip: facts.podAddress }] }),
        startTime: facts.startTime,
        qosClass: before?.qosClass,
        observedGeneration: metadata?.generation,
        ...(inits.length > 0 && { initContainerStatuses: inits.map(({ name, image }) => containerStatus(name, image, record(name))) }),
        containerStatuses: containers.map(({ name, image }) => containerStatus(name, image, record(name))),
        message: facts.message,
    };

    function condition(type: string, holds: boolean, why: { reason?: string; message?: string } = {}): V1PodCondition {
        const status = holds ? "True" : "False";
        const old = reported?.find((one) => one.type === type);
        return {
            type,
            status,
            lastTransitionTime: old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : now,
            ...(!holds && why),
            observedGeneration: metadata?.generation,
        };
    }
}

const CREATING: ContainerRecord = { now: { phase: "waiting", reason: "PodInitializing" }, restarts: 0, started: false, ready: false };

function containerStatus(name: string, image = "", { now, last, restarts, started, ready, id }: ContainerRecord): V1ContainerStatus {
    const containerID = id ? `crun://${id}` : undefined;
    return {
        name,
        image,
        imageID: "",
        containerID,
        ready,
        started,
        restartCount: restarts,
        state: stateOf(now, containerID),
        lastState: last ? stateOf(last, containerID) : {},
    };
}

function stateOf(phase: ContainerPhase, containerID: string | undefined): V1ContainerState {
    if (phase.phase === "waiting") return { waiting: { reason: phase.reason, message: phase.message } };
    if (phase.phase === "running") return { running: { startedAt: phase.startedAt } };
    const { exitCode, reason, message, startedAt, finishedAt } = phase;
    return { terminated: { exitCode, reason, message, startedAt, finishedAt, containerID } };
}

/** Whether a container that has ended is started again. */
export function restarts(policy: string | undefined, exitCode: number): boolean {
    return policy === "Never" ? false : policy === "OnFailure" ? exitCode !== 0 : true;
}

const LONGEST_BACKOFF_FACTOR = 30;

/**
 * How long the kubelet waits before it starts a container again, milliseconds: the first time not at all, then `base`, doubled each time, at most 30 times
 * `base`: with the kubelet's own of 10 s, five minutes.
 *
 * @param crashes times that it ended in a row
 */
export function backOff(crashes: number, base: number): number {
    return crashes <= 1 ? 0 : Math.min(base * 2 ** (crashes - 2), base * LONGEST_BACKOFF_FACTOR);
}

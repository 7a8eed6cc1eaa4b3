import type { V1ContainerState, V1ContainerStatus, V1Pod, V1PodCondition, V1PodStatus } from "@kubernetes/client-node";
import type { ContainerPhase, ContainerRecord } from "../containers/record.ts";

/** What the kubelet knows of a pod. */
export interface PodFacts {
    hostAddress: string;
    podAddress?: string;
    startTime: Date;
    /** Containers and init containers, by name. */
    records: ReadonlyMap<string, ContainerRecord>;
    /** How the pod as a whole ended; undefined while it runs. */
    outcome?: "Succeeded" | "Failed";
    /** Why the pod does not make progress. */
    message?: string;
}

/** The conditions that the kubelet owns. Those of other writers are left alone. */
const KUBELET_CONDITIONS = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"];

/** A container that has not been started. */
const CREATING: ContainerRecord = { now: { phase: "waiting", reason: "PodInitializing" }, restarts: 0, started: false, ready: false };

/**
 * The pod's status.
 *
 * @param now the time of conditions that change
 * @param reported the conditions as last reported, which the pod object may not have yet
 */
export function podStatus(pod: V1Pod, facts: PodFacts, now: Date, reported = pod.status?.conditions): V1PodStatus {
    const { spec, status: before, metadata } = pod;
    const inits = spec?.initContainers ?? [];
    const statusOf = ({ name, image }: { name: string; image?: string }) => containerStatus(name, image, recordOf(facts, name));
    const { initialized, conditions } = kubeletConditions(pod, facts);
    const running = [...facts.records.values()].some(({ now, restarts }) => now.phase !== "waiting" || restarts > 0);
    return {
        phase: facts.outcome ?? (initialized && running ? "Running" : "Pending"),
        conditions: [
            ...(before?.conditions ?? []).filter(({ type }) => !KUBELET_CONDITIONS.includes(type)),
            ...conditions.map((condition) => timed(condition, reported, now)),
        ],
        hostIP: facts.hostAddress,
        hostIPs: [{ ip: facts.hostAddress }],
        ...(facts.podAddress && { podIP: facts.podAddress, podIPs: [{ ip: facts.podAddress }] }),
        startTime: facts.startTime,
        qosClass: before?.qosClass,
        observedGeneration: metadata?.generation,
        ...(inits.length > 0 && { initContainerStatuses: inits.map(statusOf) }),
        containerStatuses: (spec?.containers ?? []).map(statusOf),
        message: facts.message,
    };
}

function recordOf({ records }: PodFacts, name: string): ContainerRecord {
    return records.get(name) ?? CREATING;
}

/** The kubelet's conditions, without the time at which they changed. */
function kubeletConditions(pod: V1Pod, facts: PodFacts): { initialized: boolean; conditions: V1PodCondition[] } {
    const { spec, status, metadata } = pod;
    const inits = spec?.initContainers ?? [];
    const sidecars = inits.filter(({ restartPolicy }) => restartPolicy === "Always");
    const initialized = inits.every((init) => {
        const { now, started } = recordOf(facts, init.name);
        return sidecars.includes(init) ? started : now.phase === "terminated" && now.exitCode === 0;
    });
    const unready = [...sidecars, ...(spec?.containers ?? [])].filter(({ name }) => !recordOf(facts, name).ready);
    const allReady = initialized && unready.length === 0 && !facts.outcome;
    const gatesPass = (spec?.readinessGates ?? []).every(({ conditionType }) =>
        status?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
    );
    const notReady = facts.outcome
        ? { reason: facts.outcome === "Succeeded" ? "PodCompleted" : "PodFailed" }
        : { reason: "ContainersNotReady", message: `containers with unready status: [${unready.map(({ name }) => name).join(" ")}]` };
    const condition = (type: string, holds: boolean, why: { reason?: string; message?: string } = {}): V1PodCondition => ({
        type,
        status: holds ? "True" : "False",
        ...(!holds && why),
        observedGeneration: metadata?.generation,
    });
    return {
        initialized,
        conditions: [
            condition("PodReadyToStartContainers", facts.podAddress !== undefined && !facts.outcome),
            condition("Initialized", initialized, { reason: "ContainersNotInitialized" }),
            condition("ContainersReady", allReady, notReady),
            condition("Ready", allReady && gatesPass, allReady ? { reason: "ReadinessGatesNotReady" } : notReady),
        ],
    };
}

/** The condition with the time of its last change: `now`, unless its status is as last reported. */
function timed(condition: V1PodCondition, reported: readonly V1PodCondition[] | undefined, now: Date): V1PodCondition {
    const old = reported?.find(({ type }) => type === condition.type);
    const unchanged = old?.status === condition.status && old.lastTransitionTime;
    return { ...condition, lastTransitionTime: unchanged ? old.lastTransitionTime : now };
}

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

import { isProperties, type Properties } from "../values.ts";
import type { KubernetesObject } from "./objects.ts";

/** The state of a rollout, by the rules of kstatus, which the real provider uses. */
interface Progress {
    done: boolean;
    /** The rollout cannot succeed without a change. */
    failed?: boolean;
    message: string;
}

/** Kinds with a rollout. Others are ready once the API server has them, also jobs, load balancers and claims, for which the real provider waits. */
const ROLLOUTS: Record<string, (spec: Properties, status: Properties) => Progress> = {
    DaemonSet: daemonSet,
    Deployment: deployment,
    StatefulSet: statefulSet,
};

/** The progress of an object; undefined for kinds without a rollout. */
export function progress(object: KubernetesObject): Progress | undefined {
    const rollout = ROLLOUTS[String(object.kind)];
    if (!rollout) return undefined;
    const [metadata, spec, status] = [object.metadata, object.spec, object.status].map((part) => (isProperties(part) ? part : {}));
    const [generation, observed] = [number(metadata?.generation), number(status?.observedGeneration, -1)];
    if (observed < generation)
        return { done: false, message: `${object.kind} generation is ${generation}, but latest observed generation is ${observed}` };
    return rollout(spec ?? {}, status ?? {});
}

function daemonSet(_: Properties, status: Properties): Progress {
    const desired = number(status.desiredNumberScheduled, -1);
    if (desired === -1) return { done: false, message: "Missing .status.desiredNumberScheduled" };
    return (
        behind("Current", number(status.currentNumberScheduled), desired) ??
        behind("Updated", number(status.updatedNumberScheduled), desired) ??
        behind("Available", number(status.numberAvailable), desired) ??
        behind("Ready", number(status.numberReady), desired) ?? {
            done: true,
            message: `All replicas scheduled as expected. Replicas: ${desired}`,
        }
    );
}

function deployment(spec: Properties, status: Properties): Progress {
    const desired = number(spec.replicas, 1);
    const conditions = (Array.isArray(status.conditions) ? status.conditions : []).filter(isProperties);
    const condition = (type: string) => conditions.find((candidate) => candidate.type === type);
    const progressing = condition("Progressing");
    if (progressing?.reason === "ProgressDeadlineExceeded")
        return { done: false, failed: true, message: String(progressing.message ?? "Progress deadline exceeded") };
    const [replicas, updated] = [number(status.replicas), number(status.updatedReplicas)];
    const waiting =
        behind("replicas", replicas, desired) ??
        behind("Updated", updated, desired) ??
        (replicas > desired ? { done: false, message: `Pending termination: ${replicas - desired}` } : undefined) ??
        behind("Available", number(status.availableReplicas), updated) ??
        behind("Ready", number(status.readyReplicas), desired);
    if (waiting) return waiting;
    if (condition("Available")?.status !== "True") return { done: false, message: "Deployment not Available" };
    return { done: true, message: `Deployment is available. Replicas: ${replicas}` };
}

function statefulSet(spec: Properties, status: Properties): Progress {
    const desired = number(spec.replicas, 1);
    const waiting = behind("Replicas", number(status.replicas), desired) ?? behind("Ready", number(status.readyReplicas), desired);
    if (waiting) return waiting;
    if (status.updateRevision && status.currentRevision !== status.updateRevision)
        return { done: false, message: "Waiting for the new revision" };
    return { done: true, message: `All replicas scheduled as expected. Replicas: ${desired}` };
}

function behind(what: string, have: number, want: number): Progress | undefined {
    return have < want ? { done: false, message: `${what}: ${have}/${want}` } : undefined;
}

function number(value: unknown, missing = 0): number {
    return typeof value === "number" ? value : missing;
}

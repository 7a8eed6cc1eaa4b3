import type { EngineEvent } from "../engine/driver.ts";

/** An operation on a resource, in progress or just finished. */
export interface Work {
    urn: string;
    op: string;
    /** Seconds since 1970. */
    since: number;
    /** The resource's last status message, such as what it waits for. */
    status?: string;
}

/** Progress of the operation on one stack. */
export interface Progress {
    /** Start and end, in seconds since 1970. */
    began?: number;
    ended?: number;
    active: ReadonlyMap<string, Work>;
    /** Number of resources that were changed. */
    done: number;
    /** URNs of all resources processed, changed or not. */
    seen: ReadonlySet<string>;
    /** URNs of the resources that failed. */
    failed: readonly string[];
    /** Whether there was an error, of a resource or of the run itself, such as a cancellation or a failing program. */
    broken: boolean;
    /** The operation that the last event finished, if any. */
    finished?: { work: Work; seconds: number; failed: boolean };
    /** The message of the last event, if any: an error, a warning, or a line of output. */
    message?: { severity: string; text: string };
}

export const START: Progress = { active: new Map(), done: 0, seen: new Set(), failed: [], broken: false };

/** Operations that do not change the resource. */
const READING = ["same", "read", "refresh"];

/** The engine creates default providers for itself, and does not count them. */
const DEFAULT_PROVIDER = /::pulumi:providers:[\w-]+::default(_|$)/;

/** The progress after one more engine event. Pure. */
export function advance({ began, ended, active, done, seen, failed, broken }: Progress, event: EngineEvent): Progress {
    const next: Progress = { began: began ?? event.timestamp, ...(ended !== undefined && { ended }), active, done, seen, failed, broken };
    // Operations that were running when the run was cancelled have no event for their end.
    if (event.summaryEvent || event.cancelEvent) return { ...next, active: new Map(), ended: event.timestamp };
    const started = event.resourcePreEvent?.metadata;
    if (started && DEFAULT_PROVIDER.test(started.urn)) return next;
    if (started && started.op !== "same") {
        return { ...next, active: new Map(active).set(started.urn, { urn: started.urn, op: started.op, since: event.timestamp }) };
    }
    const outcome = event.resOutputsEvent?.metadata ?? event.resOpFailedEvent?.metadata;
    if (outcome && !DEFAULT_PROVIDER.test(outcome.urn)) next.seen = new Set(seen).add(outcome.urn);
    const work = outcome && active.get(outcome.urn);
    if (work) return finish(next, work, event);
    return event.diagnosticEvent ? withMessage(next, event.diagnosticEvent) : next;
}

function finish(progress: Progress, work: Work, { timestamp, resOpFailedEvent }: EngineEvent): Progress {
    const active = new Map(progress.active);
    active.delete(work.urn);
    const failed = resOpFailedEvent !== undefined;
    const next = { ...progress, active, finished: { work, seconds: timestamp - work.since, failed } };
    if (failed) return { ...next, failed: [...progress.failed, work.urn] };
    return { ...next, done: READING.includes(work.op) ? progress.done : progress.done + 1 };
}

function withMessage(progress: Progress, { message, urn, severity, ephemeral }: NonNullable<EngineEvent["diagnosticEvent"]>): Progress {
    const text = withoutColors(message);
    const next = { ...progress };
    const work = urn ? progress.active.get(urn) : undefined;
    const status = text.trim().split("\n").at(-1);
    if (work && status) next.active = new Map(progress.active).set(work.urn, { ...work, status });
    if (severity === "error") next.broken = true;
    // Ephemeral messages are status updates for a display: a log would have thousands.
    return ephemeral ? next : { ...next, message: { severity, text } };
}

/** A line for a log about what the last event brought: "12 s  cluster1  created aws:ec2/vpc:Vpc cluster1 (3 s)"; undefined if that was nothing. */
export function logLine(stack: string, { finished, message }: Progress, elapsedSeconds: number): string | undefined {
    const prefix = `${String(Math.round(elapsedSeconds)).padStart(4)} s  ${stack.padEnd(9)} `;
    if (message)
        return message.text
            .trimEnd()
            .split("\n")
            .map((line) => `${prefix}${message.severity.startsWith("info") ? "" : `${message.severity}: `}${line}`)
            .join("\n");
    if (!finished) return undefined;
    const { work, seconds, failed } = finished;
    const verb = failed ? `failed to ${work.op}` : (PAST[work.op] ?? work.op);
    return `${prefix}${verb} ${describeUrn(work.urn)}${seconds >= 1 ? ` (${seconds} s)` : ""}`;
}

const PAST: Record<string, string> = {
    create: "created",
    update: "updated",
    delete: "deleted",
    read: "read",
    refresh: "refreshed",
    replace: "replaced",
    "create-replacement": "created replacement",
    "delete-replaced": "deleted replaced",
    import: "imported",
};

/** Type and name of a resource: "aws:ec2/vpc:Vpc cluster1". */
export function describeUrn(urn: string): string {
    const [, , types = "", ...name] = urn.split("::");
    return `${types.split("$").pop()} ${name.join("::")}`;
}

/** Removes the engine's color marks. */
function withoutColors(text: string): string {
    return text.replace(/<\{%[^%]*%\}>/g, "");
}

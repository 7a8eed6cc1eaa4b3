import type { EngineEvent } from "../engine/driver.ts";

/** A resource that the engine is working on, or has just finished. */
export interface Work {
    urn: string;
    op: string;
    /** Seconds since 1970. */
    since: number;
    /** What it last said of itself: what it waits for. */
    says?: string;
}

/** Where the operation of one stack stands. */
export interface Progress {
    /** When it began and ended, seconds since 1970. */
    began?: number;
    ended?: number;
    active: ReadonlyMap<string, Work>;
    /** Resources that were changed. */
    done: number;
    /** URNs of all that were looked at, changed or not. */
    seen: ReadonlySet<string>;
    failed: readonly string[];
    /** Whether an error was told, of a resource or of the run itself: that it was cancelled, or that the program failed. */
    broken: boolean;
    /** What the last event finished, if it did. */
    finished?: { work: Work; seconds: number; failed: boolean };
    /** What the last event had to say: an error, a warning, or a line of a program that it ran. */
    said?: { severity: string; text: string };
}

export const START: Progress = { active: new Map(), done: 0, seen: new Set(), failed: [], broken: false };

/** What the engine does to a resource without changing it. */
const LOOKS = ["same", "read", "refresh"];

/** The engine makes them for itself, and leaves them out of its own counts. */
const DEFAULT_PROVIDER = /::pulumi:providers:[\w-]+::default(_|$)/;

/** Pure: one engine event in, the next picture out. */
export function advance({ began, ended, active, done, seen, failed, broken }: Progress, event: EngineEvent): Progress {
    const next: Progress = { began: began ?? event.timestamp, ...(ended !== undefined && { ended }), active, done, seen, failed, broken };
    // What was under way when it was given up has no end of its own.
    if (event.summaryEvent || event.cancelEvent) return { ...next, active: new Map(), ended: event.timestamp };
    const begins = event.resourcePreEvent?.metadata;
    if (begins && DEFAULT_PROVIDER.test(begins.urn)) return next;
    if (begins && begins.op !== "same") {
        return { ...next, active: new Map(active).set(begins.urn, { urn: begins.urn, op: begins.op, since: event.timestamp }) };
    }
    const ends = event.resOutputsEvent?.metadata ?? event.resOpFailedEvent?.metadata;
    if (ends && !DEFAULT_PROVIDER.test(ends.urn)) next.seen = new Set(seen).add(ends.urn);
    const work = ends && active.get(ends.urn);
    if (work) {
        const left = new Map(active);
        left.delete(work.urn);
        const unfinished = event.resOpFailedEvent !== undefined;
        const finished = { work, seconds: event.timestamp - work.since, failed: unfinished };
        if (unfinished) return { ...next, active: left, failed: [...failed, work.urn], finished };
        return { ...next, active: left, done: LOOKS.includes(work.op) ? done : done + 1, finished };
    }
    const said = event.diagnosticEvent;
    if (!said) return next;
    const text = plain(said.message);
    const speaker = said.urn ? active.get(said.urn) : undefined;
    const line = text.trim().split("\n").at(-1);
    if (speaker && line) next.active = new Map(active).set(speaker.urn, { ...speaker, says: line });
    if (said.severity === "error") next.broken = true;
    // Ephemeral ones are drawn and gone again: a log would have thousands.
    return said.ephemeral ? next : { ...next, said: { severity: said.severity, text } };
}

/** "12 s  cluster1  created aws:ec2/vpc:Vpc cluster1 (3 s)": what the last event brought, for a log; undefined when that was nothing. */
export function logLine(stack: string, { finished, said }: Progress, elapsedSeconds: number): string | undefined {
    const prefix = `${String(Math.round(elapsedSeconds)).padStart(4)} s  ${stack.padEnd(9)} `;
    if (said)
        return said.text
            .trimEnd()
            .split("\n")
            .map((line) => `${prefix}${said.severity.startsWith("info") ? "" : `${said.severity}: `}${line}`)
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
    "create-replacement": "created anew",
    "delete-replaced": "deleted the old",
    import: "imported",
};

/** "aws:ec2/vpc:Vpc cluster1" of a URN. */
export function describeUrn(urn: string): string {
    const [, , types = "", ...name] = urn.split("::");
    return `${types.split("$").pop()} ${name.join("::")}`;
}

/** Without the engine's colour marks. */
function plain(text: string): string {
    return text.replace(/<\{%[^%]*%\}>/g, "");
}

import type { EngineEvent } from "./driver.ts";

/** A resource that the engine is working on, or has just finished. */
export interface Work {
    urn: string;
    op: string;
    /** Seconds since 1970. */
    since: number;
}

/** Where the operation of one stack stands. */
export interface Progress {
    active: ReadonlyMap<string, Work>;
    /** Resources that were changed. */
    done: number;
    /** Resources that were looked at and left as they are. */
    same: number;
    failed: readonly string[];
    /** What the last event finished, if it did. */
    finished?: { work: Work; seconds: number; failed: boolean };
    /** What the last event had to say: an error, a warning, or a line of a program that it ran. */
    said?: { severity: string; text: string };
}

export const START: Progress = { active: new Map(), done: 0, same: 0, failed: [] };

/** Pure: one engine event in, the next picture out. */
export function advance({ active, done, same, failed }: Progress, event: EngineEvent): Progress {
    const next: Progress = { active, done, same, failed };
    const begins = event.resourcePreEvent?.metadata;
    if (begins && begins.op !== "same") {
        return { ...next, active: new Map(active).set(begins.urn, { urn: begins.urn, op: begins.op, since: event.timestamp }) };
    }
    const ends = event.resOutputsEvent?.metadata ?? event.resOpFailedEvent?.metadata;
    if (ends?.op === "same") return { ...next, same: same + 1 };
    const work = ends && active.get(ends.urn);
    if (work) {
        const left = new Map(active);
        left.delete(work.urn);
        const broken = event.resOpFailedEvent !== undefined;
        const finished = { work, seconds: event.timestamp - work.since, failed: broken };
        return { active: left, same, done: broken ? done : done + 1, failed: broken ? [...failed, work.urn] : failed, finished };
    }
    const said = event.diagnosticEvent;
    // Ephemeral ones are drawn and gone again: a log would have thousands.
    if (said && !said.ephemeral) return { ...next, said: { severity: said.severity, text: plain(said.message) } };
    return next;
}

/** "12 s  cluster1  created aws:ec2/vpc:Vpc cluster1 (3 s)": what the last event brought, for a log; undefined when that was nothing. */
export function logLine(stack: string, { finished, said }: Progress, elapsedSeconds: number): string | undefined {
    const prefix = `${String(Math.round(elapsedSeconds)).padStart(4)} s  ${stack.padEnd(10)}`;
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

import { readdirSync, readFileSync } from "node:fs";

/** A process of this machine. */
export interface ProcessRow {
    pid: number;
    parent: number;
    /** The program's name, its first 15 letters. */
    name: string;
}

/** All processes that run, as Linux's /proc tells them. */
export function processTable(): ProcessRow[] {
    return readdirSync("/proc")
        .filter((entry) => /^\d+$/.test(entry))
        .flatMap((pid) => parseStat(readOrNothing(`/proc/${pid}/stat`)) ?? []);
}

/** A line of /proc/<pid>/stat; undefined for an empty one, of a process that has ended meanwhile. */
export function parseStat(line: string): ProcessRow | undefined {
    // Names may hold spaces and brackets: the last one ends it.
    const [, pid, name = "", parent] = /^(\d+) \((.*)\) \S (\d+) /s.exec(line) ?? [];
    return pid ? { pid: Number(pid), parent: Number(parent), name } : undefined;
}

/** The process and all that came of it, itself first. */
export function family(table: readonly ProcessRow[], root: number): ProcessRow[] {
    const own = table.find(({ pid }) => pid === root);
    return own ? [own, ...table.filter(({ parent }) => parent === root).flatMap(({ pid }) => family(table, pid))] : [];
}

/** Memory of a process, in bytes: what it has for itself, and its share of what it has together with others (proportional set size). 0 once it has ended. */
export function proportionalSize(pid: number): number {
    const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`))?.[1];
    return Number(kibibytes ?? 0) * 1024;
}

function readOrNothing(file: string): string {
    try {
        return readFileSync(file, "utf8");
    } catch {
        // It has ended since it was listed.
        return "";
    }
}

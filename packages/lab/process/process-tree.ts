import { readdirSync, readFileSync } from "node:fs";

/** A process on this machine. */
export interface ProcessRow {
    pid: number;
    parent: number;
    /** The program's name, cut to 15 characters. */
    name: string;
}

/** All running processes, read from Linux's /proc. */
export function processTable(): ProcessRow[] {
    return readdirSync("/proc")
        .filter((entry) => /^\d+$/.test(entry))
        .flatMap((pid) => parseStat(readOrNothing(`/proc/${pid}/stat`)) ?? []);
}

/** Parses the line of /proc/<pid>/stat. @returns undefined for an empty line: the process has ended meanwhile */
export function parseStat(line: string): ProcessRow | undefined {
    // A name may contain spaces and brackets; the last closing bracket ends it.
    const [, pid, name = "", parent] = /^(\d+) \((.*)\) \S (\d+) /s.exec(line) ?? [];
    return pid ? { pid: Number(pid), parent: Number(parent), name } : undefined;
}

/** The process, first, and all its descendants. */
export function family(table: readonly ProcessRow[], root: number): ProcessRow[] {
    const own = table.find(({ pid }) => pid === root);
    return own ? [own, ...table.filter(({ parent }) => parent === root).flatMap(({ pid }) => family(table, pid))] : [];
}

/** Proportional set size of a process, in bytes: its private memory and its share of shared memory. 0 once it has ended. */
export function proportionalSize(pid: number): number {
    const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`))?.[1];
    return Number(kibibytes ?? 0) * 1024;
}

function readOrNothing(file: string): string {
    try {
        return readFileSync(file, "utf8");
    } catch {
        // The process has ended since it was listed.
        return "";
    }
}

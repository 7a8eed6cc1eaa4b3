import { execFileSync } from "node:child_process";

/** npm forwards signals that the terminal has already sent to its script: two signals this close together are one Ctrl-C. */
const SAME_INTERRUPT_MILLISECONDS = 300;

/**
 * Handles SIGINT and SIGTERM, which then no longer end this process. The first aborts the returned signal: running operations end, and no further ones start.
 * Each later one is forwarded to the running engines, which stop at once.
 *
 * @param afterwards what the command does once running operations have ended, for the log
 */
export function catchInterrupts(log: (line: string) => void, afterwards = "no further ones start"): AbortSignal {
    const interrupted = new AbortController();
    let last = Number.NEGATIVE_INFINITY;
    const receive = (signal: NodeJS.Signals) => {
        const since = performance.now() - last;
        last = performance.now();
        if (since < SAME_INTERRUPT_MILLISECONDS) return;
        if (!interrupted.signal.aborted) {
            log(`${signal}: waiting for running operations to end, ${afterwards}; interrupt again to stop at once`);
            interrupted.abort(new Error(`interrupted by ${signal}`));
            return;
        }
        log(`${signal} again: stopping running operations`);
        for (const engine of engines()) process.kill(engine, "SIGINT");
    };
    process.on("SIGINT", receive);
    process.on("SIGTERM", receive);
    return interrupted.signal;
}

/** Process ids of the running engines that this process has started. */
function engines(): number[] {
    const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" }).split("\n");
    return rows.flatMap((row) => {
        const [, pid, parent, program = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
        return Number(parent) === process.pid && /(^|\/)pulumi$/.test(program) ? [Number(pid)] : [];
    });
}

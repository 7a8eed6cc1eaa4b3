import { execFileSync } from "node:child_process";

/** npm hands on to its script what the terminal has already sent it: two signals at once are one Ctrl-C. */
const SAME_MILLISECONDS = 300;

/**
 * From now on, SIGINT and SIGTERM no longer end this process. The first aborts the signal that is returned: operations under way end, no further ones start. Each
 * later one goes to the engines that still run, which give up at once.
 *
 * @param then what this command does after what is under way has ended, for people: "then all is removed"
 */
export function catchInterrupts(log: (line: string) => void, then?: string): AbortSignal {
    const interrupted = new AbortController();
    let last = Number.NEGATIVE_INFINITY;
    const receive = (signal: NodeJS.Signals) => {
        const since = performance.now() - last;
        last = performance.now();
        if (since < SAME_MILLISECONDS) return;
        if (!interrupted.signal.aborted) {
            log(`${signal}: what is under way ends, ${then ? `${then}; ` : "no more is started; "}once more to give up on it at once`);
            interrupted.abort(new Error(`interrupted by ${signal}`));
            return;
        }
        log(`${signal} again: giving up on what is under way`);
        for (const engine of engines()) process.kill(engine, "SIGINT");
    };
    process.on("SIGINT", receive);
    process.on("SIGTERM", receive);
    return interrupted.signal;
}

/** Engines that this process has started and that still run. */
function engines(): number[] {
    const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" }).split("\n");
    return rows.flatMap((row) => {
        const [, pid, parent, program = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
        return Number(parent) === process.pid && /(^|\/)pulumi$/.test(program) ? [Number(pid)] : [];
    });
}

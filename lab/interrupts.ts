import { family, processTable } from "./process-tree.ts";

/** npm hands on to its script what the terminal has already sent it: two signals at once are one Ctrl-C. */
const SAME_MILLISECONDS = 300;

/**
 * From now on, SIGINT and SIGTERM no longer end this process. The first aborts the signal that is returned: operations under way end, no further ones start. Each
 * later one goes to the engines that still run, which give up at once.
 */
export function catchInterrupts(tell: (line: string) => void): AbortSignal {
    const interrupted = new AbortController();
    let last = Number.NEGATIVE_INFINITY;
    const receive = (signal: NodeJS.Signals) => {
        const since = performance.now() - last;
        last = performance.now();
        if (since < SAME_MILLISECONDS) return;
        if (!interrupted.signal.aborted) {
            tell(`${signal}: what is under way ends, then all is removed; once more to give up on it at once`);
            interrupted.abort(new Error(`interrupted by ${signal}`));
            return;
        }
        tell(`${signal} again: giving up on what is under way`);
        for (const { pid, name } of family(processTable(), process.pid)) if (name === "pulumi") process.kill(pid, "SIGINT");
    };
    process.on("SIGINT", receive);
    process.on("SIGTERM", receive);
    return interrupted.signal;
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

/**
 * Shell script that becomes the program. Before that it starts a watcher, which reads a pipe held by the owner: the pipe closes however the
 * owner ends. Then the watcher kills the program and runs the `afterwards` command. It reads descriptor 3 because a shell gives background
 * jobs no standard input.
 */
const GUARD = 'exec 3<&0 </dev/null; { while read -r _; do :; done <&3; kill -KILL $$; eval "$0"; } >/dev/null 2>&1 & exec "$@" 3<&-';

/** A program that never outlives its owner. */
export interface Process {
    readonly name: string;
    readonly pid: number;
    /** Resolves when the program has ended, to how it ended: "ended with code 0". */
    readonly ended: Promise<string>;
    /** Sends SIGTERM, SIGKILL after the grace period, and waits until the program has ended. */
    stop(graceMilliseconds?: number): Promise<void>;
    /** The last 15 lines of its output. */
    lastWords(): string;
}

export interface ProcessOptions {
    /** For messages. */
    name: string;
    file: string;
    args: readonly string[];
    /** File to which its output is appended. */
    log: string;
    /** Added to this process's environment. */
    env?: Record<string, string>;
    /** Working directory. Default: this process's. */
    folder?: string;
    /** Shell command to run once the program or its owner has ended, for whatever reason. Default: none. */
    afterwards?: string;
}

/** Starts a program that ends even if its owner crashes. */
export function startProcess({ name, file, args, log, env = {}, folder, afterwards = ":" }: ProcessOptions): Process {
    const output = openSync(log, "a", 0o600);
    // Detached: an interrupt on the terminal must reach only the owner, which stops its programs in order.
    const child = spawn("/bin/sh", ["-c", GUARD, afterwards, file, ...args], {
        stdio: ["pipe", output, output],
        detached: true,
        env: { ...process.env, ...env },
        cwd: folder,
    });
    closeSync(output);
    // A program that ends first closes the pipe. `ended` reports that; it is not an error here.
    child.stdin?.on("error", () => {});
    const ended = end(child);
    return {
        name,
        pid: child.pid ?? 0,
        ended,
        async stop(graceMilliseconds = 10_000) {
            if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
            const timer = setTimeout(() => child.kill("SIGKILL"), graceMilliseconds);
            await ended;
            clearTimeout(timer);
        },
        lastWords: () => readFileSync(log, "utf8").trimEnd().split("\n").slice(-15).join("\n"),
    };
}

async function end(child: ChildProcess): Promise<string> {
    try {
        const [code, signal] = await once(child, "exit");
        return signal ? `was ended by ${signal}` : `ended with code ${code}`;
    } catch (error) {
        return `could not be started: ${error}`;
    }
}

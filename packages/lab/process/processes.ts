import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

/**
 * Becomes the program; a watcher stays behind that reads the owner's pipe and kills the program when the pipe closes, which it does however the owner
 * ends, and then does what is to be done afterwards. The descriptor is 3 because a shell gives a job in the background no standard input.
 */
const GUARD = 'exec 3<&0 </dev/null; { while read -r _; do :; done <&3; kill -KILL $$; eval "$0"; } >/dev/null 2>&1 & exec "$@" 3<&-';

/** A program that ends with its owner at the latest. */
export interface Process {
    readonly name: string;
    readonly pid: number;
    /** Settles when the program has ended, with the sentence that says how. */
    readonly ended: Promise<string>;
    /** Asks it to end, kills it after the grace period, and waits for its end. */
    stop(graceMilliseconds?: number): Promise<void>;
    /** The last lines that it wrote. */
    lastWords(): string;
}

export interface ProcessOptions {
    /** For messages. */
    name: string;
    file: string;
    args: readonly string[];
    /** File that takes its output. */
    log: string;
    env?: Record<string, string>;
    folder?: string;
    /** A shell's command that runs once the program has ended, however it or its owner ended. @default nothing */
    afterwards?: string;
}

/** Starts a program that no crash of its owner leaves behind. @throws Error when it cannot be started */
export function startProcess({ name, file, args, log, env = {}, folder, afterwards = ":" }: ProcessOptions): Process {
    const output = openSync(log, "a", 0o600);
    // Detached: an interrupt on the terminal reaches the owner alone, which stops its programs in order.
    const child = spawn("/bin/sh", ["-c", GUARD, afterwards, file, ...args], {
        stdio: ["pipe", output, output],
        detached: true,
        env: { ...process.env, ...env },
        cwd: folder,
    });
    closeSync(output);
    // A program that ends first closes the pipe; that is its end, told below, and no error of ours.
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

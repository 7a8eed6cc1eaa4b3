import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Check, MeasuredHealth, Relay } from "./plan.ts";

/** What netd answers: see packages/lab/tools/netd/serve.go. */
interface Answer {
    taken?: number;
    check?: string;
    healthy?: boolean;
    failed?: string;
}

export interface NetdOptions {
    /** The program. */
    file: string;
    /** A command that starts the program in namespaces of its own, and becomes it. Default: it runs in those of the lab. */
    by?: readonly string[];
    /** File that takes what it writes on standard error. */
    log: string;
    onHealth(key: string, health: MeasuredHealth): void;
    /** It ended though nobody asked it to. It is not started again: it has no known reason to end. */
    onEnd(how: string): void;
}

/** The program that has sockets in the namespaces. It ends with this process, since its standard input does. */
export interface Netd {
    /** Its id. */
    pid: number;
    /** Takes the place of all that it did before; what is in both goes on. @returns what failed */
    work(checks: ReadonlyMap<string, Check>, relays: ReadonlyMap<string, Relay>): Promise<string[]>;
    close(): Promise<void>;
}

export function startNetd({ file, by = [], log, onHealth, onEnd }: NetdOptions): Netd {
    const output = openSync(log, "a", 0o600);
    // Detached: an interrupt on the terminal reaches the owner alone.
    const [command = file, ...args] = [...by, file, "serve"];
    const child = spawn(command, args, { stdio: ["pipe", "pipe", output], detached: true });
    closeSync(output);
    const { stdin, stdout } = child;
    if (!stdin || !stdout) throw new Error("netd was given no pipes");
    let over = "";
    let closing = false;
    let count = 0;
    let failures: string[] = [];
    const waiting = new Map<number, (failures: string[]) => void>();

    const ended = end(child).then((how) => {
        over = `netd ${how}; ${log} may say why`;
        for (const resolve of waiting.values()) resolve([over]);
        waiting.clear();
        if (!closing) onEnd(over);
    });
    // Its end is told above.
    stdin.on("error", () => {});
    createInterface(stdout).on("line", (line) => {
        const { taken, check, healthy = false, failed }: Answer = JSON.parse(line);
        if (failed !== undefined) failures.push(failed);
        if (check !== undefined) onHealth(check, healthy ? "healthy" : "unhealthy");
        if (taken === undefined) return;
        waiting.get(taken)?.(failures);
        waiting.delete(taken);
        failures = [];
    });

    return {
        pid: child.pid ?? 0,
        work: (checks, relays) =>
            new Promise((resolve) => {
                if (over) return resolve([over]);
                count += 1;
                waiting.set(count, resolve);
                stdin.write(
                    `${JSON.stringify({ number: count, checks: Object.fromEntries(checks), relays: Object.fromEntries(relays) })}\n`,
                );
            }),
        async close() {
            closing = true;
            stdin.end();
            await ended;
        },
    };
}

function end(child: ChildProcess): Promise<string> {
    return new Promise((resolve) => {
        child.on("error", (error) => resolve(`could not be started: ${error.message}`));
        child.on("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    });
}

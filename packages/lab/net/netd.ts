import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Check, MeasuredHealth, Relay } from "./plan/plan.ts";

/** A message from netd: see packages/lab/tools/netd/serve.go. */
interface Message {
    taken?: number;
    check?: string;
    healthy?: boolean;
    failed?: string;
}

interface NetdOptions {
    /** Path of the program. */
    file: string;
    /** A command that executes the program in other namespaces. @default none, netd runs in the lab's namespaces */
    by?: readonly string[];
    /** File for its standard error. */
    log: string;
    onHealth(key: string, health: MeasuredHealth): void;
    /** Called when netd ends before `close`. It is not restarted: there is no known reason for it to end. */
    onEnd(how: string): void;
}

/** The program that opens sockets in the namespaces. It ends with this process, because its standard input closes. */
export interface Netd {
    /** Process id. */
    pid: number;
    /**
     * Replaces all health checks and relays. Those that are unchanged continue.
     *
     * @returns what failed
     */
    work(checks: ReadonlyMap<string, Check>, relays: ReadonlyMap<string, Relay>): Promise<string[]>;
    close(): Promise<void>;
}

export function startNetd({ file, by = [], log, onHealth, onEnd }: NetdOptions): Netd {
    const output = openSync(log, "a", 0o600);
    // Detached: only the owner receives an interrupt from the terminal.
    const [command = file, ...args] = [...by, file, "serve"];
    const child = spawn(command, args, { stdio: ["pipe", "pipe", output], detached: true });
    closeSync(output);
    const { stdin, stdout } = child;
    if (!stdin || !stdout) throw new Error("netd has no pipes");
    let over = "";
    let closing = false;
    let count = 0;
    let failures: string[] = [];
    const waiting = new Map<number, (failures: string[]) => void>();

    const ended = end(child).then((how) => {
        over = `netd ${how}; see ${log}`;
        for (const resolve of waiting.values()) resolve([over]);
        waiting.clear();
        if (!closing) onEnd(over);
    });
    // The end of the process is handled above.
    stdin.on("error", () => {});
    createInterface(stdout).on("line", (line) => {
        const { taken, check, healthy = false, failed }: Message = JSON.parse(line);
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

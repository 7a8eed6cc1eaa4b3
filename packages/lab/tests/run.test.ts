import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../process/until.ts";
import { BUILD_TIMEOUT, tools, whyNoTools } from "./harness.ts";

/** Printed once a cluster's control plane runs. */
const CLUSTER_MADE = /created aws:eks\/cluster:Cluster/;

describe.skipIf(await whyNoTools())("npm run lab", { timeout: 300_000 }, () => {
    let temporary: string;
    beforeAll(async () => {
        await tools();
        temporary = mkdtempSync(join(tmpdir(), "clustermesh-"));
    }, BUILD_TIMEOUT);
    afterAll(() => rmSync(temporary, { recursive: true, force: true }));

    /** Starts a lab that puts all temporary files into one folder. */
    function start(...args: string[]) {
        const child = spawn(process.execPath, ["packages/lab/main.ts", "--simulated-nodes", ...args], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, TMPDIR: temporary },
        });
        const lines: string[] = [];
        const ended = once(child, "close");
        const printed = Promise.withResolvers<void>();
        let awaited: RegExp | undefined;
        for (const stream of [child.stdout, child.stderr])
            createInterface(stream).on("line", (line) => {
                lines.push(line);
                if (awaited?.test(line)) printed.resolve();
            });
        return {
            child,
            lines,
            ended,
            async prints(pattern: RegExp) {
                awaited = pattern;
                if (lines.some((line) => pattern.test(line))) return;
                await Promise.race([
                    printed.promise,
                    ended.then(() => Promise.reject(new Error(`ended after printing:\n${lines.join("\n")}`))),
                ]);
            },
        };
    }

    /** Processes with the folder in their arguments or environment: all that a lab in this folder starts. */
    function processesOf(folder: string): string[] {
        return readdirSync("/proc").filter((pid) => {
            if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
            try {
                return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "latin1").includes(folder));
            } catch {
                return false;
            }
        });
    }

    test("after an interrupt, and a second one, it ends running operations and leaves nothing", async () => {
        const { child, lines, ended, prints } = start();
        await prints(CLUSTER_MADE);
        child.kill("SIGINT");
        await prints(/SIGINT: waiting for running operations to end/);
        // Signals within 300 ms count as one.
        await new Promise((resolve) => setTimeout(resolve, 500));
        child.kill("SIGTERM");
        expect(await ended, lines.join("\n")).toEqual([130, null]);
        expect(lines).toContain("interrupted by SIGINT");
        expect(lines.join("\n")).not.toMatch(/mesh +created/);
        expect(readdirSync(temporary)).toEqual([]);
        expect(processesOf(temporary)).toEqual([]);
    });

    test("after SIGKILL its programs end, and the next lab removes its folder", async () => {
        const killed = start();
        await killed.prints(CLUSTER_MADE);
        killed.child.kill("SIGKILL");
        await killed.ended;
        const left = readdirSync(temporary);
        expect(left).toHaveLength(1);
        await until(async () => processesOf(temporary).length === 0 || undefined, 30_000, "programs of the killed lab still run");

        const next = start("--keep");
        await next.prints(/deploying/);
        expect(readdirSync(temporary)).toHaveLength(1);
        expect(readdirSync(temporary)).not.toEqual(left);
        next.child.kill("SIGTERM");
        expect(await next.ended).toEqual([130, null]);
        expect(readdirSync(temporary)).toEqual([]);
    });
});

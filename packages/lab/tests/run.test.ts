import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../process/until.ts";
import { BUILD_TIMEOUT, tools, whyNoTools } from "./harness.ts";

/** A cluster's control plane runs by then. */
const CLUSTER_MADE = /created aws:eks\/cluster:Cluster/;

describe.skipIf(await whyNoTools())("npm run lab", { timeout: 300_000 }, () => {
    let temporary: string;
    beforeAll(async () => {
        await tools();
        temporary = mkdtempSync(join(tmpdir(), "clustermesh-"));
    }, BUILD_TIMEOUT);
    afterAll(() => rmSync(temporary, { recursive: true, force: true }));

    /** Starts a lab whose temporary files all go into one folder. */
    function start(...args: string[]) {
        const child = spawn(process.execPath, ["packages/lab/main.ts", "--simulated-nodes", ...args], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, TMPDIR: temporary },
        });
        const lines: string[] = [];
        const ended = once(child, "close");
        const said = Promise.withResolvers<void>();
        let awaited: RegExp | undefined;
        for (const stream of [child.stdout, child.stderr])
            createInterface(stream).on("line", (line) => {
                lines.push(line);
                if (awaited?.test(line)) said.resolve();
            });
        return {
            child,
            lines,
            ended,
            async says(pattern: RegExp) {
                awaited = pattern;
                if (lines.some((line) => pattern.test(line))) return;
                await Promise.race([said.promise, ended.then(() => Promise.reject(new Error(`ended, having said:\n${lines.join("\n")}`)))]);
            },
        };
    }

    /** Processes that have the folder in their arguments or their environment: all that a lab there starts. */
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

    test("interrupted, ends what is under way and leaves nothing; impatience changes nothing of that", async () => {
        const { child, lines, ended, says } = start();
        await says(CLUSTER_MADE);
        child.kill("SIGINT");
        await says(/SIGINT: waiting for running operations to end/);
        // Two at once are one, so the second comes later.
        await new Promise((resolve) => setTimeout(resolve, 500));
        child.kill("SIGTERM");
        expect(await ended, lines.join("\n")).toEqual([130, null]);
        expect(lines).toContain("interrupted by SIGINT");
        expect(lines.join("\n")).not.toMatch(/mesh +created/);
        expect(readdirSync(temporary)).toEqual([]);
        expect(processesOf(temporary)).toEqual([]);
    });

    test("killed, ends its programs, and the next lab removes its folder", async () => {
        const killed = start();
        await killed.says(CLUSTER_MADE);
        killed.child.kill("SIGKILL");
        await killed.ended;
        const left = readdirSync(temporary);
        expect(left).toHaveLength(1);
        await until(async () => processesOf(temporary).length === 0 || undefined, 30_000, "programs of the killed lab still run");

        const next = start("--keep");
        await next.says(/deploying/);
        expect(readdirSync(temporary)).toHaveLength(1);
        expect(readdirSync(temporary)).not.toEqual(left);
        next.child.kill("SIGTERM");
        expect(await next.ended).toEqual([130, null]);
        expect(readdirSync(temporary)).toEqual([]);
    });
});

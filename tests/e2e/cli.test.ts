import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Command } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/commands.ts";
import type { OperationReport } from "../../cli/operation/report.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import { AwsError } from "../../packages/lab/aws/error.ts";
import type { SimulationOptions } from "../../packages/lab/aws/simulation.ts";
import { type Lab, startLab } from "../../packages/lab/lab.ts";
import { family, processTable } from "../../packages/lab/process/process-tree.ts";
import { until } from "../../packages/lab/process/until.ts";
import { BUILD_TIMEOUT, temporaryFolder } from "../../packages/lab/tests/harness.ts";
import { NO_ROUTE } from "./mesh-faults.ts";
import { handsOn, whyNoRealLab } from "./real-lab.ts";
import { onTerminal } from "./terminal.ts";

/** The README's own lines. */
const WALKTHROUGH = (/^npx clustermesh plan.*?(?=```)/ms.exec(readFileSync("README.md", "utf8"))?.[0] ?? "")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter(Boolean);
const THIRD = WALKTHROUGH.findIndex((line) => line.startsWith("sed "));

const settings = (stack: string): object => parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8")).config["clustermesh:stack"];

const SMALL = { min: 1, desired: 1 };

interface Done {
    code: number;
    out: string;
    err: string;
}

describe.skipIf(await whyNoRealLab())("the command line", { timeout: 400_000 }, () => {
    let lab: Lab;
    /** Whatever AWS is asked waits for it. */
    let aws: NonNullable<SimulationOptions["hook"]> = () => undefined;
    beforeAll(async () => {
        lab = await startLab({
            folder: join(await temporaryFolder(), "lab"),
            // As people have written them: a third cluster is made of the second one's file, and defaults would be taken over with it.
            stacks: {
                cluster1: { ...settings("cluster1"), nodeGroup: SMALL },
                cluster2: { ...settings("cluster2"), nodeGroup: SMALL },
                mesh: settings("mesh"),
            },
            log: (line) => console.log(line),
            aws: { hook: (call) => aws(call) },
        });
    }, BUILD_TIMEOUT);
    afterAll(() => lab?.destroy(), 120_000);

    function start(line: string): { child: ChildProcess; done: Promise<Done>; says: (pattern: RegExp) => Promise<void> } {
        const child = spawn("/bin/sh", ["-c", `exec ${line}`], {
            cwd: lab.project,
            env: { ...process.env, ...lab.env },
            stdio: ["ignore", "pipe", "pipe"],
        });
        const said: Record<"out" | "err", string[]> = { out: [], err: [] };
        for (const [stream, name] of [
            [child.stdout, "out"],
            [child.stderr, "err"],
        ] as const)
            createInterface(stream).on("line", (text) => said[name].push(text));
        const done = once(child, "close").then(([code]) => ({ code: code as number, out: said.out.join("\n"), err: said.err.join("\n") }));
        const says = (pattern: RegExp) =>
            until(
                async () => said.err.concat(said.out).some((text) => pattern.test(text)) || undefined,
                120_000,
                `${line} did not say ${pattern}`,
            ).then(() => {});
        return { child, done, says };
    }
    const run = (line: string) => start(line).done;
    /** With `--json`: what the command's own schema takes, strictly, and nothing else on standard output. */
    async function json<Report>(line: string): Promise<Done & { report: Report }> {
        const done = await run(`npx clustermesh ${line} --json`);
        const command = COMMANDS.find(({ name }) => name === line.split(" ", 1)[0]) as Command<Report>;
        return { ...done, report: command.report.parse(JSON.parse(done.out)) };
    }

    test("interrupted on a terminal that is resized meanwhile, `up` ends what is under way and begins nothing more", async () => {
        const terminal = await onTerminal("npx clustermesh up", lab.project, lab.env, 120, 30);
        const shows = (pattern: RegExp) =>
            until(
                async () => (await terminal.lines()).some((line) => pattern.test(line)) || undefined,
                60_000,
                `the screen does not show ${pattern}`,
            );
        await shows(/^cluster1 +\d+\/\d+ resources/);
        await shows(/^ +\d+ s {2}create aws:/);
        await terminal.resize(60, 30);
        await shows(/^ +\d+ s {2}create .*…$/);
        terminal.type("\x03");
        await shows(/SIGINT: what is under way ends/);
        expect(await terminal.ended).toBe(130);
        const screen = (await terminal.lines()).filter(Boolean);
        // Each stack stands there once in the picture and once in the result: nothing of the pictures before is left.
        for (const stack of ["cluster1", "cluster2", "mesh"])
            expect(
                screen.filter((line) => new RegExp(`^([✓✖-] )?${stack} `).test(line)),
                screen.join("\n"),
            ).toHaveLength(2);
        expect(screen.join("\n")).toMatch(/- mesh +untouched: interrupted by SIGINT/);
    });

    test("a cluster that fails does not hide the other, nor that the mesh was left alone; what to do is told", async () => {
        let calls = 0;
        const refused = new AwsError("ResourceLimitExceededException", "You've reached the limit of node groups.");
        aws = ({ action }) => (action === "createNodegroup" && ++calls === 1 ? { error: refused } : undefined);
        const { code, report } = await json<OperationReport>("up").finally(() => {
            aws = () => undefined;
        });
        expect(code).toBe(1);
        const [failed, ...more] = report.stacks.filter(({ result }) => result === "failed");
        expect(more).toEqual([]);
        expect(failed?.reasons.join()).toContain("ResourceLimitExceeded");
        expect(failed?.remedies.join()).toContain("clustermesh plan");
        expect(report.stacks.map(({ result }) => result).toSorted()).toEqual(["failed", "succeeded", "untouched"]);
        expect(report.stacks.at(-1)).toMatchObject({ stack: "mesh", result: "untouched", reasons: [`${failed?.stack} failed`] });
    });

    test("the pipeline's script finishes what was interrupted, and finds no drift then", async () => {
        const summary = join(lab.project, "summary.md");
        const up = await run(`env GITHUB_STEP_SUMMARY=${summary} npx node examples/ci/mesh.ts up cluster1 cluster2`);
        expect(up.code, up.err + up.out).toBe(0);
        expect(up.out).not.toContain("\x1b");
        expect(readFileSync(summary, "utf8")).toMatch(/\| cluster1 \| .*\d+ (create|same)/);
        expect(await run("npx node examples/ci/mesh.ts preview")).toMatchObject({ code: 0 });
        expect(await run("npx node examples/ci/mesh.ts drift cluster1")).toMatchObject({ code: 0 });
        expect(await run("npx node examples/ci/mesh.ts drift cluster9")).toMatchObject({ code: 2, err: "✖ there is no stack cluster9" });
    });

    test.each(WALKTHROUGH.slice(0, THIRD))("README: %s", async (line) => {
        const { code, out, err } = await run(line);
        expect(code, `${out}\n${err}`).toBe(0);
        expect(out + err).not.toContain("\x1b");
    });

    test("a second `up` changes nothing, and says so as JSON too", async () => {
        const { code, report } = await json<OperationReport>("up --expect-no-changes");
        expect(code).toBe(0);
        expect(report.stacks.map(({ stack, result }) => [stack, result])).toEqual([
            ["cluster1", "succeeded"],
            ["cluster2", "succeeded"],
            ["mesh", "succeeded"],
        ]);
        for (const { changes } of report.stacks) expect(Object.keys(changes).filter((op) => op !== "read")).toEqual(["same"]);
    });

    test("every command that only looks tells the same as JSON, by its schema", async () => {
        const lines = ["plan", "preview --expect-no-changes", "status", "doctor", "topology", "verify --only agents --junit junit.xml"];
        const all = await Promise.all(lines.map(async (line) => ({ line, ...(await json(line)) })));
        for (const { line, code, err } of all) expect(code, `${line}\n${err}`).toBe(0);
        expect(readFileSync(join(lab.project, "junit.xml"), "utf8")).toMatch(
            /<testsuites name="clustermesh verify" tests="\d+" failures="0"/,
        );
    });

    test("what was changed by hand is drift, which doctor names, and `up --refresh` puts back", async () => {
        const real = handsOn(lab);
        const { items } = await real.core("cluster1").listNode();
        await NO_ROUTE.make(real, { cluster: "cluster1", peer: "cluster2", node: items[0]?.metadata?.name ?? "" });
        expect((await json<OperationReport>("refresh mesh --preview-only --expect-no-changes")).code).toBe(1);
        expect(await run("npx node examples/ci/mesh.ts drift")).toMatchObject({ code: 1, out: expect.stringContaining("up --refresh") });
        expect((await run("npx clustermesh doctor")).code).toBe(1);
        expect((await run("npx clustermesh up mesh --refresh")).code).toBe(0);
        expect((await json<OperationReport>("refresh mesh --preview-only --expect-no-changes")).code).toBe(0);
    });

    test("two at once on one stack: one of them is told that it is locked, and what to do", async () => {
        const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        aws = async () => {
            reached.resolve();
            await release.promise;
            return undefined;
        };
        const first = start("npx clustermesh up cluster1 --refresh");
        // It works on the stack now, and goes on when it is let.
        await reached.promise;
        const second = await json<OperationReport>("up cluster1").finally(() => {
            aws = () => undefined;
            release.resolve();
        });
        expect(second.code).toBe(1);
        expect(second.report.stacks[0]).toMatchObject({ stack: "cluster1", result: "failed" });
        expect(second.report.stacks[0]?.remedies.join()).toMatch(/somebody else works on the stack/);
        expect((await first.done).code).toBe(0);
    });

    test("rolling, the second cluster is begun when the mesh is whole after the first", async () => {
        const rolled = { nodeGroup: SMALL, cilium: { values: { podAnnotations: { rolled: "yes" } } } };
        lab.configure({ cluster1: { ...settings("cluster1"), ...rolled }, cluster2: { ...settings("cluster2"), ...rolled } });
        const { code, err } = await run("npx clustermesh up --rolling");
        expect(code, err).toBe(0);
        const lines = err.split("\n");
        const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
        expect(at(/cluster1 +updated/)).toBeGreaterThan(-1);
        expect(at(/cluster1 is done; waiting until the mesh is whole/)).toBeGreaterThan(
            lines.findLastIndex((line) => /s {2}cluster1 +updated/.test(line)),
        );
        expect(at(/s {2}cluster2 +updated/)).toBeGreaterThan(at(/cluster1 is done/));
    });

    test.each(WALKTHROUGH.slice(THIRD, -1))("README: %s", async (line) => {
        const { code, out, err } = await run(line);
        expect(code, `${out}\n${err}`).toBe(0);
    });

    test("a cluster that is part of a mesh is not destroyed, nor anything without --yes", async () => {
        expect(await run("npx clustermesh destroy cluster1 --yes")).toMatchObject({
            code: 2,
            err: expect.stringContaining("part of the deployed mesh mesh"),
        });
        expect(await run("npx clustermesh destroy")).toMatchObject({
            code: 2,
            err: expect.stringMatching(/mesh \(\d+ resources\), then cluster1/),
        });
    });

    test("killed while it destroys, it says at the next run what the lock is and what to do; that done, README's last line removes all", async () => {
        const killed = start("npx clustermesh destroy --yes");
        await killed.says(/s {2}mesh +deleted/);
        for (const { pid } of family(processTable(), killed.child.pid ?? 0)) process.kill(pid, "SIGKILL");
        await killed.done;
        const next = await run("npx clustermesh destroy --yes");
        expect(next.code).toBe(1);
        expect(next.out).toMatch(/✖ mesh +failed.*locked by 1 lock.*pulumi cancel/s);
        expect(next.out).toMatch(/- cluster1 +untouched: mesh failed/);
        expect((await run("pulumi cancel --yes --stack mesh")).code).toBe(0);
        const { code, out, err } = await run(WALKTHROUGH.at(-1) ?? "");
        expect(code, `${out}\n${err}`).toBe(0);
        expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
    });
});

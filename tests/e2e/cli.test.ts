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
import { onTerminal } from "../../packages/lab/recording/terminal.ts";
import { BUILD_TIMEOUT, temporaryFolder } from "../../packages/lab/tests/harness.ts";
import { ensureTools } from "../../packages/lab/tools/tools.ts";
import { NO_ROUTE } from "./mesh-faults.ts";
import { whyNoRealLab, wrapLab } from "./real-lab.ts";

/** The commands that the README's quick start prints. */
const WALKTHROUGH = (/^npx clustermesh plan.*?(?=```)/ms.exec(readFileSync("README.md", "utf8"))?.[0] ?? "")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter(Boolean);
const THIRD_CLUSTER = WALKTHROUGH.findIndex((line) => line.startsWith("npx clustermesh add "));

/** Commands in the text of the documentation that only read, or print. */
const READ_ONLY = /^(npx )?clustermesh (help|plan|preview|status|doctor|verify|topology|completion)\b|^pulumi stack (output|-s)\b/;
const PAGES = ["docs/cli.md", "docs/doctor.md", "docs/operations.md"];
const DOCUMENTED = [
    ...new Set(PAGES.flatMap((page) => [...readFileSync(page, "utf8").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code))),
]
    .filter((code) => READ_ONLY.test(code))
    .map((code) =>
        code
            .replace(/^clustermesh/, "npx clustermesh")
            .replaceAll(/<(stack|cluster)>/g, "cluster1")
            .replaceAll("<command>", "up"),
    );

/** The commands of a section of docs/operations.md. */
const OPERATION = (heading: string) =>
    (new RegExp(`^## ${heading}\\n.*?^\`\`\`sh\\n(.*?)^\`\`\``, "ms").exec(readFileSync("docs/operations.md", "utf8"))?.[1] ?? "")
        .split("\n")
        .filter(Boolean)
        .map((line) => line.replaceAll("<cluster>", "cluster1"));

const settings = (stack: string): object => parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8")).config["clustermesh:stack"];

const SMALL = { min: 1, desired: 1 };

interface Result {
    code: number;
    out: string;
    err: string;
}

describe.skipIf(await whyNoRealLab())("the command line", { timeout: 400_000 }, () => {
    let lab: Lab;
    /** Called before each answer of the simulated AWS. */
    let aws: NonNullable<SimulationOptions["hook"]> = () => undefined;
    beforeAll(async () => {
        lab = await startLab({
            folder: join(await temporaryFolder(), "lab"),
            // The settings as they are in the files, without defaults: `add` writes a third file next to them.
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

    function start(line: string): { child: ChildProcess; done: Promise<Result>; prints: (pattern: RegExp) => Promise<void> } {
        const child = spawn("/bin/sh", ["-c", `exec ${line}`], {
            cwd: lab.project,
            env: { ...process.env, ...lab.env },
            stdio: ["ignore", "pipe", "pipe"],
        });
        const printed: Record<"out" | "err", string[]> = { out: [], err: [] };
        for (const [stream, name] of [
            [child.stdout, "out"],
            [child.stderr, "err"],
        ] as const)
            createInterface(stream).on("line", (text) => printed[name].push(text));
        const done = once(child, "close").then(([code]) => ({
            code: code as number,
            out: printed.out.join("\n"),
            err: printed.err.join("\n"),
        }));
        const prints = (pattern: RegExp) =>
            until(
                async () => printed.err.concat(printed.out).some((text) => pattern.test(text)) || undefined,
                120_000,
                `${line} did not print ${pattern}`,
            ).then(() => {});
        return { child, done, prints };
    }
    const run = (line: string) => start(line).done;
    /** Runs a command with `--json`. Standard output must hold a report of the command's strict schema and nothing else. */
    async function json<Report>(line: string): Promise<Result & { report: Report }> {
        const done = await run(`npx clustermesh ${line} --json`);
        const command = COMMANDS.find(({ name }) => name === line.split(" ", 1)[0]) as Command<Report>;
        return { ...done, report: command.report.parse(JSON.parse(done.out)) };
    }

    test("interrupted on a terminal that is resized meanwhile, `up` lets running operations end and starts no others", async () => {
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
        await shows(/SIGINT: waiting for running operations to end/);
        expect(await terminal.ended).toBe(130);
        const screen = (await terminal.lines()).filter(Boolean);
        // Each stack is there once in the picture and once in the result: nothing of earlier pictures is left.
        for (const stack of ["cluster1", "cluster2", "mesh"])
            expect(
                screen.filter((line) => new RegExp(`^([✓✖-] )?${stack} `).test(line)),
                screen.join("\n"),
            ).toHaveLength(2);
        expect(screen.join("\n")).toMatch(/- mesh +untouched: interrupted by SIGINT/);
    });

    test("reports the failed cluster with a remedy, the other as succeeded, and the mesh as untouched", async () => {
        let calls = 0;
        const refused = new AwsError("ResourceLimitExceededException", "You've reached the limit of node groups.");
        aws = ({ action }) => (action === "createNodegroup" && ++calls === 1 ? { error: refused } : undefined);
        const { code, report } = await json<OperationReport>("up").finally(() => {
            aws = () => undefined;
        });
        expect(code).toBe(1);
        const [failed, ...others] = report.stacks.filter(({ result }) => result === "failed");
        expect(others).toEqual([]);
        expect(failed?.reasons.join()).toContain("ResourceLimitExceeded");
        expect(failed?.remedies.join()).toContain("clustermesh plan");
        expect(report.stacks.map(({ result }) => result).toSorted()).toEqual(["failed", "succeeded", "untouched"]);
        expect(report.stacks.at(-1)).toMatchObject({ stack: "mesh", result: "untouched", reasons: [`${failed?.stack} failed`] });
    });

    test("the pipeline's script completes an interrupted run, and then finds no drift", async () => {
        const summary = join(lab.project, "summary.md");
        const up = await run(`env GITHUB_STEP_SUMMARY=${summary} npx node examples/ci/mesh.ts up cluster1 cluster2`);
        expect(up.code, up.err + up.out).toBe(0);
        expect(up.out).not.toContain("\x1b");
        expect(readFileSync(summary, "utf8")).toMatch(/\| cluster1 \| .*\d+ (create|same)/);
        expect(await run("npx node examples/ci/mesh.ts preview")).toMatchObject({ code: 0 });
        expect(await run("npx node examples/ci/mesh.ts drift cluster1")).toMatchObject({ code: 0 });
        expect(await run("npx node examples/ci/mesh.ts drift cluster9")).toMatchObject({ code: 2, err: "✖ stack cluster9 does not exist" });
    });

    test.each(WALKTHROUGH.slice(0, THIRD_CLUSTER))("README: %s", async (line) => {
        const { code, out, err } = await run(line);
        expect(code, `${out}\n${err}`).toBe(0);
        expect(out + err).not.toContain("\x1b");
    });

    test.each(DOCUMENTED)("documentation: %s", async (line) => {
        const { code, out, err } = await run(line);
        expect(code, `${out}\n${err}`).toBe(0);
        expect(out).not.toBe("");
    });

    test("a CA is replaced by the commands of docs/operations.md, and every agent trusts the new one", async () => {
        const lines = OPERATION("Replace a CA");
        expect(lines).toHaveLength(4);
        const { kubectl } = await ensureTools(["kubectl"], { log: (line) => console.log(line) });
        for (const line of lines) {
            const command = line.replace(/^kubectl/, kubectl).replace(/^pulumi up.*/, "$& --yes --skip-preview --non-interactive");
            const { code, out, err } = await run(command);
            expect(code, `${out}\n${err}`).toBe(0);
        }
        expect((await run("npx clustermesh verify --only agents")).code).toBe(0);
    });

    test("a second `up` changes nothing, according to its JSON report too", async () => {
        const { code, report } = await json<OperationReport>("up --expect-no-changes");
        expect(code).toBe(0);
        expect(report.stacks.map(({ stack, result }) => [stack, result])).toEqual([
            ["cluster1", "succeeded"],
            ["cluster2", "succeeded"],
            ["mesh", "succeeded"],
        ]);
        for (const { changes } of report.stacks) expect(Object.keys(changes).filter((op) => op !== "read")).toEqual(["same"]);
    });

    test("every command that changes nothing prints its report as JSON, following its schema", async () => {
        const lines = ["plan", "preview --expect-no-changes", "status", "doctor", "topology", "verify --only agents --junit junit.xml"];
        const all = await Promise.all(lines.map(async (line) => ({ line, ...(await json(line)) })));
        for (const { line, code, err } of all) expect(code, `${line}\n${err}`).toBe(0);
        expect(readFileSync(join(lab.project, "junit.xml"), "utf8")).toMatch(
            /<testsuites name="clustermesh verify" tests="\d+" failures="0"/,
        );
    });

    test("a manual change is drift, which doctor reports and `up --refresh` reverts", async () => {
        const real = wrapLab(lab);
        const { items } = await real.core("cluster1").listNode();
        await NO_ROUTE.make(real, { cluster: "cluster1", peer: "cluster2", node: items[0]?.metadata?.name ?? "" });
        expect((await json<OperationReport>("refresh mesh --preview-only --expect-no-changes")).code).toBe(1);
        expect(await run("npx node examples/ci/mesh.ts drift")).toMatchObject({ code: 1, out: expect.stringContaining("up --refresh") });
        expect((await run("npx clustermesh doctor")).code).toBe(1);
        expect((await run("npx clustermesh up mesh --refresh")).code).toBe(0);
        expect((await json<OperationReport>("refresh mesh --preview-only --expect-no-changes")).code).toBe(0);
    });

    test("of two runs on one stack, the second reports that the stack is locked, and what to do", async () => {
        const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        aws = async () => {
            reached.resolve();
            await release.promise;
            return undefined;
        };
        const first = start("npx clustermesh up cluster1 --refresh");
        // The first run now holds the lock, and waits for its release.
        await reached.promise;
        const second = await json<OperationReport>("up cluster1").finally(() => {
            aws = () => undefined;
            release.resolve();
        });
        expect(second.code).toBe(1);
        expect(second.report.stacks[0]).toMatchObject({ stack: "cluster1", result: "failed" });
        expect(second.report.stacks[0]?.remedies.join()).toMatch(/another run uses the stack/);
        expect((await first.done).code).toBe(0);
    });

    test("a rolling deployment starts with the second cluster when the mesh is healthy after the first", async () => {
        const rolled = { nodeGroup: SMALL, cilium: { values: { podAnnotations: { rolled: "yes" } } } };
        lab.configure({ cluster1: { ...settings("cluster1"), ...rolled }, cluster2: { ...settings("cluster2"), ...rolled } });
        const { code, err } = await run("npx clustermesh up --rolling");
        expect(code, err).toBe(0);
        const lines = err.split("\n");
        const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
        expect(at(/cluster1 +updated/)).toBeGreaterThan(-1);
        expect(at(/cluster1 is deployed; waiting until every agent of mesh sees every other cluster/)).toBeGreaterThan(
            lines.findLastIndex((line) => /s {2}cluster1 +updated/.test(line)),
        );
        expect(at(/s {2}cluster2 +updated/)).toBeGreaterThan(at(/cluster1 is deployed/));
    });

    test.each(WALKTHROUGH.slice(THIRD_CLUSTER, -1))("README: %s", async (line) => {
        const { code, out, err } = await run(line);
        expect(code, `${out}\n${err}`).toBe(0);
    });

    test("destroys neither a member of a deployed mesh, nor anything without --yes", async () => {
        expect(await run("npx clustermesh destroy cluster1 --yes")).toMatchObject({
            code: 2,
            err: expect.stringContaining("cluster1 is a member of the deployed mesh mesh"),
        });
        expect(await run("npx clustermesh destroy")).toMatchObject({
            code: 2,
            err: expect.stringMatching(/mesh \(\d+ resources\), then cluster1/),
        });
    });

    test("after a killed `destroy`, the next run explains the lock; once it is cancelled, the README's last command destroys everything", async () => {
        const killed = start("npx clustermesh destroy --yes");
        await killed.prints(/s {2}mesh +deleted/);
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

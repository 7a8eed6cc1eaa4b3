import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readProject } from "../../../cli/project/stack-files.ts";
import { planReport } from "../../../core/plan/report.ts";

interface Job {
    needs?: string | string[];
    concurrency?: { group: string; "cancel-in-progress": boolean };
    strategy?: { "fail-fast": boolean; matrix: { stack: string } };
    steps: { uses?: string; run?: string }[];
}

const workflow = parse(readFileSync("examples/ci/github-actions.yaml", "utf8")) as { env: { MODE: string }; jobs: Record<string, Job> };
const script = readFileSync("examples/ci/mesh.ts", "utf8");

test("the workflow asks the script for what it can do, and for nothing else", () => {
    const asked = [...workflow.env.MODE.matchAll(/(?:&&|\|\|) '(\w+)'/g)].map(([, mode]) => mode);
    expect(asked.toSorted()).toEqual(["drift", "preview", "up"]);
    for (const mode of asked) expect(script).toContain(`node examples/ci/mesh.ts ${mode} `);
});

test("each stack has a job of its own, of which one runs at a time and none is cut off; the mesh's come last", () => {
    for (const name of ["clusters", "mesh"]) {
        const { concurrency, strategy, steps } = workflow.jobs[name] as Job;
        expect(concurrency).toEqual({ group: expect.stringContaining("matrix.stack"), "cancel-in-progress": false });
        expect(strategy?.["fail-fast"]).toBe(false);
        expect(steps.at(-1)?.run).toMatch(/^npx node examples\/ci\/mesh\.ts "\$MODE" "\$\{\{ matrix\.stack \}\}"$/);
    }
    expect(workflow.jobs.mesh?.needs).toEqual(["plan", "clusters"]);
});

test("what the workflow takes out of the plan is there", () => {
    const run = workflow.jobs.plan?.steps.at(-1)?.run ?? "";
    const taken = [...run.matchAll(/\[\.(\w+)\[\]\.(\w+)\]/g)].map(([, list, field]) => [list, field]);
    expect(taken).toEqual([
        ["clusters", "stack"],
        ["meshes", "stack"],
    ]);
    const report = planReport(readProject("."), "organization/clustermesh").report as unknown as Record<string, Record<string, unknown>[]>;
    for (const [list = "", field = ""] of taken) for (const entry of report[list] ?? []) expect(entry).toHaveProperty(field);
});

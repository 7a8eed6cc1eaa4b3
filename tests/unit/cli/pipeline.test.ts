import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readProject } from "../../../cli/project/stack-files.ts";
import { planReport } from "../../../core/plan/report.ts";

interface Job {
    needs?: string | string[];
    outputs?: Record<string, string>;
    concurrency?: { group: string; "cancel-in-progress": boolean };
    strategy?: { "fail-fast": boolean; matrix: { stack: string } };
    steps: { id?: string; uses?: string; run?: string }[];
}

interface Workflow {
    on: Record<string, unknown>;
    env: Record<string, string>;
    jobs: Record<"plan" | "clusters" | "mesh", Job>;
}

/** An expression of GitHub Actions. */
const expression = (text: string) => `$\{{ ${text} }}`;

const workflow: Workflow = parse(readFileSync("examples/ci/github-actions.yaml", "utf8"));

test("previews pull requests, deploys main and looks for drift on a schedule", () => {
    expect(workflow.on).toEqual({ pull_request: null, push: { branches: ["main"] }, schedule: [{ cron: "0 3 * * *" }] });
    expect(workflow.env.MODE).toBe(
        expression("github.event_name == 'pull_request' && 'preview' || github.event_name == 'schedule' && 'drift' || 'up'"),
    );
});

test("the script refuses a mode that it does not have, and names those of the workflow", async () => {
    const failed = await promisify(execFile)(process.execPath, ["examples/ci/mesh.ts", "deploy"]).catch((error) => error);
    expect(failed).toMatchObject({ code: 2, stderr: '✖ the first argument must be preview, up, drift; got "deploy"\n' });
});

test.each(["clusters", "mesh"] as const)("job %s: one run at a time per stack, none of which is cancelled", (name) => {
    const { concurrency, strategy, steps } = workflow.jobs[name];
    expect(concurrency).toEqual({ group: `clustermesh-${expression("matrix.stack")}`, "cancel-in-progress": false });
    expect(strategy).toEqual({
        "fail-fast": false,
        matrix: { stack: expression(`fromJson(needs.plan.outputs.${name === "mesh" ? "meshes" : "clusters"})`) },
    });
    expect(steps.at(-1)).toEqual({ run: `npx node examples/ci/mesh.ts "$MODE" "${expression("matrix.stack")}"` });
});

test("the mesh is deployed after the clusters", () => {
    expect(workflow.jobs.mesh.needs).toEqual(["plan", "clusters"]);
});

test("takes the stack names out of the plan's report", () => {
    const { outputs, steps } = workflow.jobs.plan;
    expect(outputs).toEqual({ clusters: expression("steps.plan.outputs.clusters"), meshes: expression("steps.plan.outputs.meshes") });
    expect(
        steps
            .find(({ id }) => id === "plan")
            ?.run?.trim()
            .split("\n"),
    ).toEqual([
        "npx clustermesh plan --json > plan.json",
        `echo "clusters=$(jq -c '[.clusters[].stack]' plan.json)" >> "$GITHUB_OUTPUT"`,
        `echo "meshes=$(jq -c '[.meshes[].stack]' plan.json)" >> "$GITHUB_OUTPUT"`,
    ]);
    const { report } = planReport(readProject("."), "organization/clustermesh");
    expect(report?.clusters.map(({ stack }) => stack)).toEqual(["cluster1", "cluster2"]);
    expect(report?.meshes.map(({ stack }) => stack)).toEqual(["mesh"]);
});

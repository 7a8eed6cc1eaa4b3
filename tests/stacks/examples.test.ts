import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectName, readProject } from "../../cli/project/stack-files.ts";
import { accountOf } from "../../core/facts/planned.ts";
import { type PlanReport, planReport } from "../../core/plan/report.ts";
import { fullStackName } from "../../core/stack-names.ts";
import { clusterStack } from "../../stacks/cluster.ts";
import { meshStack } from "../../stacks/mesh.ts";
import { deployed, type Program, type Registered, run, type Stacks } from "./harness.ts";

const EXAMPLES = readdirSync("examples", { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(`examples/${entry.name}`).includes("Pulumi.yaml"))
    .map(({ name }) => name);

function count(resources: readonly Registered[]): Record<string, number> {
    return Object.fromEntries([...Map.groupBy(resources, ({ type }) => type)].map(([type, all]) => [type, all.length]));
}

function planned(example: string): PlanReport {
    const folder = `examples/${example}`;
    const project = readProject(folder);
    const { report, problems } = planReport(project, projectName(folder));
    expect([...project.problems, ...problems]).toEqual([]);
    return report as PlanReport;
}

test("the stack examples are the ones that examples/README.md lists", () => {
    expect(EXAMPLES.toSorted()).toEqual(["transit-gateway", "two-accounts", "two-regions"]);
    const readme = readFileSync("examples/README.md", "utf8");
    const listed = [...readme.matchAll(/^\| \[[\w-]+\]\(([\w-]+)\)/gm)].map(([, name]) => name);
    expect(listed.toSorted()).toEqual(
        readdirSync("examples", { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .map(({ name }) => name)
            .toSorted(),
    );
});

describe.each(EXAMPLES)("the example %s", (example) => {
    const folder = `examples/${example}`;

    test("runs the repository's program as the repository's own Pulumi.yaml does", () => {
        const [own, other] = ["Pulumi.yaml", `${folder}/Pulumi.yaml`].map((file) => parse(readFileSync(file, "utf8")));
        expect(other.runtime).toEqual(own.runtime);
        expect(other).toMatchObject({ name: example, main: "../../index.ts" });
    });

    test("has a README with the resources and costs that plan reports", () => {
        const readme = readFileSync(`${folder}/README.md`, "utf8");
        const { clusters, meshes, cost } = planned(example);
        for (const { stack, resources, cost } of [...clusters, ...meshes]) {
            const cells = readme
                .match(new RegExp(`^\\| \`${stack}\` .*\\|$`, "m"))?.[0]
                .split("|")
                .map((cell) => cell.trim());
            expect(cells?.slice(3, 5), stack).toEqual([`${resources.total}`, cost.monthly.toFixed(2)]);
        }
        for (const { stack } of clusters) {
            const { vpcCidr } = readProject(folder).clusters.find((cluster) => cluster.stack === stack)?.config ?? {};
            expect(readme).toContain(`VPC ${vpcCidr}`);
        }
        expect(readme).toContain(`${cost.monthly.toFixed(2)} USD per month`);
    });

    test("registers in a preview what plan counts", async () => {
        const { clusters, meshes } = readProject(folder);
        const report = planned(example);
        const stacks: Stacks = {};
        for (const { stack, config } of clusters) {
            const program = (await run(() => clusterStack(config), { stack })) as Program<object>;
            expect(count(program.resources), stack).toEqual(report.clusters.find((cluster) => cluster.stack === stack)?.resources.byType);
            const published = deployed(program);
            // The mocks report the runner's account for every cluster stack.
            const account = accountOf(config);
            if (account) Object.assign(published.outputs, { accountId: account });
            stacks[fullStackName(stack, projectName(folder))] = published;
        }
        for (const { stack, config } of meshes) {
            const { resources } = await run(() => meshStack(config), { stack, stacks });
            expect(count(resources), stack).toEqual(report.meshes.find((mesh) => mesh.stack === stack)?.resources.byType);
        }
    });
});

import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OperationReport } from "../../cli/operation/report.ts";
import type { PlanReport } from "../../core/plan/report.ts";
import { type Lab, startLab } from "../../packages/lab/lab.ts";
import { BUILD_TIMEOUT, temporaryFolder, whyNoTools } from "../../packages/lab/tests/harness.ts";

const cluster = (id: number) => ({
    kind: "cluster",
    name: `c${id}`,
    id,
    region: "eu-central-1",
    vpcCidr: `10.${id}.0.0/16`,
    zones: 2,
    nat: "single",
    endpoint: { publicCidrs: ["0.0.0.0/0"] },
    nodeGroup: { min: 1, desired: 1, max: 2 },
});
const STACKS = { one: cluster(1), two: cluster(2), mesh: { kind: "mesh", clusters: ["one", "two"] } };

/** As `clustermesh init` writes it for an installed package. The project has a name of its own. */
const PROJECT_FILE = `name: fleet
runtime: { name: nodejs, options: { typescript: false, nodeargs: "--import ../scripts/node-version.mjs" } }
main: node_modules/clustermesh/dist/index.js
`;

describe.skipIf(await whyNoTools())(
    "the package of `npm pack`, in a folder with nothing but stack files and Pulumi.yaml",
    { timeout: 400_000 },
    () => {
        let lab: Lab;
        const sh = (command: string, args: string[], cwd: string, env: Record<string, string> = {}) =>
            promisify(execFile)(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: Number.POSITIVE_INFINITY });
        const clustermesh = async <Report>(...args: string[]): Promise<Report> => {
            const run = sh("npx", ["--no-install", "clustermesh", ...args, "--json"], lab.project, lab.env);
            const { stdout } = await run.catch((error) => expect.fail(`${error.stdout}\n${error.stderr}`));
            return JSON.parse(stdout) as Report;
        };

        beforeAll(async () => {
            const folder = await temporaryFolder();
            await sh("npm", ["pack", "--pack-destination", folder], resolve("."));
            const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
            lab = await startLab({
                folder: join(folder, "lab"),
                stacks: STACKS,
                simulatedNodes: true,
                log: (line) => console.log(line),
                fillProject: async (project) => {
                    writeFileSync(join(project, "Pulumi.yaml"), PROJECT_FILE);
                    await sh("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, tarball)], project);
                },
            });
        }, BUILD_TIMEOUT);
        afterAll(() => lab?.destroy(), 120_000);

        test("shows its version", async () => {
            const { stdout } = await sh("npx", ["--no-install", "clustermesh", "--version"], lab.project);
            expect(stdout.trim()).toBe(JSON.parse(readFileSync("package.json", "utf8")).version);
        });

        test("plans", async () => {
            const { clusters, meshes } = await clustermesh<PlanReport>("plan");
            expect(clusters.map(({ name }) => name)).toEqual(["c1", "c2"]);
            expect(meshes).toMatchObject([{ members: ["c1", "c2"] }]);
        });

        test("deploys on the real engine, gates included, and changes nothing the second time", async () => {
            const { stacks } = await clustermesh<OperationReport>("up");
            expect(stacks.map(({ stack, result }) => [stack, result])).toEqual([
                ["one", "succeeded"],
                ["two", "succeeded"],
                ["mesh", "succeeded"],
            ]);
            await clustermesh<OperationReport>("up", "--expect-no-changes");
        });

        test("exports the library", async () => {
            const script = `
            import { deployMesh, destroyMesh } from "clustermesh/driver";
            import { readProject } from "clustermesh/project";
            import { readDeployed } from "clustermesh/deployed";
            import { verify } from "clustermesh/verify";
            const stacks = await readDeployed(readProject("."), { folder: ".", env: {} });
            console.log(JSON.stringify([typeof deployMesh, typeof destroyMesh, typeof verify, stacks.map(({ cluster, mesh }) => cluster?.name ?? Object.keys(mesh.members))]));
        `;
            const { stdout } = await sh(process.execPath, ["--input-type=module", "-e", script], lab.project, lab.env);
            expect(JSON.parse(stdout)).toEqual(["function", "function", "function", ["c1", "c2", ["c1", "c2"]]]);
        });

        test("writes stack files that name its schema, and destroys", async () => {
            await clustermesh("add", "three", "--region", "eu-west-1");
            expect((await clustermesh<PlanReport>("plan")).clusters).toHaveLength(3);
            const { stacks } = await clustermesh<OperationReport>("destroy", "mesh", "one", "two", "--yes");
            expect(stacks.map(({ result }) => result)).toEqual(["succeeded", "succeeded", "succeeded"]);
        });
    },
);

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Context, UsageError } from "../../../cli/command.ts";
import { doctor } from "../../../cli/commands/doctor.ts";
import { status } from "../../../cli/commands/status.ts";
import { topology } from "../../../cli/commands/topology.ts";
import { verify } from "../../../cli/commands/verify.ts";
import type { DeployedStack } from "../../../cli/engine/deployed.ts";
import { Evidence } from "../../../core/doctor/evidence.ts";
import { allPassed } from "../../../core/verify/report.ts";
import { deployedCluster, deployedMesh, notDeployed } from "./fake-project.ts";

// Two meshes whose clusters have the same names, as of a test and a production environment.
const DEPLOYED = [
    deployedCluster("prod1", "cluster1"),
    deployedCluster("prod2", "cluster2"),
    deployedCluster("test1", "cluster1"),
    deployedCluster("test2", "cluster2"),
    deployedMesh("prod", { cluster1: "prod1", cluster2: "prod2" }),
    deployedMesh("test", { cluster1: "test1", cluster2: "test2" }),
];

const fakes = vi.hoisted(() => ({ deployed: [] as unknown[], gathered: [] as string[][], verified: [] as string[][] }));

vi.mock("../../../cli/engine/deployed.ts", () => ({ readDeployed: async () => fakes.deployed }));
vi.mock("../../../cli/gather.ts", () => ({
    gather: async (stacks: DeployedStack[]) => {
        const names = stacks.map(({ stack }) => stack);
        fakes.gathered.push(names);
        const evidence = Evidence.parse(JSON.parse(readFileSync("tests/unit/recorded/healthy-mesh.json", "utf8")));
        // Something to find in one of the meshes.
        const [first] = evidence.stacks;
        if (names.includes("test") && first) first.last = { kind: "update", result: "failed", at: evidence.gatheredAt };
        return evidence;
    },
}));
vi.mock("../../../cli/verify.ts", () => ({
    verify: async (kubeconfigs: Record<string, string>) => {
        fakes.verified.push(Object.values(kubeconfigs));
        return {
            version: 1,
            startedAt: "2026-01-01T00:00:00Z",
            seconds: 1,
            clusters: [],
            checks: [],
            readiness: [],
            nodeLists: [],
            pairs: [],
            services: [],
        };
    },
}));

let context: Context;
beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), "clustermesh-meshes-"));
    const write = (stack: string, settings: object) =>
        writeFileSync(join(folder, `Pulumi.${stack}.yaml`), JSON.stringify({ config: { "clustermesh:stack": settings } }));
    for (const [i, mesh] of ["prod", "test"].entries()) {
        for (const id of [1, 2])
            write(`${mesh}${id}`, {
                kind: "cluster",
                name: `cluster${id}`,
                id,
                region: "eu-central-1",
                vpcCidr: `10.${10 * i + id}.0.0/16`,
            });
        write(mesh, { kind: "mesh", clusters: [`${mesh}1`, `${mesh}2`] });
    }
    context = { folder, env: {}, signal: new AbortController().signal, log: () => {} };
    Object.assign(fakes, { deployed: DEPLOYED, gathered: [], verified: [] });
});
afterEach(() => rmSync(context.folder, { recursive: true }));

const PROD = ["prod1", "prod2", "prod"];
const ALL = DEPLOYED.map(({ stack }) => stack);

test("doctor without a mesh gathers evidence about all of them", async () => {
    const evidenceFile = join(context.folder, "evidence.json");
    const { code, report } = await doctor.run(context, { evidence: evidenceFile }, []);
    expect(fakes.gathered).toEqual([ALL]);
    expect(doctor.report.parse(report).rules.flatMap(({ findings }) => findings)).toHaveLength(1);
    expect(code).toBe(1);
    expect(Evidence.parse(JSON.parse(readFileSync(evidenceFile, "utf8"))).stacks).toHaveLength(3);
});

test("doctor of one mesh gathers nothing about the other", async () => {
    const { code } = await doctor.run(context, {}, ["prod"]);
    expect(fakes.gathered).toEqual([PROD]);
    expect(code).toBe(0);
    await expect(doctor.run(context, {}, ["prd"])).rejects.toThrow("mesh stack prd does not exist: did you mean prod?");
});

test("status shows all meshes, or the one named", async () => {
    const all = await status.run(context, {}, []);
    expect(fakes.gathered).toEqual([ALL]);
    expect(status.report.parse(all.report).problems).toHaveLength(1);
    expect(all.code).toBe(1);
    const prod = await status.run(context, {}, ["prod"]);
    expect(prod.report).toMatchObject({ pairs: [{ a: "cluster1", b: "cluster2" }], problems: [] });
    expect(prod.code).toBe(0);
});

test("verify tests the clusters of the named mesh only, and asks for the mesh if there are several", async () => {
    const ending = await verify.run(context, {}, ["test"]);
    expect(fakes.verified).toEqual([["kubeconfig of test1", "kubeconfig of test2"]]);
    // The fake has checked nothing, which proves nothing.
    expect([ending.code, allPassed(ending.report)]).toEqual([1, false]);
    const unnamed = verify.run(context, {}, []);
    await expect(unnamed).rejects.toThrow(UsageError);
    await expect(unnamed).rejects.toThrow("the folder has several meshes: name one of prod, test as <mesh>");
});

test("verify refuses a mesh that is not deployed, and says why, whatever is deployed beside it", async () => {
    fakes.deployed = [...DEPLOYED.slice(0, 5), notDeployed("test", "mesh")];
    await expect(verify.run(context, {}, ["test"])).rejects.toThrow(
        "mesh test is not deployed: nothing to verify\nstack test has no outputs",
    );
    expect(fakes.verified).toEqual([]);
});

test("topology draws the facts of the named mesh", async () => {
    const { report } = await topology.run(context, { mermaid: true }, ["test"]);
    expect(report).toMatchObject({ mesh: "test" });
    await expect(topology.run(context, { mermaid: true }, [])).rejects.toThrow("name one of prod, test as <mesh>");
});

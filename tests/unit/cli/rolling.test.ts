import { expect, test } from "vitest";
import type { DeployedStack } from "../../../cli/engine/deployed.ts";
import { type Results, StackError, type Stacks, StacksError } from "../../../cli/engine/driver.ts";
import { deployRolling, type RollingActions } from "../../../cli/engine/rolling.ts";
import type { Project } from "../../../core/settings/project.ts";
import { deployedCluster, deployedMesh, notDeployed, project } from "./fake-project.ts";

/** A world in which every run of a stack changes it unless it is in `unchanged`, and fails if it is in `failing`. */
function world(
    files: Project,
    state: Record<string, DeployedStack>,
    { unchanged = [], failing = [], stuck = [] }: { unchanged?: string[]; failing?: string[]; stuck?: string[] } = {},
) {
    const steps: string[] = [];
    const actions: RollingActions = {
        async deploy({ clusters, meshes }, { env }) {
            expect(env).toEqual({ PASSPHRASE: "x", CLUSTERMESH_ROLLING: "true" });
            const results: Results = new Map();
            for (const stack of [...clusters, ...meshes]) {
                steps.push(`up ${stack}`);
                if (failing.includes(stack)) throw new StacksError([new StackError(stack, ["refused"], undefined)], results, []);
                results.set(stack, unchanged.includes(stack) ? { same: 3 } : { update: 1, same: 2 });
                if (clusters.includes(stack)) state[stack] = deployedCluster(stack);
                else {
                    const names =
                        files.meshes.find((mesh) => mesh.stack === stack)?.config.clusters.map((full) => full.split("/").at(-1) ?? "") ??
                        [];
                    state[stack] = deployedMesh(stack, Object.fromEntries(names.map((name) => [name, name])));
                }
            }
            return results;
        },
        async read() {
            return Object.values(state);
        },
        async awaitAgents(members, gate) {
            const names = members.map(({ stack }) => stack).join("+");
            steps.push(`await ${names} ${gate.timeoutSeconds} s`);
            if (stuck.includes(names)) throw new Error("the mesh is not ready");
        },
    };
    const run = (stacks: Stacks) => deployRolling(files, stacks, { folder: ".", env: { PASSPHRASE: "x" } }, () => {}, actions);
    return { steps, run };
}

const TWO = project({ "mesh-a": ["a1", "a2"], "mesh-b": ["b1", "b2"] });
const ALL = { clusters: ["a1", "a2", "b1", "b2"], meshes: ["mesh-a", "mesh-b"] };
const deployedTwo = (): Record<string, DeployedStack> => ({
    ...Object.fromEntries(ALL.clusters.map((stack) => [stack, deployedCluster(stack)])),
    "mesh-a": deployedMesh("mesh-a", { a1: "a1", a2: "a2" }),
    "mesh-b": deployedMesh("mesh-b", { b1: "b1", b2: "b2" }),
});

test("after each cluster, deploys the mesh of that cluster and waits for that mesh only", async () => {
    const { steps, run } = world(TWO, deployedTwo());
    const results = await run(ALL);
    expect(steps).toEqual([
        ...["up a1", "up mesh-a", "await a1+a2 900 s"],
        ...["up a2", "up mesh-a", "await a1+a2 900 s"],
        ...["up b1", "up mesh-b", "await b1+b2 900 s"],
        ...["up b2", "up mesh-b", "await b1+b2 900 s"],
        ...["up mesh-a", "up mesh-b"],
    ]);
    // Changes add up over the runs of a mesh; resources that stayed the same count once.
    expect(results.get("mesh-a")).toEqual({ update: 3, same: 2 });
    expect(results.get("a1")).toEqual({ update: 1, same: 2 });
});

test("does not wait after a cluster without changes", async () => {
    const { steps, run } = world(TWO, deployedTwo(), { unchanged: ["a1", "a2", "b1"] });
    await run(ALL);
    expect(steps).toEqual(["up a1", "up a2", "up b1", "up b2", "up mesh-b", "await b1+b2 900 s", "up mesh-a", "up mesh-b"]);
});

test("a first deployment deploys a mesh once its last cluster is there", async () => {
    const state = Object.fromEntries([
        ...ALL.clusters.map((stack) => [stack, notDeployed(stack, "cluster")] as const),
        ...ALL.meshes.map((stack) => [stack, notDeployed(stack, "mesh")] as const),
    ]);
    const { steps, run } = world(TWO, state);
    await run(ALL);
    expect(steps).toEqual([
        "up a1",
        ...["up a2", "up mesh-a", "await a1+a2 900 s"],
        "up b1",
        ...["up b2", "up mesh-b", "await b1+b2 900 s"],
        ...["up mesh-a", "up mesh-b"],
    ]);
});

test("waits for the mesh of a selected cluster, but does not deploy a mesh that was not selected", async () => {
    const { steps, run } = world(TWO, deployedTwo());
    await run({ clusters: ["b1"], meshes: [] });
    expect(steps).toEqual(["up b1", "await b1+b2 900 s"]);
});

test("stops at a failure and reports what succeeded and what was not started", async () => {
    const { steps, run } = world(TWO, deployedTwo(), { failing: ["a2"] });
    const error = await run(ALL).catch((error: StacksError) => error);
    expect(steps).toEqual(["up a1", "up mesh-a", "await a1+a2 900 s", "up a2"]);
    expect(error).toBeInstanceOf(StacksError);
    const { results, untouched, errors } = error as StacksError;
    expect([...results.keys()]).toEqual(["a1", "mesh-a"]);
    expect(untouched).toEqual(["b1", "b2", "mesh-b"]);
    expect(errors).toMatchObject([{ stackName: "a2", reasons: ["refused"] }]);
});

test("touches nothing further if the agents do not see each other in time", async () => {
    const { steps, run } = world(TWO, deployedTwo(), { stuck: ["a1+a2"] });
    await expect(run(ALL)).rejects.toThrow("the mesh is not ready");
    expect(steps).toEqual(["up a1", "up mesh-a", "await a1+a2 900 s"]);
});

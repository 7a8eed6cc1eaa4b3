import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { automation } from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DriverOptions, deployMesh, destroyMesh, previewMesh } from "../../cli/engine/driver.ts";
import { engine } from "../../cli/engine/engine.ts";
import { readProject } from "../../cli/project/stack-files.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import { type Lab, startLab } from "../../packages/lab/lab.ts";
import { pathMatrix } from "../../packages/lab/matrix.ts";
import { family, processTable } from "../../packages/lab/process/process-tree.ts";
import { stackFiles } from "../../packages/lab/project.ts";
import { BUILD_TIMEOUT, temporaryFolder, whyNoTools } from "../../packages/lab/tests/harness.ts";

const CLUSTERS = { clusters: ["cluster1", "cluster2"], meshes: [] };
const MESH = { clusters: [], meshes: ["mesh"] };
const ALL = { clusters: CLUSTERS.clusters, meshes: MESH.meshes };
const STACKS = [...ALL.clusters, ...ALL.meshes];
/** Number of runs to kill: of the cluster stacks, then of the mesh stack. */
const KILLS = { clusters: 6, mesh: 4 };
/** Maximum number of operations between two kills: small enough to leave some for the last run. */
const MAX_RESOURCES = { clusters: 16, mesh: 6 };

describe.skipIf(await whyNoTools())("killed runs", { timeout: 900_000 }, () => {
    let lab: Lab;
    let driver: DriverOptions;
    // Printed to reproduce a failure: CLUSTERMESH_SEED=... npx vitest run tests/e2e/killed.test.ts
    const seed = Number(process.env.CLUSTERMESH_SEED ?? Date.now() % 100_000);
    const random = randomFrom(seed);

    beforeAll(async () => {
        console.log(`CLUSTERMESH_SEED=${seed}`);
        lab = await startLab({
            folder: join(await temporaryFolder(), "lab"),
            stacks: stackFiles(readProject(".")),
            simulatedNodes: true,
            log: (line) => console.log(line),
        });
        driver = { folder: lab.project, env: lab.env };
    }, BUILD_TIMEOUT);
    afterAll(() => lab?.destroy(), 120_000);

    test("after kills at ten random points, further runs end like undisturbed ones: no duplicates, nothing missing", async () => {
        await deployMesh(ALL, driver);
        const undisturbed = { resourceCounts: resourceCounts(), resources: await Promise.all(STACKS.map(resources)) };
        await destroyMesh(ALL, driver);

        let kills = 0;
        for (const [stacks, count, maxResources] of [
            [CLUSTERS, KILLS.clusters, MAX_RESOURCES.clusters],
            [MESH, KILLS.mesh, MAX_RESOURCES.mesh],
        ] as const) {
            for (let i = 0; i < count; i++) {
                if (await killedRun(stacks, 1 + random(maxResources))) kills += 1;
                // Removes the lock that a killed run leaves, as the engine's error message advises.
                for (const stack of [...stacks.clusters, ...stacks.meshes]) await (await selectStack(stack)).cancel();
            }
            await deployMesh(stacks, driver);
        }
        expect(kills).toBe(KILLS.clusters + KILLS.mesh);

        expect(resourceCounts()).toEqual(undisturbed.resourceCounts);
        expect(await Promise.all(STACKS.map(resources))).toEqual(undisturbed.resources);
        expect(pathMatrix(lab.aws, lab.clusters.running(), { protocol: "tcp", port: 8080 }).filter(({ open }) => !open)).toEqual([]);
        for (const [stack, { same: _, ...others }] of await previewMesh(ALL, driver)) expect(others, stack).toEqual({});
    });

    test("the engine reports interrupted creations as pending until a refresh clears them", async () => {
        for (const name of STACKS) {
            const stack = await selectStack(name);
            const { pending_operations: pendingOperations, resources: registered } = await exported(name);
            for (const { type, resource } of pendingOperations ?? []) {
                expect(type).toBe("creating");
                expect(registered.map(({ urn }) => urn)).toContain(resource.urn);
            }
            await stack.refresh({ clearPendingCreates: true });
            expect((await exported(name)).pending_operations ?? []).toEqual([]);
        }
        for (const [stack, { same: _, ...others }] of await previewMesh(ALL, driver)) expect(others, stack).toEqual({});
    });

    test("destroy leaves nothing", async () => {
        await destroyMesh(ALL, driver);
        expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
    });

    const selectStack = async (stackName: string) =>
        automation.LocalWorkspace.selectStack(
            { stackName, workDir: lab.project },
            { envVars: lab.env, pulumiCommand: await engine(lab.env) },
        );

    async function exported(stackName: string) {
        return (await (await selectStack(stackName)).exportStack()).deployment as {
            resources: { urn: string }[];
            pending_operations?: { type: string; resource: { urn: string } }[];
        };
    }

    /** URNs of all resources in a stack's state. Some contain AWS ids, which differ in every deployment and are masked. */
    async function resources(stackName: string): Promise<string[]> {
        return (await exported(stackName)).resources.map(({ urn }) => urn.replace(/\b(rtb|sg)-[0-9a-f]{17}\b/, "$1-ID")).toSorted();
    }

    /** Number of resources in the simulated AWS, by place and table. */
    function resourceCounts(): Record<string, number> {
        const counts: Record<string, number> = {};
        for (const { place, table } of lab.aws.remains(ALL_TABLES)) counts[`${place} ${table}`] = (counts[`${place} ${table}`] ?? 0) + 1;
        return counts;
    }

    /**
     * Deploys, and kills all engines once `after` operations have started.
     *
     * @returns whether the engines were killed
     */
    async function killedRun(stacks: typeof CLUSTERS | typeof MESH, after: number): Promise<boolean> {
        let started = 0;
        let killed = false;
        const onEvent: DriverOptions["onEvent"] = async (_, { resourcePreEvent }) => {
            if (!resourcePreEvent || resourcePreEvent.metadata.op === "same") return;
            started += 1;
            if (started !== after) return;
            await sleep(random(150));
            killed = true;
            const table = processTable();
            const engines = family(table, process.pid).filter(({ name }) => name === "pulumi");
            for (const { pid } of engines.flatMap((engine) => family(table, engine.pid))) kill(pid);
        };
        await deployMesh(stacks, { ...driver, onEvent }).catch((error) => {
            if (!killed) throw error;
        });
        return killed;
    }
});

function kill(pid: number): void {
    try {
        process.kill(pid, "SIGKILL");
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}

/** Returns a generator of random integers below a bound, deterministic by seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
}

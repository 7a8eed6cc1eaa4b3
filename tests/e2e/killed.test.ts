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
/** Of the clusters' runs, then of the mesh's. */
const KILLS = { clusters: 6, mesh: 4 };
/** So many resources at most are begun between two kills: few enough that some are left for the last. */
const APART = { clusters: 16, mesh: 6 };

describe.skipIf(await whyNoTools())("runs that are killed", { timeout: 900_000 }, () => {
    let lab: Lab;
    let driver: DriverOptions;
    // Printed, so that a failure can be had again: CLUSTERMESH_SEED=... npx vitest run tests/lab/killed.test.ts
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

    test("killed at ten random points and run again, they end as undisturbed ones do, with nothing twice and nothing lost", async () => {
        await deployMesh(ALL, driver);
        const undisturbed = { rows: rows(), resources: await Promise.all(STACKS.map(resources)) };
        await destroyMesh(ALL, driver);

        let kills = 0;
        for (const [stacks, count, apart] of [
            [CLUSTERS, KILLS.clusters, APART.clusters],
            [MESH, KILLS.mesh, APART.mesh],
        ] as const) {
            for (let i = 0; i < count; i++) {
                if (await killedRun(stacks, 1 + random(apart))) kills += 1;
                // What the engine says to do about the lock that such a run leaves.
                for (const stack of [...stacks.clusters, ...stacks.meshes]) await (await open(stack)).cancel();
            }
            await deployMesh(stacks, driver);
        }
        expect(kills).toBe(KILLS.clusters + KILLS.mesh);

        expect(rows()).toEqual(undisturbed.rows);
        expect(await Promise.all(STACKS.map(resources))).toEqual(undisturbed.resources);
        expect(pathMatrix(lab.aws, lab.clusters.running(), { protocol: "tcp", port: 8080 }).filter(({ open }) => !open)).toEqual([]);
        for (const [stack, { same: _, ...others }] of await previewMesh(ALL, driver)) expect(others, stack).toEqual({});
    });

    test("the engine goes on naming what was in doubt, until somebody has looked and says that it is settled", async () => {
        for (const name of STACKS) {
            const stack = await open(name);
            const { pending_operations: doubts, resources: known } = await exported(name);
            for (const { type, resource } of doubts ?? []) {
                expect(type).toBe("creating");
                expect(known.map(({ urn }) => urn)).toContain(resource.urn);
            }
            await stack.refresh({ clearPendingCreates: true });
            expect((await exported(name)).pending_operations ?? []).toEqual([]);
        }
        for (const [stack, { same: _, ...others }] of await previewMesh(ALL, driver)) expect(others, stack).toEqual({});
    });

    test("destroyed, they leave nothing", async () => {
        await destroyMesh(ALL, driver);
        expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
    });

    const open = async (stackName: string) =>
        automation.LocalWorkspace.selectStack(
            { stackName, workDir: lab.project },
            { envVars: lab.env, pulumiCommand: await engine(lab.env) },
        );

    async function exported(stackName: string) {
        return (await (await open(stackName)).exportStack()).deployment as {
            resources: { urn: string }[];
            pending_operations?: { type: string; resource: { urn: string } }[];
        };
    }

    /** URNs of all that the state of a stack holds; AWS's ids, of which some are a part, are new each time. */
    async function resources(stackName: string): Promise<string[]> {
        return (await exported(stackName)).resources.map(({ urn }) => urn.replace(/\b(rtb|sg)-[0-9a-f]{17}\b/, "$1-ID")).toSorted();
    }

    /** How much there is of what the simulated AWS has, by place and table. */
    function rows(): Record<string, number> {
        const counts: Record<string, number> = {};
        for (const { place, table } of lab.aws.remains(ALL_TABLES)) counts[`${place} ${table}`] = (counts[`${place} ${table}`] ?? 0) + 1;
        return counts;
    }

    /** Deploys, and kills all engines once so many resources have been begun. @returns whether it came to that */
    async function killedRun(stacks: typeof CLUSTERS | typeof MESH, after: number): Promise<boolean> {
        let begun = 0;
        let killed = false;
        const onEvent: DriverOptions["onEvent"] = async (_, { resourcePreEvent }) => {
            if (!resourcePreEvent || resourcePreEvent.metadata.op === "same") return;
            begun += 1;
            if (begun !== after) return;
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

/** Numbers below a bound, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
}

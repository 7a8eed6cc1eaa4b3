import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deployMesh, destroyMesh } from "../../cli/engine/driver.ts";
import { readProject } from "../../cli/project/stack-files.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import { startLab } from "../../packages/lab/lab.ts";
import { until } from "../../packages/lab/process/until.ts";
import { stackFiles } from "../../packages/lab/project.ts";
import { BUILD_TIMEOUT, temporaryFolder } from "../../packages/lab/tests/harness.ts";
import { recordTraces } from "./leftovers.ts";
import { ALL, whyNoRealLab, wrapLab } from "./real-lab.ts";

/** One in CI, in addition to the run in data-plane.test.ts. For twenty: CLUSTERMESH_RUNS=20 npx vitest run tests/e2e/runs.test.ts */
const RUNS = Number(process.env.CLUSTERMESH_RUNS ?? 1);
/** A run takes a minute and a half on an idle machine. */
const RUN_TIMEOUT = 300_000;

const why = await whyNoRealLab();

test.skipIf(why)(
    "a lab that fails to start stops everything it has started",
    async () => {
        const folder = await temporaryFolder();
        const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
        const before = children();
        // The lab's last step is to write a file of this name.
        await mkdir(join(folder, "env"));
        await expect(startLab({ folder, stacks: {}, log: () => {} })).rejects.toThrow("EISDIR");
        const owners = readdirSync("/run/clustermesh").map((network) => readFileSync(join("/run/clustermesh", network), "utf8"));
        expect(owners.filter((owner) => owner.startsWith(`${process.pid} `))).toEqual([]);
        expect(children()).toBe(before);
    },
    BUILD_TIMEOUT,
);

test.skipIf(why)(
    `${RUNS} labs in a row deploy, pass verify, are destroyed and leave nothing`,
    { timeout: BUILD_TIMEOUT + RUNS * RUN_TIMEOUT },
    async () => {
        const plan = readProject(".");
        for (const { config } of plan.clusters) Object.assign(config.nodeGroup, { min: 1, desired: 1 });
        const stacks = stackFiles(plan);
        for (let run = 1; run <= RUNS; run++) {
            const start = performance.now();
            const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
            const lab = await startLab({ folder: join(await temporaryFolder(), "lab"), stacks, log: (line) => console.log(line) });
            try {
                const real = wrapLab(lab);
                await deployMesh(ALL, real.driver);
                const leftovers = recordTraces(join(lab.project, ".."), lab.dataPlane.network?.namespaceOf("").split("-")[0] ?? "");
                const { checks } = await real.verify({ only: ["agents", "pairs"], nodesPerCluster: 1 });
                expect(checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
                console.log(`run ${run}: verified after ${seconds()} s`);
                await destroyMesh(ALL, real.driver);
                expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
                await lab.destroy();
                // A cgroup can be removed once the last process in it has been reaped.
                await until(async () => leftovers().length === 0 || undefined, 10_000, "something is left").catch(() => {});
                expect(leftovers()).toEqual([]);
                console.log(`run ${run}: destroyed after ${seconds()} s`);
            } finally {
                await lab.destroy();
            }
        }
    },
);

import { availableParallelism, totalmem } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What a file takes that runs a lab; they mostly wait, so that there is work for more of them than cores. */
const BYTES_PER_FILE = 5 * 2 ** 30;
const FILES_PER_CORE = 1.5;

/** Files that take minutes, the longest first: one that begins last holds up the end. On a fresh clone vitest knows no more of them than their size. */
const SLOWEST = [
    "tests/e2e/data-plane",
    "tests/e2e/data-plane-faults",
    "tests/e2e/killed",
    "tests/e2e/cli",
    "tests/e2e/doctor",
    "tests/e2e/lab",
    "tests/e2e/runs",
    "packages/lab/tests/run",
    "tests/e2e/verify",
    "packages/lab/tests/nodes-simulated/mesh-client",
].map((name) => `/${name}.test.ts`);

class SlowestFirst extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
        const rank = ({ moduleId }: TestSpecification) => {
            const index = SLOWEST.findIndex((file) => moduleId.endsWith(file));
            return index < 0 ? SLOWEST.length : index;
        };
        return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
    }
}

export default defineConfig({
    test: {
        include: ["tests/**/*.test.ts", "packages/*/tests/**/*.test.ts"],
        // Loading @pulumi/aws takes seconds on two cores; no test waits for anything else.
        testTimeout: 30_000,
        maxWorkers: Math.max(1, Math.floor(Math.min(FILES_PER_CORE * availableParallelism(), totalmem() / BYTES_PER_FILE))),
        sequence: { sequencer: SlowestFirst },
        reporters: process.env.CLUSTERMESH_TEST_REPORT
            ? ["default", ["json", { outputFile: process.env.CLUSTERMESH_TEST_REPORT }]]
            : ["default"],
    },
});

import { availableParallelism, totalmem } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Memory of a test file that runs a lab. */
const BYTES_PER_FILE = 5 * 2 ** 30;
/** Above 1, because tests that run a lab mostly wait. */
const FILES_PER_CORE = 1.5;

/** Files that take minutes, longest first, because one that starts last delays the end. On a fresh clone vitest knows only file sizes, not durations. */
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
        // Enough to load @pulumi/aws, which takes seconds on two cores. Slower tests set their own timeout.
        testTimeout: 90_000,
        maxWorkers: Math.max(1, Math.floor(Math.min(FILES_PER_CORE * availableParallelism(), totalmem() / BYTES_PER_FILE))),
        sequence: { sequencer: SlowestFirst },
        reporters: process.env.CLUSTERMESH_TEST_REPORT
            ? ["default", ["json", { outputFile: process.env.CLUSTERMESH_TEST_REPORT }]]
            : ["default"],
    },
});

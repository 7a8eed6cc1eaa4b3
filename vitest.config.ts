import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["tests/**/*.test.ts"],
        // Loading @pulumi/aws takes seconds on two cores; no test waits for anything else.
        testTimeout: 30_000,
        reporters: process.env.CLUSTERMESH_TEST_REPORT
            ? ["default", ["json", { outputFile: process.env.CLUSTERMESH_TEST_REPORT }]]
            : ["default"],
    },
});

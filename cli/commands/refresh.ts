import type { Command } from "../command.ts";
import { operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { CONCURRENCY, EXPECT_NO_CHANGES, ORDER, operationSettings, STACKS } from "../operation/settings.ts";
import { readValidProject, selectStacks } from "../project/selection.ts";

export const refresh: Command<OperationReport> = {
    name: "refresh",
    summary: "Update the state from what really exists; shows drift",
    operands: STACKS,
    details: `${ORDER}\nManual changes are shown as changes; \`up --refresh\` reverts them.`,
    options: {
        ...CONCURRENCY,
        "preview-only": { type: "boolean", help: "Show drift only; do not change the state" },
        ...EXPECT_NO_CHANGES,
    },
    report: OperationReport,
    async run(context, options, operands) {
        const stacks = selectStacks(readValidProject(context), operands);
        const { refreshMesh, driftOfMesh } = await import("../engine/driver.ts");
        const run = options["preview-only"] ? driftOfMesh : refreshMesh;
        return operate(context, { ...operationSettings("refresh", stacks, options), run });
    },
};

import type { Command } from "../command.ts";
import { operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { CONCURRENCY, EXPECT_NO_CHANGES, ORDER, operationSettings, REFRESH, readStacks, STACKS } from "../operation/settings.ts";
import { readFittingProject, selectStacks } from "../project/selection.ts";

export const preview: Command<OperationReport> = {
    name: "preview",
    summary: "Show what `up` would change",
    operands: STACKS,
    details: `${ORDER}\nA mesh is compared with what its clusters have published, so it can be previewed only once all of\nthem are deployed.`,
    options: { ...CONCURRENCY, ...REFRESH, ...EXPECT_NO_CHANGES },
    report: OperationReport,
    async run(context, options, operands) {
        const project = readFittingProject(context);
        const stacks = selectStacks(project, operands);
        const [{ previewMesh }, { blockedMeshes }, deployed] = await Promise.all([
            import("../engine/driver.ts"),
            import("../engine/meshes.ts"),
            readStacks(project, context),
        ]);
        const leftOut = [...blockedMeshes(project, deployed)].map(([mesh, clusters]) => [mesh, whyBlocked(clusters)] as const);
        return operate(context, {
            ...operationSettings("preview", stacks, options),
            run: previewMesh,
            totals: new Map(deployed.map(({ stack, resources }) => [stack, resources])),
            leftOut: new Map(leftOut),
        });
    },
};

function whyBlocked(clusters: readonly string[]): string {
    return `it can be previewed once ${clusters.join(", ")} ${clusters.length > 1 ? "are" : "is"} deployed`;
}

import { clusterResources } from "../../core/plan/resources.ts";
import type { Project } from "../../core/settings/project.ts";
import type { Command, Context } from "../command.ts";
import { type Operation, operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { CONCURRENCY, EXPECT_NO_CHANGES, ORDER, operationSettings, REFRESH, readStacks, STACKS } from "../operation/settings.ts";
import { readFittingProject, selectStacks } from "../project/selection.ts";

export const up: Command<OperationReport> = {
    name: "up",
    summary: "Deploy clusters, then the mesh",
    operands: STACKS,
    details: `${ORDER} Ends when every agent sees every other cluster.\nSafe to repeat: the same command completes an interrupted run. Does not ask for confirmation: run\n\`preview\` first to see the changes.`,
    options: {
        ...CONCURRENCY,
        ...REFRESH,
        rolling: { type: "boolean", help: "Deploy one cluster at a time, waiting for a healthy mesh after each" },
        ...EXPECT_NO_CHANGES,
    },
    report: OperationReport,
    async run(context, options, operands) {
        const project = readFittingProject(context);
        const stacks = selectStacks(project, operands);
        const { deployMesh } = await import("../engine/driver.ts");
        const settings = { ...operationSettings("up", stacks, options), totals: resourceTotals(project, context) };
        if (!options.rolling) return operate(context, { ...settings, run: deployMesh });
        const { deployRolling } = await import("../engine/rolling.ts");
        const run: Operation["run"] = (chosen, driver) => deployRolling(project, chosen, driver, context.log);
        return operate(context, { ...settings, run });
    },
};

/** Expected number of resources per stack: from the stack files at first, and from the state as soon as it has been read. */
function resourceTotals(project: Project, context: Context): ReadonlyMap<string, number> {
    const totals = new Map(project.clusters.map(({ stack, config }) => [stack, sum(Object.values(clusterResources(config)))]));
    // Not awaited: reading the state is slow, and the totals are only shown.
    void readStacks(project, context).then(
        (deployed) => {
            for (const { stack, resources, pending } of deployed) {
                totals.set(stack, Math.max(resources, totals.get(stack) ?? 0));
                if (pending.length > 0) context.log(`${stack}: a killed run was creating ${pending.join(", ")}`);
            }
        },
        () => {},
    );
    return totals;
}

function sum(numbers: readonly number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
}

import { shortStackName } from "../../core/stack-names.ts";
import { type Command, UsageError } from "../command.ts";
import type { DeployedStack } from "../engine/deployed.ts";
import type { Stacks } from "../engine/driver.ts";
import { operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { CONCURRENCY, operationSettings, readStacks, STACKS } from "../operation/settings.ts";
import { readValidProject, selectStacks } from "../project/selection.ts";

export const destroy: Command<OperationReport> = {
    name: "destroy",
    summary: "Destroy the mesh, then the clusters",
    operands: STACKS,
    details:
        "Runs on all stacks of the folder, or on those named. Refuses a cluster that is still a member of a\ndeployed mesh: run `leave` first, or name the mesh too.",
    options: { ...CONCURRENCY, yes: { type: "boolean", short: "y", help: "Confirm: without this option nothing is destroyed" } },
    report: OperationReport,
    async run(context, options, operands) {
        const project = readValidProject(context);
        const stacks = selectStacks(project, operands);
        const [{ destroyMesh }, deployed] = await Promise.all([import("../engine/driver.ts"), readStacks(project, context)]);
        const bound = boundClusters(stacks, deployed);
        if (bound.length > 0) throw new UsageError(bound);
        const resources = new Map(deployed.map(({ stack, resources }) => [stack, resources]));
        if (!options.yes) {
            const names = [...stacks.meshes, ...stacks.clusters];
            const list = names.map((stack) => `${stack} (${resources.get(stack) ?? 0} resources)`).join(", then ");
            throw new UsageError(`this would destroy ${list}: add --yes to confirm`);
        }
        return operate(context, { ...operationSettings("destroy", stacks, options), run: destroyMesh, totals: resources });
    },
};

/** Why clusters cannot be destroyed: they are members of a deployed mesh that is not destroyed with them. */
function boundClusters(stacks: Stacks, deployed: readonly DeployedStack[]): string[] {
    return deployed.flatMap(({ stack: mesh, mesh: outputs }) => {
        if (typeof outputs !== "object" || stacks.meshes.includes(mesh)) return [];
        const members = Object.values(outputs.members).map(({ stack }) => shortStackName(stack));
        return members
            .filter((stack) => stacks.clusters.includes(stack))
            .map(
                (stack) =>
                    `${stack} is a member of the deployed mesh ${mesh}: run \`clustermesh leave ${stack}\` first, or name ${mesh} too`,
            );
    });
}

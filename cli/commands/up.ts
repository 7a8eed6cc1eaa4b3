import { planReport } from "../../core/plan/report.ts";
import { clusterResources } from "../../core/plan/resources.ts";
import type { Project } from "../../core/settings/project.ts";
import { shortStackName } from "../../core/stack-names.ts";
import type { Command, Context, OptionValues } from "../command.ts";
import { didYouMean, numberOption, type Option, UsageError } from "../command.ts";
import type { Stacks } from "../engine/driver.ts";
import { type Operation, OperationReport, operate } from "../operation.ts";
import { DEFAULT_PROJECT, readProject, stackNames } from "../project/stack-files.ts";

const CONCURRENCY: Record<string, Option> = {
    concurrency: { type: "string", value: "<n>", help: "clusters that run at a time (default: all)" },
};
const REFRESH: Option = { type: "boolean", help: "reads first what is really there, and puts back what was changed by hand" };
const EXPECT: Option = { type: "boolean", help: "ends with 1 if there are any" };
const OPERANDS = "[<stack>...]";
const ALL =
    "Of all stacks of the folder, or of those named: clusters beside each other, then the mesh, which is left alone when a cluster fails.";

/** What would be changed. */
export const preview: Command<OperationReport> = {
    name: "preview",
    summary: "what `up` would change",
    operands: OPERANDS,
    details: `${ALL}\nA mesh can be previewed once all its clusters are deployed, and against what those have published.`,
    options: { ...CONCURRENCY, refresh: REFRESH, "expect-no-changes": EXPECT },
    report: OperationReport,
    async run(context, options, operands) {
        const { plan, stacks } = choose(context, operands, { fit: true });
        const [{ previewMesh }, { meshesThatWait }, deployed] = await Promise.all([
            import("../engine/driver.ts"),
            import("../engine/deployed.ts"),
            readStacks(plan, context),
        ]);
        const why = (needs: readonly string[]) =>
            `it can be previewed once ${needs.join(", ")} ${needs.length > 1 ? "are" : "is"} deployed`;
        return operate(context, {
            ...common("preview", stacks, options),
            run: previewMesh,
            totals: new Map(deployed.map(({ stack, resources }) => [stack, resources])),
            leftOut: new Map([...meshesThatWait(plan, deployed)].map(([stack, needs]) => [stack, why(needs)])),
        });
    },
};

/** Deploys. */
export const up: Command<OperationReport> = {
    name: "up",
    summary: "deploys the clusters, then the mesh; ends when every agent sees every other cluster",
    operands: OPERANDS,
    details: `${ALL}\nSafe to repeat: an interrupted run is finished by the same command. Nothing is asked: \`preview\` shows before what would be changed.`,
    options: {
        ...CONCURRENCY,
        refresh: REFRESH,
        rolling: { type: "boolean", help: "one cluster at a time, the next only when the mesh is whole again" },
        "expect-no-changes": EXPECT,
    },
    report: OperationReport,
    async run(context, options, operands) {
        const { plan, stacks } = choose(context, operands, { fit: true });
        const { deployMesh } = await import("../engine/driver.ts");
        const totals = new Map(plan.clusters.map(({ stack, config }) => [stack, sum(Object.values(clusterResources(config)))]));
        // Beside the run: that it is slow must not hold up what it only decorates.
        void readStacks(plan, context).then(
            (deployed) => {
                for (const { stack, resources, pending } of deployed) {
                    totals.set(stack, Math.max(resources, totals.get(stack) ?? 0));
                    if (pending.length > 0) context.log(`${stack}: a killed run was making ${pending.join(", ")}`);
                }
            },
            () => {},
        );
        if (!options.rolling) return operate(context, { ...common("up", stacks, options), run: deployMesh, totals });
        const { deployRolling } = await import("../engine/rolling.ts");
        const run: Operation["run"] = (chosen, driver) => deployRolling(plan, chosen, driver, context.log);
        return operate(context, { ...common("up", stacks, options), run, totals });
    },
};

/** Takes over what is really there. */
export const refresh: Command<OperationReport> = {
    name: "refresh",
    summary: "takes over into the stacks' states what is really there",
    operands: OPERANDS,
    details: `${ALL}\nWhat was changed by hand shows here as changes; \`up\` puts it back.`,
    options: { ...CONCURRENCY, "preview-only": { type: "boolean", help: "shows it, and changes nothing" }, "expect-no-changes": EXPECT },
    report: OperationReport,
    async run(context, options, operands) {
        const { stacks } = choose(context, operands, { fit: false });
        const { refreshMesh, driftOfMesh } = await import("../engine/driver.ts");
        return operate(context, { ...common("refresh", stacks, options), run: options["preview-only"] ? driftOfMesh : refreshMesh });
    },
};

/** Removes. */
export const destroy: Command<OperationReport> = {
    name: "destroy",
    summary: "removes the mesh, then the clusters",
    operands: OPERANDS,
    details:
        "Of all stacks of the folder, or of those named. A cluster that is still part of a mesh is refused: `leave` first, or name the mesh too.",
    options: { ...CONCURRENCY, yes: { type: "boolean", short: "y", help: "really" } },
    report: OperationReport,
    async run(context, options, operands) {
        const { plan, stacks } = choose(context, operands, { fit: false });
        const [{ destroyMesh }, deployed] = await Promise.all([import("../engine/driver.ts"), readStacks(plan, context)]);
        const names = [...stacks.meshes, ...stacks.clusters];
        const bound = deployed.flatMap(({ stack: mesh, mesh: outputs }) =>
            typeof outputs === "object" && !stacks.meshes.includes(mesh)
                ? Object.values(outputs.members)
                      .map(({ stack }) => shortStackName(stack))
                      .filter((stack) => stacks.clusters.includes(stack))
                      .map(
                          (stack) =>
                              `${stack} is part of the deployed mesh ${mesh}: \`clustermesh leave ${stack}\` first, or name ${mesh} as well`,
                      )
                : [],
        );
        if (bound.length > 0) throw new UsageError(bound.join("\n"));
        const resources = new Map(deployed.map(({ stack, resources }) => [stack, resources]));
        if (!options.yes)
            throw new UsageError(
                `this would destroy ${names.map((stack) => `${stack} (${resources.get(stack) ?? 0} resources)`).join(", then ")}: add --yes to do it`,
            );
        return operate(context, { ...common("destroy", stacks, options), run: destroyMesh, totals: resources });
    },
};

async function readStacks(plan: Project, context: Context) {
    const { readDeployed } = await import("../engine/deployed.ts");
    return readDeployed(plan, context);
}

function sum(numbers: readonly number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
}

function common(name: Operation["name"], stacks: Stacks, options: OptionValues) {
    return {
        name,
        stacks,
        concurrency: numberOption(options, "concurrency"),
        refresh: options.refresh === true,
        expectNoChanges: options["expect-no-changes"] === true,
    };
}

/**
 * The stacks that were named, or all.
 *
 * @param fit whether the clusters must fit together as far as their files can tell, as they must before anything is made
 * @throws UsageError for names that there are not, and for everything that is wrong with the stack files
 */
export function choose(
    { folder }: Pick<Context, "folder">,
    names: readonly string[],
    { fit }: { fit: boolean },
): { plan: Project; stacks: Stacks } {
    const plan = readProject(folder);
    const { clusters, meshes } = stackNames(plan);
    const all = [...clusters, ...meshes];
    const wrong = [...plan.problems, ...(fit ? planReport(plan, DEFAULT_PROJECT).problems : [])].map((problem) => `✖ ${problem}`);
    // A stack whose file is wrong would be called unknown.
    const unknown = names.filter((name) => !all.includes(name)).map((name) => `there is no stack ${name}${didYouMean(name, all)}`);
    const problems = wrong.length > 0 ? wrong : unknown;
    if (problems.length === 0 && all.length === 0)
        problems.push(`${folder} has no stack file: README.md tells how to write the first ones`);
    if (problems.length > 0) throw new UsageError(problems.join("\n"));
    return { plan, stacks: stackNames(plan, names) };
}

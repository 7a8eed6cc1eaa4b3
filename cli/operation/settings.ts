import type { Project } from "../../core/settings/project.ts";
import { type Context, numberOption, type Option, type OptionValues } from "../command.ts";
import type { Stacks } from "../engine/driver.ts";
import type { Operation } from "./operate.ts";

export const CONCURRENCY: Record<string, Option> = {
    concurrency: { type: "string", value: "<n>", help: "Number of clusters to run in parallel (default: all)" },
};
export const REFRESH: Record<string, Option> = {
    refresh: { type: "boolean", help: "Refresh the state first, so that manual changes are reverted" },
};
export const EXPECT_NO_CHANGES: Record<string, Option> = {
    "expect-no-changes": { type: "boolean", help: "Exit with code 1 if there are any changes" },
};

/** Operands of a command that runs on all stacks of the folder, or on some. */
export const STACKS = "[<stack>...]";

/** For the details of a command with these operands. */
export const ORDER =
    "Runs on all stacks of the folder, or on those named: the clusters in parallel, then the mesh, which\nis not touched if a cluster fails.";

/** What the options say about an operation. */
export function operationSettings(name: Operation["name"], stacks: Stacks, options: OptionValues) {
    return {
        name,
        stacks,
        concurrency: numberOption(options, "concurrency"),
        refresh: options.refresh === true,
        expectNoChanges: options["expect-no-changes"] === true,
    };
}

/** What the state backend knows about the stacks. */
export async function readStacks(project: Project, context: Context) {
    const { readDeployed } = await import("../engine/deployed.ts");
    return readDeployed(project, context);
}

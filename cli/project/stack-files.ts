import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type ClusterConfig, type MeshConfig, parseConfig } from "../../core/settings/parse.ts";

/** The stacks of a project, in the order in which they are deployed: clusters beside each other, then the mesh. Destroyed the other way round. */
export interface Plan {
    clusters: { stack: string; config: ClusterConfig }[];
    meshes: { stack: string; config: MeshConfig }[];
    /** Everything that is wrong with the stack files, each with its file's name. */
    problems: string[];
    /** Stacks whose file is wrong: they are in neither list. */
    wrong?: string[];
}

/** What completes short stack names where nothing else is said: `organization` is what the file and object-store backends call theirs. */
export const PROJECT = "organization/clustermesh";

/** The names of a plan's stacks, or of some of them. @param some none: of all */
export function stackNames({ clusters, meshes }: Plan, some: readonly string[] = []): { clusters: string[]; meshes: string[] } {
    const names = (stacks: readonly { stack: string }[]) =>
        stacks.map(({ stack }) => stack).filter((stack) => some.length === 0 || some.includes(stack));
    return { clusters: names(clusters), meshes: names(meshes) };
}

const STACK_FILE = /^Pulumi\.(.+)\.yaml$/;

/**
 * Reads every stack file of a folder, without engine or credentials. Files without `clustermesh:stack` belong to something else and are left out.
 *
 * @param project "<organization>/<project>", which completes short stack names
 */
export function readPlan(folder: string, project = PROJECT): Plan {
    const plan: Plan & { wrong: string[] } = { clusters: [], meshes: [], problems: [], wrong: [] };
    for (const file of readdirSync(folder).toSorted()) {
        const stack = STACK_FILE.exec(file)?.[1];
        if (!stack) continue;
        const settings = stackSettings(join(folder, file));
        if (settings === undefined) continue;
        const { config, problems } = typeof settings === "string" ? { problems: [settings] } : parseConfig(settings.value, project);
        plan.problems.push(...problems.map((problem) => `${file}: ${problem}`));
        if (!config) plan.wrong.push(stack);
        if (config?.kind === "cluster") plan.clusters.push({ stack, config });
        if (config?.kind === "mesh") plan.meshes.push({ stack, config });
    }
    return plan;
}

/** What stands under `clustermesh:stack`; undefined: nothing does; a string: why the file cannot be read. */
function stackSettings(path: string): { value: unknown } | string | undefined {
    try {
        const value = (parse(readFileSync(path, "utf8")) as { config?: Record<string, unknown> } | null)?.config?.["clustermesh:stack"];
        return value === undefined ? undefined : { value };
    } catch (error) {
        return `is no YAML: ${error instanceof Error ? error.message.split("\n", 1)[0] : error}`;
    }
}

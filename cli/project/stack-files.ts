import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseConfig } from "../../core/settings/parse.ts";
import type { Project } from "../../core/settings/project.ts";

/** What completes short stack names where nothing else is said: `organization` is what the file and object-store backends call theirs. */
export const DEFAULT_PROJECT = "organization/clustermesh";

/** The names of a plan's stacks, or of some of them. @param some none: of all */
export function stackNames({ clusters, meshes }: Project, some: readonly string[] = []): { clusters: string[]; meshes: string[] } {
    const names = (stacks: readonly { stack: string }[]) =>
        stacks.map(({ stack }) => stack).filter((stack) => some.length === 0 || some.includes(stack));
    return { clusters: names(clusters), meshes: names(meshes) };
}

const STACK_FILE = /^Pulumi\.(.+)\.yaml$/;

/**
 * Reads every stack file of a folder, without engine or credentials. Files without `clustermesh:stack` belong to something else and are left out.
 *
 * @param projectName "<organization>/<project>", which completes short stack names
 */
export function readProject(folder: string, projectName = DEFAULT_PROJECT): Project {
    const project = {
        clusters: [] as Project["clusters"][number][],
        meshes: [] as Project["meshes"][number][],
        problems: [] as string[],
        invalid: [] as string[],
    };
    for (const file of readdirSync(folder).toSorted()) {
        const stack = STACK_FILE.exec(file)?.[1];
        if (!stack) continue;
        const settings = stackSettings(join(folder, file));
        if (settings === undefined) continue;
        const { config, problems } = typeof settings === "string" ? { problems: [settings] } : parseConfig(settings.value, projectName);
        project.problems.push(...problems.map((problem) => `${file}: ${problem}`));
        if (!config) project.invalid.push(stack);
        if (config?.kind === "cluster") project.clusters.push({ stack, config });
        if (config?.kind === "mesh") project.meshes.push({ stack, config });
    }
    return project;
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

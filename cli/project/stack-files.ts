import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseDocument } from "yaml";
import { SETTINGS_KEY } from "../../core/settings/key.ts";
import { parseConfig } from "../../core/settings/parse.ts";
import type { Project } from "../../core/settings/project.ts";

/** The project's name when Pulumi.yaml does not give one. */
const DEFAULT_NAME = "clustermesh";

/**
 * Completes the short stack names of a folder: `organization/<name>`, with the name from Pulumi.yaml. The file and object-store backends call their
 * organization `organization`.
 */
export function projectName(folder: string): string {
    const file = join(folder, "Pulumi.yaml");
    const name = existsSync(file) ? parseDocument(readFileSync(file, "utf8")).get("name") : undefined;
    return `organization/${typeof name === "string" ? name : DEFAULT_NAME}`;
}

/**
 * The names of a project's stacks.
 *
 * @param only keep these names; none: all
 */
export function stackNames({ clusters, meshes }: Project, only: readonly string[] = []): { clusters: string[]; meshes: string[] } {
    const names = (stacks: readonly { stack: string }[]) =>
        stacks.map(({ stack }) => stack).filter((stack) => only.length === 0 || only.includes(stack));
    return { clusters: names(clusters), meshes: names(meshes) };
}

const STACK_FILE = /^Pulumi\.(.+)\.yaml$/;

/** The stack files of a folder, sorted by name, read or not. */
export function stackFiles(folder: string): { stack: string; file: string; path: string }[] {
    return readdirSync(folder)
        .toSorted()
        .flatMap((file) => {
            const stack = STACK_FILE.exec(file)?.[1];
            return stack ? [{ stack, file, path: join(folder, file) }] : [];
        });
}

/**
 * Reads every stack file of a folder, without engine or credentials. Files without `clustermesh:stack` belong to other projects and are ignored.
 *
 * @param name "<organization>/<project>", which completes short stack names
 */
export function readProject(folder: string, name = projectName(folder)): Project {
    const project = {
        clusters: [] as Project["clusters"][number][],
        meshes: [] as Project["meshes"][number][],
        problems: [] as string[],
        invalid: [] as string[],
    };
    for (const { stack, file, path } of stackFiles(folder)) {
        const settings = stackSettings(path);
        if (settings === undefined) continue;
        const { config, problems } = typeof settings === "string" ? { problems: [settings] } : parseConfig(settings.value, name, folder);
        project.problems.push(...problems.map((problem) => `${file}: ${problem}`));
        if (!config) project.invalid.push(stack);
        if (config?.kind === "cluster") project.clusters.push({ stack, config });
        if (config?.kind === "mesh") project.meshes.push({ stack, config });
    }
    return project;
}

/** The value of `clustermesh:stack`; undefined if the file has none; a string says why the file cannot be read. */
function stackSettings(path: string): { value: unknown } | string | undefined {
    try {
        const value = (parse(readFileSync(path, "utf8")) as { config?: Record<string, unknown> } | null)?.config?.[SETTINGS_KEY];
        return value === undefined ? undefined : { value };
    } catch (error) {
        return `is not valid YAML: ${error instanceof Error ? error.message.split("\n", 1)[0] : error}`;
    }
}

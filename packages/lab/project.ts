import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import type { Project } from "../../core/settings/project.ts";
import { stackFile } from "../../core/stack-names.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

/** What the program needs from the repository. Pulumi.yaml is used unchanged. */
const PARTS = [
    "Pulumi.yaml",
    "package.json",
    "node_modules",
    "scripts",
    "index.ts",
    "stacks",
    "components",
    "core",
    "gate",
    "kubernetes",
    "cli",
    "examples",
];

/** Settings of stacks by name: the value of `clustermesh:stack` in their files. */
export type StackFiles = Record<string, object>;

/** The settings of all stacks of a project. */
export function stackFiles({ clusters, meshes }: Project): StackFiles {
    return Object.fromEntries([...clusters, ...meshes].map(({ stack, config }) => [stack, config]));
}

/**
 * Fills a folder so that Pulumi runs the repository's program there, with the lab's own stack files. The engine writes into stack files
 * (a stack's encryption salt), so running in the repository would change committed files.
 */
export function linkRepository(folder: string): void {
    for (const part of PARTS) symlinkSync(join(REPOSITORY, part), join(folder, part));
}

/** The folder in which the engine runs the program and the plugins: that of `main` (pulumi/pulumi pkg/engine, getPwdMain). */
export function programFolder(project: string): string {
    const { main = "." } = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as { main?: string };
    const path = resolve(project, main);
    return statSync(path).isDirectory() ? path : dirname(path);
}

/** Writes stacks' settings into their files. What the engine keeps in an existing file stays. */
export function writeStackFiles(folder: string, stacks: StackFiles): void {
    for (const [stack, settings] of Object.entries(stacks)) {
        const file = join(folder, stackFile(stack));
        const kept: object = existsSync(file) ? parse(readFileSync(file, "utf8")) : {};
        writeFileSync(file, stringify({ ...kept, config: { "clustermesh:stack": settings } }));
    }
}

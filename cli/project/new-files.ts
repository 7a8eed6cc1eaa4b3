import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { projectFileText, projectNameOf, STACK_SCHEMA, stackFileText } from "../../core/scaffold/files.ts";
import type { Scaffold } from "../../core/scaffold/mesh.ts";
import { stackFile } from "../../core/stack-names.ts";

/** The folder of the Pulumi program that this command line belongs to: a clone, or `dist` of the package. */
const PROGRAM = join(import.meta.dirname, "../..");
const BUILT = !existsSync(join(PROGRAM, "index.ts"));
/** The repository, or the package. */
const ROOT = BUILT ? join(PROGRAM, "..") : PROGRAM;

/** The text of Pulumi.yaml: a project named after its folder that runs this program, wherever it is. */
export function projectFile(folder: string): string {
    const main = pathFrom(folder, join(PROGRAM, BUILT ? "index.js" : "index.ts"));
    return projectFileText(projectNameOf(basename(folder)), main, BUILT ? "../scripts/node-version.mjs" : undefined);
}

/** The texts of new stack files, by file name. */
export function stackFileTexts(folder: string, { files }: Scaffold): Map<string, string> {
    const schema = pathFrom(folder, join(ROOT, STACK_SCHEMA));
    return new Map([...files].map(([stack, settings]) => [stackFile(stack), stackFileText(settings, schema)]));
}

/** A problem for each file that is already there. */
export function existingFiles(folder: string, names: Iterable<string>): string[] {
    return [...new Set(names)]
        .filter((name) => existsSync(join(folder, name)))
        .map((name) => `${name} already exists and is never overwritten: choose another name, or remove the file first`);
}

/**
 * Writes new files, all or none.
 *
 * @throws Error when one exists, or the folder cannot be written to
 */
export function writeNewFiles(folder: string, texts: ReadonlyMap<string, string>): void {
    mkdirSync(folder, { recursive: true });
    const written: string[] = [];
    try {
        for (const [name, text] of texts) {
            const path = join(folder, name);
            writeFileSync(path, text, { flag: "wx" });
            written.push(path);
        }
    } catch (error) {
        for (const path of written) rmSync(path);
        throw error;
    }
}

function pathFrom(folder: string, file: string): string {
    return relative(folder, file).split(sep).join("/");
}

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { COMMANDS } from "../cli/commands.ts";
import { withCommandReference } from "../cli/help.ts";
import { doctorPage } from "../core/doctor/page.ts";
import { configurationPage, stackFileSchema } from "../core/settings/reference.ts";

/** A file that is generated from the code and committed. */
interface GeneratedFile {
    /** Relative to the repository. */
    file: string;
    content: () => string;
}

const ROOT = join(import.meta.dirname, "..");

export const GENERATED_FILES: readonly GeneratedFile[] = [
    // Only the part between the markers; the rest of the page is written manually.
    { file: "docs/cli.md", content: () => withCommandReference(readFileSync(join(ROOT, "docs/cli.md"), "utf8"), COMMANDS) },
    { file: "docs/configuration.md", content: configurationPage },
    { file: "docs/doctor.md", content: doctorPage },
    { file: "schema/stack.schema.json", content: () => `${JSON.stringify(stackFileSchema(), null, 2)}\n` },
];

/** The generated files that differ from the code. */
export function outdated(files = GENERATED_FILES): string[] {
    return files.filter(({ file, content }) => read(join(ROOT, file)) !== content()).map(({ file }) => file);
}

function read(path: string): string | undefined {
    try {
        return readFileSync(path, "utf8");
    } catch {
        return undefined;
    }
}

/** Writes every generated file; with --check only reports the outdated ones, and then ends with 1. */
function main(args: readonly string[]): void {
    const changed = outdated();
    if (args.includes("--check")) {
        for (const file of changed) console.error(`${file} is outdated: run \`npm run generate\``);
        process.exitCode = changed.length > 0 ? 1 : 0;
        return;
    }
    for (const { file, content } of GENERATED_FILES) {
        mkdirSync(dirname(join(ROOT, file)), { recursive: true });
        writeFileSync(join(ROOT, file), content());
    }
    console.log(changed.length > 0 ? `wrote ${changed.join(", ")}` : "everything is up to date");
}

if (import.meta.main) main(process.argv.slice(2));

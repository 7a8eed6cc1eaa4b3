import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../cli/arguments.ts";
import { COMMANDS } from "../../cli/commands.ts";

/** Every page that people read. */
const PAGES = globSync(["*.md", "docs/*.md", "examples/**/*.md", "packages/lab/*.md"]).toSorted();

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** What a page prints as commands: the lines of its shell blocks, and code within its text. */
function commands(page: string): string[] {
    const text = readFileSync(page, "utf8");
    const blocks = [...text.matchAll(/^ *```sh\n(.*?)^ *```/gms)].flatMap(([, block = ""]) => block.split("\n"));
    const inline = [...text.replaceAll(/^ *```.*?^ *```/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
    return [...blocks, ...inline].map((line) => line.replace(/(^|\s)#\s.*$/, "").trim()).filter(Boolean);
}

/** Words that stand for a value of the reader's. */
const PLACEHOLDERS: Record<string, string> = {
    "<stack>": "cluster1",
    "<cluster>": "cluster1",
    "<mesh>": "mesh",
    "<region>": "eu-central-1",
};

describe.each(PAGES)("%s", (page) => {
    test("links to files that exist", () => {
        const links = [...readFileSync(page, "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)/g)].map(([, target = ""]) => target);
        expect(links.filter((target) => !existsSync(join(dirname(page), target)))).toEqual([]);
    });

    test("names source files that exist", () => {
        const files = commands(page).filter((code) => /^[\w./-]+\/[\w./-]+\.(ts|mjs|go|yaml|md|json)$/.test(code) && !code.includes("..."));
        const places = [".", dirname(page), "packages/lab"];
        expect(files.filter((file) => !places.some((place) => existsSync(join(place, file))))).toEqual([]);
    });

    test("prints npm scripts and test files that exist", () => {
        const lines = commands(page);
        const run = lines.flatMap((line) => /^npm run ([\w-]+)/.exec(line)?.[1] ?? []);
        expect(run.filter((script) => !(script in scripts))).toEqual([]);
        const tested = lines.flatMap((line) => /^(?:\w+=\S+ )*npx vitest run (.+)$/.exec(line)?.[1]?.split(" ") ?? []);
        expect(tested.filter((path) => !path.startsWith("-") && !existsSync(path))).toEqual([]);
    });

    test("prints commands of clustermesh that parse", () => {
        const lines = commands(page).flatMap((line) => /^(?:npx )?clustermesh (?!help)([a-z].*)$/.exec(line)?.[1] ?? []);
        const wrong = lines.flatMap((line) => {
            const [name, ...args] = line.split(" ").map((word) => PLACEHOLDERS[word] ?? word);
            const command = COMMANDS.find((known) => known.name === name);
            if (!command) return [`${line}: unknown command`];
            try {
                parseArguments(command, args);
                return [];
            } catch (error) {
                return [`${line}: ${error instanceof Error ? error.message : error}`];
            }
        });
        expect(wrong).toEqual([]);
    });
});

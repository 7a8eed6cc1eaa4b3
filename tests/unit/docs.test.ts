import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { glob } from "node:fs/promises";
import { describe, expect, test } from "vitest";

/** Every page that people read. */
const PAGES = (await Array.fromAsync(glob(["*.md", "docs/*.md", "examples/**/*.md", "packages/lab/*.md"]))).toSorted();

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** What a page prints as commands: the lines of its shell blocks, and code within its text. */
function commands(page: string): string[] {
    const text = readFileSync(page, "utf8");
    const blocks = [...text.matchAll(/^ *```sh\n(.*?)^ *```/gms)].flatMap(([, block = ""]) => block.split("\n"));
    const inline = [...text.replaceAll(/^ *```.*?^ *```/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
    return [...blocks, ...inline].map((line) => line.replace(/(^|\s)#\s.*$/, "").trim()).filter(Boolean);
}

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
});

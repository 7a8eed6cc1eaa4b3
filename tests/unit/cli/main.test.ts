import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ENTRY = resolve("cli/clustermesh.mjs");

let folder: string;
beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-main-"));
    writeFileSync(join(folder, "Pulumi.yaml"), "name: clustermesh\nruntime: nodejs\n");
    writeFileSync(join(folder, "Pulumi.a.yaml"), "config: { clustermesh:stack: { kind: cluster, name: a, id: 1, colour: red } }\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

async function clustermesh(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return promisify(execFile)(process.execPath, [ENTRY, ...args], { cwd: folder, env: { HOME: "/nonexistent" } }).then(
        (output) => ({ code: 0, ...output }),
        (error) => error,
    );
}

test("help, without arguments too, and the JSON Schema of a command's report", async () => {
    const [none, help, schema] = await Promise.all([clustermesh(), clustermesh("help"), clustermesh("help", "plan", "--json")]);
    expect(none).toEqual(help);
    expect(help).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("Usage: clustermesh <command> [options]") });
    const alternatives = (JSON.parse(schema.stdout) as { anyOf: { properties: object }[] }).anyOf;
    expect(alternatives.map(({ properties }) => Object.keys(properties))).toEqual([
        expect.arrayContaining(["version", "clusters", "meshes"]),
        ["version", "problems"],
    ]);
});

describe("exits with code 2 and no output for wrong usage:", () => {
    test.each([
        [["upp"], "✖ unknown command upp: did you mean up?\nRun `clustermesh help` for usage.\n"],
        [["up", "--refrsh"], "✖ unknown option --refrsh: did you mean --refresh?\nRun `clustermesh help up` for usage.\n"],
        [["join"], "✖ clustermesh join takes exactly one argument, <cluster>; got none\nRun `clustermesh help join` for usage.\n"],
        [
            ["plan", "-C", "/nonexistent"],
            "✖ /nonexistent has no Pulumi.yaml: run clustermesh in the project's folder, or name the folder with --cwd\nRun `clustermesh help plan` for usage.\n",
        ],
    ])("%j", async (args, stderr) => expect(await clustermesh(...args)).toMatchObject({ code: 2, stdout: "", stderr }));
});

test("lists the problems of stack files, without pointing to the help", async () => {
    const { code, stdout, stderr } = await clustermesh("preview");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const lines = stderr.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toMatch(/^✖ Pulumi\.a\.yaml: /);
});

test("--json prints the problems as a list, without marks", async () => {
    const { code, stdout, stderr } = await clustermesh("plan", "--json");
    expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
    const { version, problems } = JSON.parse(stdout) as { version: number; problems: string[] };
    expect(version).toBe(1);
    expect(problems.length).toBeGreaterThan(1);
    for (const problem of problems) expect(problem).toMatch(/^Pulumi\.a\.yaml: /);
    expect(JSON.parse((await clustermesh("upp", "--json")).stdout)).toEqual({
        version: 1,
        problems: ["unknown command upp: did you mean up?"],
    });
});

test("prints a completion script in any folder", async () => {
    expect(await clustermesh("completion", "bash", "-C", "/")).toMatchObject({
        code: 0,
        stderr: "",
        stdout: expect.stringContaining("complete -F"),
    });
});

/** A Node that is too old to run TypeScript, if there is one on the PATH. */
function oldNode(): string | undefined {
    const candidates = (process.env.PATH ?? "").split(delimiter).map((path) => join(path, "node"));
    return candidates.find((node) => {
        try {
            return Number.parseInt(execFileSync(node, ["--version"], { encoding: "utf8", stdio: "pipe" }).slice(1), 10) < 22;
        } catch {
            return false;
        }
    });
}

test.skipIf(!oldNode())("on an old Node, says what to do", async () => {
    const failed = await promisify(execFile)(oldNode() ?? "", [ENTRY, "plan"]).catch((error) => error);
    expect(failed).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^clustermesh needs Node 24, but this is v\d+\.\S+: install Node 24; or .*npm run mesh/),
    });
});

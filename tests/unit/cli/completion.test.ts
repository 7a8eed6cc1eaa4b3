import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../../cli/commands.ts";
import { complete, completionScript, completions, SHELLS } from "../../../cli/completion.ts";

const run = promisify(execFile);

let folder: string;
beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-completion-"));
    const write = (stack: string, text: string) => writeFileSync(join(folder, `Pulumi.${stack}.yaml`), text);
    // Even a file with mistakes names its stack.
    write("cluster1", "config: { clustermesh:stack: { kind: cluster } }\n");
    write("cluster2", "config: { clustermesh:stack: { kind: cluster } }\n");
    write("mesh", "config: { clustermesh:stack: { kind: mesh } }\n");
    write("other", "config: { aws:region: eu-central-1 }\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The completions of the last word; `<path>` stands for the shell's own paths. */
const words = (...line: string[]) =>
    completions(COMMANDS, line).map((completion) => ("word" in completion ? completion.word : `<${completion.paths}>`));

test.each<[line: string[], expected: string[]]>([
    [["d"], ["destroy", "doctor"]],
    [["help", "to"], ["topology"]],
    [["help", "up", ""], []],
    [["nonsense", ""], []],
    [["up", "--re"], ["--refresh"]],
    [
        ["verify", "--only", ""],
        ["agents", "pairs", "services", "failover", "policy"],
    ],
    [
        ["verify", "--only", "a", "--only", "p"],
        ["pairs", "policy"],
    ],
    [["verify", "--only=se"], ["--only=services"]],
    [["verify", "--port", ""], []],
    [["verify", "--junit", "re"], ["<file>"]],
    [["up", "-C", ""], ["<directory>"]],
    [
        ["completion", ""],
        ["bash", "zsh", "fish"],
    ],
    [["completion", "bash", ""], []],
    [["plan", ""], []],
])("%j", (line, expected) => expect(words(...line)).toEqual(expected));

describe("stack names", () => {
    const at = (...line: string[]) => words(...line.flatMap((word, i) => (i === 1 ? ["-C", folder, word] : [word])));

    test("of the folder, each once", () => {
        expect(at("up", "")).toEqual(["cluster1", "cluster2", "mesh"]);
        expect(at("up", "cluster1", "")).toEqual(["cluster2", "mesh"]);
        expect(words("up", `--cwd=${folder}`, "m")).toEqual(["mesh"]);
    });

    test("of clusters, or of meshes, where only these are valid", () => {
        expect(at("join", "")).toEqual(["cluster1", "cluster2"]);
        expect(at("join", "cluster1", "")).toEqual([]);
        expect(at("topology", "")).toEqual(["mesh"]);
        expect(at("leave", "cluster1", "--mesh", "")).toEqual(["mesh"]);
    });

    test("none in a folder that does not exist; a file that is not YAML hides no other", () => {
        expect(words("up", "-C", "/nonexistent", "")).toEqual([]);
        writeFileSync(join(folder, "Pulumi.broken.yaml"), "a: [");
        writeFileSync(join(folder, "Pulumi.list.yaml"), "- a\n");
        expect(at("join", "")).toEqual(["cluster1", "cluster2"]);
        rmSync(join(folder, "Pulumi.broken.yaml"));
        rmSync(join(folder, "Pulumi.list.yaml"));
    });
});

test.each(SHELLS)("%s gets a script that asks for completions, and these in its own format", async (shell) => {
    expect(await completionScript(shell)).toMatch(new RegExp(`clustermesh '?complete'? '?${shell}'?`));
    const answer = await complete(COMMANDS, shell, ["verify", "--only", "a"]);
    expect(answer).toContain("agents");
    expect(answer).not.toContain("pairs");
});

/** Loads the script and lets bash complete a line, as at a Tab. */
const COMPLETE_IN_BASH = `
eval "$(clustermesh completion bash)"
COMP_LINE=$1 COMP_POINT=\${#1}
read -ra COMP_WORDS <<< "$1"
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_clustermesh clustermesh "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
echo "\${COMPREPLY[*]}"`;

test("a real bash, without the bash-completion package, completes commands, values, stack names and paths", {
    timeout: 60_000,
}, async () => {
    const command = join(folder, "clustermesh");
    writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${resolve("cli/clustermesh.mjs")}" "$@"\n`);
    chmodSync(command, 0o755);
    const env = { ...process.env, PATH: [folder, process.env.PATH].join(delimiter) };
    const inBash = async (line: string) => {
        const { stdout } = await run("bash", ["--norc", "-c", COMPLETE_IN_BASH, "bash", line], { cwd: folder, env });
        return stdout.trim();
    };
    expect(
        await Promise.all(
            ["clustermesh d", "clustermesh join ", "clustermesh verify --only=po", "clustermesh doctor --evidence Pulumi.m"].map(inBash),
        ),
    ).toEqual(["destroy doctor", "cluster1 cluster2", "--only=policy", "Pulumi.mesh.yaml"]);
});

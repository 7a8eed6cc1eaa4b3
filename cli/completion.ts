import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseDocument } from "yaml";
import { SHARED_OPTIONS } from "./arguments.ts";
import type { Command, Option } from "./command.ts";
import { stackFiles } from "./project/stack-files.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Name of the hidden command that the script calls at each Tab. */
export const COMPLETE = "complete";

/** A completion: a word, or paths of the file system, which the shell lists itself. */
export type Completion = { word: string; description?: string | undefined } | { paths: "file" | "directory" };

/** The script that registers completion in a shell. */
export async function completionScript(shell: (typeof SHELLS)[number]): Promise<string> {
    const shells = await import("@optique/core/completion");
    return shells[shell].generateScript("clustermesh", [COMPLETE, shell]);
}

/**
 * What the script reads at a Tab, in the shell's own encoding.
 *
 * @param words after "clustermesh", the unfinished one last
 */
export async function complete(commands: readonly Command[], shell: string, words: readonly string[]): Promise<string> {
    const known = SHELLS.find((name) => name === shell);
    if (!known) return "";
    const [{ [known]: encoder }, { message }] = await Promise.all([import("@optique/core/completion"), import("@optique/core/message")]);
    const suggestions = completions(commands, words).map((completion) =>
        "paths" in completion
            ? { kind: "file" as const, type: completion.paths, pattern: words.at(-1) ?? "" }
            : {
                  kind: "literal" as const,
                  text: completion.word,
                  ...(completion.description && { description: message`${completion.description}` }),
              },
    );
    return [...encoder.encodeSuggestions(suggestions)].join("");
}

/** The completions of the last word. */
export function completions(commands: readonly Command[], words: readonly string[]): Completion[] {
    const [name = "", ...args] = words;
    const current = words.at(-1) ?? "";
    const named = commands.map(({ name, summary }) => ({ word: name, description: summary }));
    const help = { word: "help", description: "Show help for a command" };
    if (words.length <= 1) return startingWith(current, [...named, help]);
    if (name === "help") return words.length === 2 ? startingWith(current, named) : [];
    const command = commands.find((command) => command.name === name);
    if (!command) return [];

    const options = { ...command.options, ...SHARED_OPTIONS };
    const before = args.slice(0, -1);
    const folder = folderOf(before);
    const [, assigned, prefix = ""] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
    const awaiting = optionOf(options, assigned ?? before.at(-1) ?? "");
    if (assigned && awaiting?.type === "string")
        return startingWith(prefix, valuesOf(awaiting.value, awaiting.values, folder)).flatMap((completion) =>
            "word" in completion ? [{ ...completion, word: `${assigned}=${completion.word}` }] : [],
        );
    if (awaiting?.type === "string") return startingWith(current, valuesOf(awaiting.value, awaiting.values, folder));
    if (current.startsWith("-"))
        return startingWith(
            current,
            Object.entries(options).map(([option, { help }]) => ({ word: `--${option}`, description: help })),
        );
    const given = before.filter((word, i) => !word.startsWith("-") && optionOf(options, before[i - 1] ?? "")?.type !== "string");
    if (given.length > 0 && !command.operands?.includes("...")) return [];
    return startingWith(current, valuesOf(command.operands, command.operandValues, folder)).filter(
        (completion) => !("word" in completion && given.includes(completion.word)),
    );
}

/** The values that a placeholder stands for. */
function valuesOf(placeholder = "", values: readonly string[] | undefined, folder: string): Completion[] {
    if (values) return values.map((word) => ({ word }));
    const kind = /<(\w+)>/.exec(placeholder)?.[1];
    if (kind === "file") return [{ paths: "file" }];
    if (kind === "folder") return [{ paths: "directory" }];
    if (kind !== "stack" && kind !== "cluster" && kind !== "mesh") return [];
    return stacksIn(folder)
        .filter((stack) => kind === "stack" || stack.kind === kind)
        .map(({ stack, kind }) => ({ word: stack, description: kind }));
}

/** The stacks of a folder. Files with mistakes count as far as they can be read: completion is not the place to report mistakes. */
function stacksIn(folder: string): { stack: string; kind: string }[] {
    return (existsSync(folder) ? stackFiles(folder) : []).flatMap(({ stack, path }) => {
        const kind = parseDocument(readFileSync(path, "utf8")).getIn(["config", "clustermesh:stack", "kind"]);
        return typeof kind === "string" ? [{ stack, kind }] : [];
    });
}

/** The folder that `--cwd` or `-C` names, or the current one. */
function folderOf(args: readonly string[]): string {
    const at = args.findLastIndex((arg) => arg === "--cwd" || arg === "-C");
    const assigned = args.findLast((arg) => arg.startsWith("--cwd="))?.slice("--cwd=".length);
    return resolve((at >= 0 ? args[at + 1] : assigned) ?? ".");
}

function optionOf(options: Record<string, Option>, word: string): Option | undefined {
    if (word.startsWith("--")) return options[word.slice(2)];
    return word.startsWith("-") ? Object.values(options).find(({ short }) => short === word.slice(1)) : undefined;
}

function startingWith(prefix: string, completions: readonly Completion[]): Completion[] {
    return completions.filter((completion) => "paths" in completion || completion.word.startsWith(prefix));
}

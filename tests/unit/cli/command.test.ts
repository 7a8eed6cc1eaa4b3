import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseArguments } from "../../../cli/arguments.ts";
import { type Command, didYouMean, numberOption, UsageError } from "../../../cli/command.ts";
import { COMMANDS } from "../../../cli/commands.ts";
import { commandHelp, overview, withCommandReference } from "../../../cli/help.ts";

const find = (name: string) => COMMANDS.find((command) => command.name === name) as Command;

describe("refuses arguments with the reason and the nearest valid word:", () => {
    test.each([
        ["up", ["--refrsh"], "unknown option --refrsh: did you mean --refresh?"],
        ["up", ["--xyz"], "unknown option --xyz (available: --concurrency"],
        ["up", ["--concurrency"], "'--concurrency <value>' argument missing"],
        ["plan", ["cluster1"], "clustermesh plan takes no arguments; got cluster1"],
        ["verify", ["a", "b"], "clustermesh verify takes at most one argument, [<mesh>]; got a b"],
        ["join", [], "clustermesh join takes exactly one argument, <cluster>; got none"],
        ["join", ["a", "b"], "clustermesh join takes exactly one argument, <cluster>; got a b"],
        ["verify", ["--only", "agnts"], "--only: unknown value agnts: did you mean agents?"],
        ["completion", ["bsh"], "unknown <shell> bsh: did you mean bash?"],
    ])("%s %j", (name, args, message) => {
        const parse = () => parseArguments(find(name), args);
        expect(parse).toThrow(UsageError);
        expect(parse).toThrow(message);
    });
});

test("operands and options may be mixed", () => {
    expect(parseArguments(find("up"), ["cluster1", "--concurrency", "2", "--json", "mesh"])).toMatchObject({
        values: { concurrency: "2", json: true },
        operands: ["cluster1", "mesh"],
    });
});

test("--help works without the required operand", () => {
    expect(parseArguments(find("join"), ["--help"]).values).toMatchObject({ help: true });
});

test.each([
    ["clutser1", ": did you mean cluster1?"],
    ["mehs", " (available: cluster1, cluster2, mesh)"],
    ["mes", ": did you mean mesh?"],
    ["production", " (available: cluster1, cluster2, mesh)"],
])("%s%s", (word, suffix) => expect(didYouMean(word, ["cluster1", "cluster2", "mesh"])).toBe(suffix));

test.each(["0", "-1", "1.5", "two", "", "1e99x"])("refuses --concurrency %j", (given) => {
    expect(() => numberOption({ concurrency: given }, "concurrency")).toThrow(UsageError);
});

test("a usage error keeps its problems apart", () => {
    const error = new UsageError(["first\nof two lines", "second"], "stack files");
    expect(error).toMatchObject({ problems: ["first\nof two lines", "second"], about: "stack files" });
    expect(new UsageError("only")).toMatchObject({ problems: ["only"], about: "command line", message: "only" });
});

test("help fits on a screen of 24 lines and 100 columns", () => {
    for (const text of [overview(COMMANDS), ...COMMANDS.map(commandHelp)]) {
        const lines = text.split("\n");
        expect(lines.length, text).toBeLessThanOrEqual(24);
        for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
    }
});

test("docs/cli.md contains the help of all commands", () => {
    const page = readFileSync("docs/cli.md", "utf8");
    expect(page).toBe(withCommandReference(page, COMMANDS));
});

test("every command has a unique name, and a versioned report that has a JSON Schema", () => {
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
    for (const { name, report } of COMMANDS) {
        const schema = z.toJSONSchema(report) as { properties?: { version?: object }; additionalProperties?: boolean };
        expect(schema, name).toMatchObject({ properties: { version: { const: 1 } }, additionalProperties: false });
    }
});

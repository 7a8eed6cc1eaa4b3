import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Command, commandHelp, didYouMean, numberOption, overview, parseOptions, UsageError } from "../../../cli/command.ts";
import { COMMANDS } from "../../../cli/commands.ts";

const find = (name: string) => COMMANDS.find((command) => command.name === name) as Command;

describe("an option that there is not is told, with the nearest one that there is:", () => {
    test.each([
        ["up", ["--refrsh"], "there is no option --refrsh: did you mean --refresh?"],
        ["up", ["--xyz"], "there is no option --xyz: there are --concurrency"],
        ["up", ["--concurrency"], "'--concurrency <value>' argument missing"],
        ["verify", ["cluster1"], '"cluster1" is one too many: verify takes options only'],
    ])("%s %j", (name, args, said) => {
        const parse = () => parseOptions(find(name), args);
        expect(parse).toThrow(UsageError);
        expect(parse).toThrow(said);
    });
});

test("operands and options stand in any order", () => {
    expect(parseOptions(find("up"), ["cluster1", "--concurrency", "2", "--json", "mesh"])).toMatchObject({
        values: { concurrency: "2", json: true },
        positionals: ["cluster1", "mesh"],
    });
});

test.each([
    ["clutser1", ": did you mean cluster1?"],
    ["mehs", ": there are cluster1, cluster2, mesh"],
    ["mes", ": did you mean mesh?"],
    ["production", ": there are cluster1, cluster2, mesh"],
])("%s%s", (word, said) => expect(didYouMean(word, ["cluster1", "cluster2", "mesh"])).toBe(said));

test.each(["0", "-1", "1.5", "two", "", "1e99x"])("--concurrency %j is refused", (given) => {
    expect(() => numberOption({ concurrency: given }, "concurrency")).toThrow(UsageError);
});

test("help fits a screen: 24 lines, and 150 columns", () => {
    for (const text of [overview(COMMANDS), ...COMMANDS.map(commandHelp)]) {
        const lines = text.split("\n");
        expect(lines.length, text).toBeLessThanOrEqual(24);
        for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(160);
    }
});

test("every command has a name of its own, and a report with a version that a JSON Schema tells", () => {
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
    for (const { name, report } of COMMANDS) {
        const schema = z.toJSONSchema(report) as { properties?: { version?: object }; additionalProperties?: boolean };
        expect(schema, name).toMatchObject({ properties: { version: { const: 1 } }, additionalProperties: false });
    }
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RULES } from "../../../core/doctor/diagnose.ts";

test("docs/doctor.md has every rule as it is", () => {
    const rows = readFileSync("docs/doctor.md", "utf8")
        .split("\n")
        .filter((line) => line.startsWith("| `"));
    expect(rows).toEqual(RULES.map(({ id, failure, looksAt }) => `| \`${id}\` | ${failure} | ${looksAt} |`));
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { doctorPage } from "../../../core/doctor/page.ts";

test("docs/doctor.md is up to date with the rules", () => {
    expect(readFileSync("docs/doctor.md", "utf8")).toBe(doctorPage());
});

test("lines of the page are at most 100 columns wide, except commands", () => {
    const prose = doctorPage().replaceAll(/^```text\n[\s\S]*?^```$/gm, "");
    expect(prose.split("\n").filter((line) => line.length > 100)).toEqual([]);
});

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Two accounts and two regions that the tests call from. */
export const HERE = { account: "111111111111", region: "eu-central-1" };
export const THERE = { account: "111111111111", region: "us-east-1" };
export const OTHERS = { account: "222222222222", region: "eu-central-1" };

/** What a service claims to keep must have a test of that name in the file at `url`. */
export function everyRuleHasItsTest(rules: readonly string[], url: string): void {
    test("every rule that the service claims to keep has its test", () => {
        const text = readFileSync(fileURLToPath(url), "utf8");
        expect(rules.filter((rule) => !text.includes(`test("${rule}"`))).toEqual([]);
    });
}

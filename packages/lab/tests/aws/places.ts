import { expect, test } from "vitest";
import { KEPT_RULES, type Rule, type Section } from "../../aws/rules.ts";

/** Two accounts and two regions that the tests call from. */
export const HERE = { account: "111111111111", region: "eu-central-1" };
export const THERE = { account: "111111111111", region: "us-east-1" };
export const OTHERS = { account: "222222222222", region: "eu-central-1" };

/** Makes the tests of a section's rules, named after them. A rule that is left without one fails. */
export function keptRules<S extends Section>(section: S): (rule: Rule<S>, run: () => Promise<void>) => void {
    const left = new Set<string>(KEPT_RULES[section]);
    test("every rule that the service claims to keep has its test", () => expect([...left]).toEqual([]));
    return (rule, run) => {
        left.delete(rule);
        test(rule, run);
    };
}

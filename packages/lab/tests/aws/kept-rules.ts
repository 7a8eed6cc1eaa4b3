import { expect, test } from "vitest";
import { KEPT_RULES, type Rule, type Section } from "../../aws/rules.ts";

/** Returns a function that defines the test of a rule, named after it. A rule of the section without a test fails. */
export function keptRules<S extends Section>(section: S): (rule: Rule<S>, run: () => Promise<void>) => void {
    const untested = new Set<string>(KEPT_RULES[section]);
    test("has a test for every rule", () => expect([...untested]).toEqual([]));
    return (rule, run) => {
        untested.delete(rule);
        test(rule, run);
    };
}

/** Expects that a call is refused with this error code and, if given, this message. */
export async function refused(call: Promise<unknown>, code: string, message?: string): Promise<void> {
    await expect(call).rejects.toMatchObject({ name: "AwsError", code, ...(message !== undefined && { message }) });
}

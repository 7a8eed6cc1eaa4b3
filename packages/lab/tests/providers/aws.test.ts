import { describe, expect, test } from "vitest";
import { ALL_TABLES } from "../../aws/aws.ts";
import { TYPES } from "../../providers/aws/package.ts";
import { UNKNOWN } from "../../providers/values.ts";
import { type Aws, run, simulatedAws } from "./aws-harness.ts";
import { argsOf, CASES, World } from "./aws-world.ts";

/** How much there is at AWS, tables apart. */
function rows(aws: Aws): Record<string, number> {
    const all = aws.remains(ALL_TABLES);
    return Object.fromEntries([...Map.groupBy(all, ({ table }) => table)].map(([table, found]) => [table, found.length]));
}

/** The sides of a transit gateway that another account or region holds have a test of their own. */
const ELSEWHERE = [
    "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter",
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment",
    "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter",
];

test("every type is in the table", () => {
    expect(Object.keys(TYPES).toSorted()).toEqual([...CASES.map(({ token }) => token), ...ELSEWHERE].toSorted());
});

describe.each(CASES)("$token", ({ token, args: given, change, anew, stays }) => {
    const simulation = simulatedAws({ seed: token });

    test("is made, read back as it was asked for, and left alone", async () => {
        const first = await run(simulation);
        const args = await argsOf(given, new World(first));
        const made = await first.create(token, "x", args);
        expect(made.id).not.toBe("");
        const seen = await first.refresh(made);
        expect(seen?.inputs).toEqual(made.inputs);
        expect(seen?.outputs).toEqual(seen && { ...made.outputs, ...seen.outputs });
        expect(await first.diff(made, args)).toEqual({ changes: [], replaces: [] });
    });

    test("in a preview, what only AWS tells is unknown", async () => {
        const outputs = await (await run(simulation)).preview(token, "y", {});
        if (TYPES[token] && Object.keys(outputs).includes("arn")) expect(outputs.arn).toBe(UNKNOWN);
    });

    test("is adopted by a run that comes after one that was killed", async () => {
        const aws = simulatedAws({ seed: `${token}2` });
        const killed = await run(aws);
        const args = await argsOf(given, new World(killed));
        const lost = await killed.create(token, "x", args);
        const before = rows(aws);
        const again = await (await run(aws)).create(token, "x", args);
        expect(again).toEqual(lost);
        expect(rows(aws)).toEqual(before);
    });

    test.skipIf(!change)("changes in place", async () => {
        const aws = simulatedAws({ seed: `${token}3` });
        const engine = await run(aws);
        const world = new World(engine);
        const args = await argsOf(given, world);
        const made = await engine.create(token, "x", args);
        const changed = { ...args, ...(await argsOf(change, world)) };
        const diff = await engine.diff(made, changed);
        expect(diff.changes).not.toEqual([]);
        expect(diff.replaces).toEqual([]);
        const updated = await engine.update(made, changed);
        expect((await engine.refresh(updated))?.inputs).toEqual(updated.inputs);
        expect(await engine.diff(updated, changed)).toEqual({ changes: [], replaces: [] });
    });

    test.skipIf(!anew)("is made anew for what cannot change", async () => {
        const engine = await run(simulatedAws({ seed: `${token}4` }));
        const world = new World(engine);
        const args = await argsOf(given, world);
        const made = await engine.create(token, "x", args);
        const [other, ...paths] = anew ?? [{}];
        expect((await engine.diff(made, { ...args, ...(await argsOf(other, world)) })).replaces).toEqual(paths);
    });

    test("goes, and going twice is no error", async () => {
        const aws = simulatedAws({ seed: `${token}5` });
        const engine = await run(aws);
        const made = await engine.create(token, "x", await argsOf(given, new World(engine)));
        await engine.remove(made);
        if (!stays) expect(await engine.refresh(made)).toBeUndefined();
        await engine.remove(made);
    });
});

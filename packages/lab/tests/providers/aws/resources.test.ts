import { describe, expect, test } from "vitest";
import { ALL_TABLES } from "../../../aws/aws.ts";
import { RESOURCE_TYPES } from "../../../providers/aws/types.ts";
import { UNKNOWN } from "../../../providers/values.ts";
import { argsOf } from "./cases/case.ts";
import { CLUSTER_CASES } from "./cases/cluster.ts";
import { NETWORK_CASES } from "./cases/network.ts";
import { type Aws, run, simulatedAws } from "./harness.ts";
import { World } from "./world.ts";

/** Number of rows in each table of the simulated AWS. */
function rows(aws: Aws): Record<string, number> {
    return Object.fromEntries(
        [...Map.groupBy(aws.remains(ALL_TABLES), ({ table }) => table)].map(([table, found]) => [table, found.length]),
    );
}

const CASES = [...NETWORK_CASES, ...CLUSTER_CASES];

/** Transit gateway resources that need another account or region: tested in faults.test.ts. */
const CROSS_ACCOUNT = [
    "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter",
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment",
    "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter",
];

test("every resource type has a case", () => {
    expect(Object.keys(RESOURCE_TYPES).toSorted()).toEqual([...CASES.map(({ token }) => token), ...CROSS_ACCOUNT].toSorted());
});

describe.each(CASES)("$token", ({ token, args: caseArgs, change, replace, survivesDelete }) => {
    const simulation = simulatedAws({ seed: token });

    test("is created, read back with the same inputs, and shows no diff", async () => {
        const first = await run(simulation);
        const args = await argsOf(caseArgs, new World(first));
        const created = await first.create(token, "x", args);
        expect(created.id).not.toBe("");
        const seen = await first.refresh(created);
        expect(seen?.inputs).toEqual(created.inputs);
        expect(seen?.outputs).toEqual(seen && { ...created.outputs, ...seen.outputs });
        expect(await first.diff(created, args)).toEqual({ changes: [], replaces: [] });
    });

    test("previews computed outputs as unknown", async () => {
        const outputs = await (await run(simulation)).preview(token, "y", {});
        if (RESOURCE_TYPES[token] && Object.keys(outputs).includes("arn")) expect(outputs.arn).toBe(UNKNOWN);
    });

    test("is adopted after a killed run", async () => {
        const aws = simulatedAws({ seed: `${token}2` });
        const killed = await run(aws);
        const args = await argsOf(caseArgs, new World(killed));
        const lost = await killed.create(token, "x", args);
        const before = rows(aws);
        const again = await (await run(aws)).create(token, "x", args);
        expect(again).toEqual(lost);
        expect(rows(aws)).toEqual(before);
    });

    test.skipIf(!change)("is updated in place", async () => {
        const aws = simulatedAws({ seed: `${token}3` });
        const engine = await run(aws);
        const world = new World(engine);
        const args = await argsOf(caseArgs, world);
        const created = await engine.create(token, "x", args);
        const changed = { ...args, ...(await argsOf(change, world)) };
        const diff = await engine.diff(created, changed);
        expect(diff.changes).not.toEqual([]);
        expect(diff.replaces).toEqual([]);
        const updated = await engine.update(created, changed);
        expect((await engine.refresh(updated))?.inputs).toEqual(updated.inputs);
        expect(await engine.diff(updated, changed)).toEqual({ changes: [], replaces: [] });
    });

    test.skipIf(!replace)("is replaced if an immutable input changes", async () => {
        const engine = await run(simulatedAws({ seed: `${token}4` }));
        const world = new World(engine);
        const args = await argsOf(caseArgs, world);
        const created = await engine.create(token, "x", args);
        const [changedArgs, ...paths] = replace ?? [{}];
        expect((await engine.diff(created, { ...args, ...(await argsOf(changedArgs, world)) })).replaces).toEqual(paths);
    });

    test("is deleted, and a second delete succeeds", async () => {
        const aws = simulatedAws({ seed: `${token}5` });
        const engine = await run(aws);
        const created = await engine.create(token, "x", await argsOf(caseArgs, new World(engine)));
        await engine.remove(created);
        if (!survivesDelete) expect(await engine.refresh(created)).toBeUndefined();
        await engine.remove(created);
    });
});

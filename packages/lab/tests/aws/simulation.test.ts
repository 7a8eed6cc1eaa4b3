import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AwsError } from "../../aws/error.ts";
import type { Scope } from "../../aws/scope.ts";
import { Simulation, type SimulationOptions } from "../../aws/simulation.ts";
import { Table } from "../../aws/table.ts";
import { IRELAND, OTHER_IRELAND, VIRGINIA } from "./places.ts";

interface Box {
    Id: string;
    State: string;
    Size: number;
}
const boxes = new Table<Box>("toy/box", { gone: ({ State }) => State === "deleted" });
const names = new Table<{ name: string }>("toy/name", { shared: "account" });
const links = new Table<{ name: string }>("toy/link", { shared: "world" });
const BOXES = { code: "L-TOY", default: 2 };

const toy = (scope: Scope) => ({
    create: ({ Size }: { Size: number; DryRun?: boolean }) => {
        const Id = scope.id("box");
        boxes.in(scope).put(Id, { Id, State: "pending", Size });
        scope.schedule(boxes, Id, [{ after: 10_000, set: { State: "available" } }]);
        if (boxes.in(scope).list().length > scope.quota(BOXES))
            throw new AwsError("BoxLimitExceeded", "The maximum number of boxes has been reached.");
        return { Id };
    },
    remove: ({ Id }: { Id: string }) => {
        boxes.in(scope).need(Id, () => new AwsError("InvalidBoxID.NotFound", `The box ID '${Id}' does not exist`));
        boxes.in(scope).update(Id, { State: "deleting" });
        scope.schedule(boxes, Id, [
            { after: 5_000, set: { State: "deleted" } },
            { after: 3_600_000, fixed: true, set: null },
        ]);
    },
    drop: ({ Id }: { Id: string; DryRun?: boolean }) => boxes.in(scope).delete(Id),
    describe: () => ({ Boxes: boxes.in(scope).list() }),
    name: ({ name }: { name: string }) => {
        names.in(scope).put(name, { name });
        links.in(scope).put(name, { name });
    },
    count: () => ({ names: names.in(scope).list().length, links: links.in(scope).list().length }),
});

let now = 1_000_000;
let folder: string;
const simulation = (options: SimulationOptions = {}) => new Simulation({ toy }, { clock: () => now, ...options });

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "simulation-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("IDs have AWS's format, are unique, and are the same for the same seed", async () => {
    const ids = async (seed: string) => {
        const { toy } = simulation({ seed }).in(IRELAND);
        return [(await toy.create({ Size: 1 })).Id, (await toy.create({ Size: 1 })).Id];
    };
    const [first, second] = await ids("a");
    expect(first).toMatch(/^box-0[0-9a-f]{16}$/);
    expect(second).not.toBe(first);
    expect(await ids("a")).toEqual([first, second]);
    expect(await ids("b")).not.toContain(first);
});

test("regions and accounts are isolated unless a table is shared", async () => {
    const aws = simulation();
    await aws.in(IRELAND).toy.create({ Size: 1 });
    await aws.in(IRELAND).toy.name({ name: "n" });
    const counts = async (place: typeof IRELAND) => [(await aws.in(place).toy.describe()).Boxes.length, await aws.in(place).toy.count()];
    expect(await counts(IRELAND)).toEqual([1, { names: 1, links: 1 }]);
    expect(await counts(VIRGINIA)).toEqual([0, { names: 1, links: 1 }]);
    expect(await counts(OTHER_IRELAND)).toEqual([0, { names: 0, links: 1 }]);
});

test("a change takes effect when it is due, not before", async () => {
    const { toy } = simulation().in(IRELAND);
    await toy.create({ Size: 1 });
    const state = async () => (await toy.describe()).Boxes[0]?.State;
    expect(await state()).toBe("pending");
    now += 9_999;
    expect(await state()).toBe("pending");
    now += 1;
    expect(await state()).toBe("available");
});

test("a higher speed shortens changes, except those of fixed duration", async () => {
    const { toy } = simulation({ speed: Number.POSITIVE_INFINITY }).in(IRELAND);
    const { Id } = await toy.create({ Size: 1 });
    expect((await toy.describe()).Boxes[0]?.State).toBe("available");
    await toy.remove({ Id });
    expect((await toy.describe()).Boxes[0]?.State).toBe("deleted");
    now += 3_600_000;
    expect((await toy.describe()).Boxes).toEqual([]);
});

test("a deletion replaces scheduled changes", async () => {
    const { toy } = simulation().in(IRELAND);
    const { Id } = await toy.create({ Size: 1 });
    now += 8_000;
    await toy.remove({ Id });
    now += 2_000;
    expect((await toy.describe()).Boxes[0]?.State).toBe("deleting");
});

describe("the state file", () => {
    test("is loaded after a restart, with scheduled changes", async () => {
        const file = join(folder, "aws.json");
        const { Id } = await simulation({ file }).in(IRELAND).toy.create({ Size: 1 });
        const again = simulation({ file }).in(IRELAND);
        expect((await again.toy.describe()).Boxes).toEqual([{ Id, State: "pending", Size: 1 }]);
        now += 10_000;
        expect((await simulation({ file }).in(IRELAND).toy.describe()).Boxes[0]?.State).toBe("available");
        expect((await again.toy.create({ Size: 1 })).Id).not.toBe(Id);
    });

    test("is written by each call that changes something, without leaving other files", async () => {
        const file = join(folder, "aws.json");
        const { toy } = simulation({ file }).in(IRELAND);
        await toy.create({ Size: 1 });
        const written = readFileSync(file, "utf8");
        await toy.describe();
        expect(readFileSync(file, "utf8")).toBe(written);
        await toy.create({ Size: 1 });
        expect(readFileSync(file, "utf8")).not.toBe(written);
        expect(readdirSync(folder)).toEqual(["aws.json"]);
    });
});

test("a call that fails changes nothing, including IDs and scheduled changes", async () => {
    const aws = simulation();
    const { toy } = aws.in(IRELAND);
    await toy.create({ Size: 1 });
    await toy.create({ Size: 2 });
    const before = aws.edit(IRELAND, (scope) => structuredClone(scope.memory.state));
    await expect(toy.create({ Size: 3 })).rejects.toMatchObject({ code: "BoxLimitExceeded" });
    expect(aws.edit(IRELAND, (scope) => scope.memory.state)).toEqual(before);
});

test("a quota can be raised in one account and region", async () => {
    const aws = simulation();
    aws.setQuota(IRELAND, BOXES, 3);
    for (const Size of [1, 2, 3]) await aws.in(IRELAND).toy.create({ Size });
    await expect(aws.in(IRELAND).toy.create({ Size: 4 })).rejects.toMatchObject({ code: "BoxLimitExceeded" });
    await aws.in(VIRGINIA).toy.create({ Size: 1 });
    await aws.in(VIRGINIA).toy.create({ Size: 2 });
    await expect(aws.in(VIRGINIA).toy.create({ Size: 3 })).rejects.toMatchObject({ code: "BoxLimitExceeded" });
});

test("DryRun changes nothing and returns an error that says so", async () => {
    const { toy } = simulation().in(IRELAND);
    await expect(toy.create({ Size: 1, DryRun: true })).rejects.toMatchObject({
        code: "DryRunOperation",
        message: "Request would have succeeded, but DryRun flag is set.",
    });
    expect((await toy.describe()).Boxes).toEqual([]);
});

test("changing a response does not change the state", async () => {
    const { toy } = simulation().in(IRELAND);
    await toy.create({ Size: 1 });
    for (const box of (await toy.describe()).Boxes) Object.assign(box, { Size: 99 });
    expect((await toy.describe()).Boxes[0]?.Size).toBe(1);
});

test("a deletion with DryRun keeps the order of the rows", async () => {
    const aws = simulation();
    const [first] = [await aws.in(IRELAND).toy.create({ Size: 1 }), await aws.in(IRELAND).toy.create({ Size: 2 })];
    await expect(aws.in(IRELAND).toy.drop({ ...first, DryRun: true })).rejects.toMatchObject({ code: "DryRunOperation" });
    expect((await aws.in(IRELAND).toy.describe()).Boxes.map(({ Size }) => Size)).toEqual([1, 2]);
    await aws.in(IRELAND).toy.drop(first);
    expect((await aws.in(IRELAND).toy.describe()).Boxes.map(({ Size }) => Size)).toEqual([2]);
});

describe("the hook", () => {
    const throttled = new AwsError("RequestLimitExceeded", "Request limit exceeded.", 503);

    test("fails a single call by its number", async () => {
        const { toy } = simulation({
            hook: ({ action, count }) => (action === "create" && count === 2 ? { error: throttled } : undefined),
        }).in(IRELAND);
        await toy.create({ Size: 1 });
        await expect(toy.create({ Size: 2 })).rejects.toBe(throttled);
        await toy.create({ Size: 3 });
        expect((await toy.describe()).Boxes.map(({ Size }) => Size)).toEqual([1, 3]);
    });

    test("loses the response of a call that succeeds", async () => {
        const { toy } = simulation({ hook: ({ action }) => (action === "create" ? { error: throttled, lost: true } : undefined) }).in(
            IRELAND,
        );
        await expect(toy.create({ Size: 1 })).rejects.toBe(throttled);
        expect((await toy.describe()).Boxes).toHaveLength(1);
    });

    test("freezes what a call starts until it is thawed", async () => {
        const aws = simulation({ hook: () => ({ freeze: true }) });
        await aws.in(IRELAND).toy.create({ Size: 1 });
        now += 86_400_000;
        expect((await aws.in(IRELAND).toy.describe()).Boxes[0]?.State).toBe("pending");
        aws.thaw();
        expect((await aws.in(IRELAND).toy.describe()).Boxes[0]?.State).toBe("available");
    });

    test("delays a call", async () => {
        const { toy } = simulation({ hook: () => ({ latency: 30 }) }).in(IRELAND);
        const start = performance.now();
        await toy.describe();
        expect(performance.now() - start).toBeGreaterThan(25);
    });
});

test("watchers receive successful calls and their responses", async () => {
    const aws = simulation();
    const calls: unknown[] = [];
    const stop = aws.watch(({ service, action, account, region, request }, response) =>
        calls.push([service, action, account, region, request, response]),
    );
    const { Id } = await aws.in(IRELAND).toy.create({ Size: 1 });
    await expect(aws.in(IRELAND).toy.remove({ Id: "box-0" })).rejects.toThrow("The box ID 'box-0' does not exist");
    stop();
    await aws.in(IRELAND).toy.describe();
    expect(calls).toEqual([["toy", "create", IRELAND.account, IRELAND.region, { Size: 1 }, { Id }]]);
});

test("remains lists rows of every account and region, except those that are gone", async () => {
    const aws = simulation();
    const kept = await aws.in(IRELAND).toy.create({ Size: 1 });
    const { Id } = await aws.in(OTHER_IRELAND).toy.create({ Size: 1 });
    await aws.in(OTHER_IRELAND).toy.remove({ Id });
    expect(aws.remains([boxes])).toHaveLength(2);
    now += 5_000;
    expect(aws.remains([boxes])).toEqual([{ place: "111111111111/eu-west-1", table: "toy/box", id: kept.Id }]);
});

test("the revision grows with each change, including scheduled ones, and with nothing else", async () => {
    const aws = simulation();
    const start = aws.revision();
    await aws.in(IRELAND).toy.create({ Size: 1 });
    const created = aws.revision();
    expect(created).toBeGreaterThan(start);
    await aws.in(IRELAND).toy.describe();
    await expect(aws.in(IRELAND).toy.create({ Size: 2, DryRun: true })).rejects.toThrow();
    await expect(aws.in(IRELAND).toy.remove({ Id: "none" })).rejects.toThrow();
    aws.edit(IRELAND, (scope) => boxes.in(scope).list());
    expect(aws.revision()).toBe(created);
    now += 10_000;
    expect(aws.revision()).toBeGreaterThan(created);
});

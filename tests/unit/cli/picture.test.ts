import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { picture, type StackPicture } from "../../../cli/ui/picture.ts";
import { type Progress, START } from "../../../cli/ui/progress.ts";
import { redraw, terminalOn } from "../../../cli/ui/terminal.ts";

const urn = (type: string, name: string) => `urn:pulumi:cluster1::clustermesh::clustermesh:index:Eks$${type}::${name}`;

function working(
    began: number,
    works: [type: string, name: string, since: number, status?: string][],
    more: Partial<Progress> = {},
): Progress {
    const active = works.map(([type, name, since, status]) => ({ urn: urn(type, name), op: "create", since, ...(status && { status }) }));
    return { ...START, began, active: new Map(active.map((work) => [work.urn, work])), ...more };
}

const STACKS: StackPicture[] = [
    {
        stack: "cluster1",
        total: 85,
        progress: working(
            0,
            [
                ["aws:eks/cluster:Cluster", "cluster1", 40],
                ["aws:ec2/natGateway:NatGateway", "cluster1-1", 700, "still pending"],
            ],
            { done: 30, seen: new Set(Array.from({ length: 31 }, (_, i) => `${i}`)) },
        ),
    },
    {
        stack: "cluster2",
        total: 85,
        progress: { ...START, began: 1, ended: 66, done: 3, seen: new Set(["a", "b", "c"]), failed: ["b"], broken: true },
    },
    { stack: "mesh", total: 31 },
];
const WIDE = { columns: 100, rows: 24, color: false };

test("draws a line for each stack, and below it the resources in flight, longest first, with what they wait for", () => {
    expect(picture(STACKS, 754, WIDE).join("\n")).toMatchInlineSnapshot(`
      "cluster1  31/85 resources     12:34  30 changed
         11:54  create aws:eks/cluster:Cluster cluster1: EKS creates the control plane: 9 to 14 minutes
          54 s  create aws:ec2/natGateway:NatGateway cluster1-1: still pending
      cluster2  3 resources          1:05  1 failed  ✖  3 changed
      mesh      waiting"
    `);
});

test("colors do not change the text, and without colors no control codes are written", () => {
    const colored = picture(STACKS, 754, { ...WIDE, color: true });
    expect(colored.map((line) => stripVTControlCharacters(line))).toEqual(picture(STACKS, 754, WIDE));
    expect(colored.join("")).toContain("\x1b[");
    expect(picture(STACKS, 754, WIDE).join("")).not.toContain("\x1b");
});

test("fits any terminal that has a line for each stack", () => {
    const stacks = fc.array(
        fc.record({ stack: fc.string({ minLength: 1, maxLength: 12 }), works: fc.nat(40), total: fc.option(fc.nat(99)) }),
        {
            minLength: 1,
            maxLength: 8,
        },
    );
    fc.assert(
        fc.property(stacks, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 60 }), (all, columns, spare) => {
            const rows = all.length + 1 + spare;
            const drawn = picture(
                all.map(({ stack, works, total }, i) => ({
                    stack: `${i}${stack.replaceAll(/[^a-z]/g, "x")}`,
                    total: total ?? undefined,
                    progress: working(
                        0,
                        Array.from({ length: works }, (_, n) => ["aws:eks/cluster:Cluster", `${i}-${n}`, n]),
                    ),
                })),
                1000,
                { columns, rows, color: true },
            );
            expect(drawn.length).toBeLessThan(rows);
            for (const line of drawn) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(columns);
        }),
    );
});

test("replaces the picture before, also if the terminal has become narrower meanwhile", () => {
    expect(redraw([], ["a"], 80)).toBe("\x1b[0Ja\n");
    expect(redraw(["x".repeat(80), "y"], ["a"], 80)).toBe("\x1b[2A\r\x1b[0Ja\n");
    expect(redraw(["x".repeat(80), "y"], ["a"], 30)).toBe("\x1b[4A\r\x1b[0Ja\n");
});

test("a line printed while a picture is drawn stays above it", () => {
    const written: string[] = [];
    const write = (text: string) => written.push(text) > 0;
    const terminal = terminalOn({ columns: 80, rows: 24, write, hasColors: () => false } as never);
    terminal.draw(["a", "b"]);
    terminal.print("lasting");
    terminal.draw(["c"]);
    terminal.release();
    terminal.print("done");
    expect(written).toEqual(["\x1b[0Ja\nb\n", "\x1b[2A\r\x1b[0Jlasting\na\nb\n", "\x1b[2A\r\x1b[0Jc\n", "\x1b[0Jdone\n"]);
});

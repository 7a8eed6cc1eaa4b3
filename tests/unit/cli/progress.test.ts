import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { EngineEvent } from "../../../cli/engine/driver.ts";
import { advance, logLine, type Progress, START } from "../../../cli/ui/progress.ts";

const urn = (type: string, name: string) => `urn:pulumi:cluster1::clustermesh::clustermesh:index:Network$${type}::${name}`;
const vpc = urn("aws:ec2/vpc:Vpc", "cluster1");
const nat = urn("aws:ec2/natGateway:NatGateway", "cluster1-a");

/** Events as in the engine's event log, with the fields that are read. */
const event = (timestamp: number, body: object) => ({ sequence: timestamp, timestamp, ...body }) as unknown as EngineEvent;
const EVENTS = [
    event(0, { preludeEvent: { config: {} } }),
    event(1, { resourcePreEvent: { metadata: { op: "create", urn: vpc } } }),
    event(1, { resourcePreEvent: { metadata: { op: "create", urn: nat } } }),
    event(2, { diagnosticEvent: { urn: nat, message: "waiting for the gateway\n", severity: "info", ephemeral: true } }),
    event(3, { resOutputsEvent: { metadata: { op: "create", urn: vpc } } }),
    event(4, { resourcePreEvent: { metadata: { op: "same", urn: "other" } } }),
    event(4, { resOutputsEvent: { metadata: { op: "same", urn: "other" } } }),
    event(9, {
        diagnosticEvent: {
            urn: nat,
            message: "<{%fg 1%}>creating EC2 NAT Gateway: NatGatewayLimitExceeded<{%reset%}>\n",
            severity: "error",
        },
    }),
    event(9, { resOpFailedEvent: { metadata: { op: "create", urn: nat }, status: 1, steps: 1 } }),
];

test("folds events into active, changed and failed resources", () => {
    const pictures: Progress[] = [START];
    for (const next of EVENTS) pictures.push(advance(pictures.at(-1) ?? START, next));
    expect(pictures[3]?.active.size).toBe(2);
    expect(pictures[4]?.active.get(nat)?.status).toBe("waiting for the gateway");
    expect(pictures.at(-1)).toMatchObject({
        began: 0,
        done: 1,
        seen: new Set([vpc, "other", nat]),
        failed: [nat],
        broken: true,
        active: new Map(),
    });
    expect(START).toEqual({ active: new Map(), done: 0, seen: new Set(), failed: [], broken: false });
});

test("logs one line for each finished resource and each message, but no ephemeral messages", () => {
    let progress = START;
    const lines = EVENTS.flatMap((next) => {
        progress = advance(progress, next);
        return logLine("cluster1", progress, next.timestamp) ?? [];
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "   3 s  cluster1  created aws:ec2/vpc:Vpc cluster1 (2 s)",
        "   9 s  cluster1  error: creating EC2 NAT Gateway: NatGatewayLimitExceeded",
        "   9 s  cluster1  failed to create aws:ec2/natGateway:NatGateway cluster1-a (8 s)",
      ]
    `);
});

/** Recorded in the lab, reduced to the fields that are read: a cluster whose NAT gateway AWS refused, and a mesh stack. */
describe.each(["up-without-nat", "up-mesh"])("the recorded events of %s", (name) => {
    const events = readFileSync(`tests/unit/recorded/${name}.jsonl`, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as EngineEvent);
    const pictures = events.reduce<Progress[]>((all, next) => all.concat(advance(all.at(-1) ?? START, next)), []);
    const last = pictures.at(-1) ?? START;

    test("add up to the engine's own counts", () => {
        const { same: _, read: __, ...changes } = events.find(({ summaryEvent }) => summaryEvent)?.summaryEvent?.resourceChanges ?? {};
        expect(last.done + last.failed.length).toBe(Object.values(changes).reduce((sum, count) => sum + (count ?? 0), 0));
        expect(last.active.size).toBe(0);
        expect(last.ended).toBe(events.at(-1)?.timestamp);
    });

    test("never lose a processed resource, and show at every moment what has started and not ended", () => {
        for (const [index, { active, seen, done, failed }] of pictures.entries()) {
            const before = pictures[index - 1] ?? START;
            expect(seen.size).toBeGreaterThanOrEqual(before.seen.size);
            for (const urn of active.keys()) expect(failed).not.toContain(urn);
            const started = new Set(events.slice(0, index + 1).flatMap(({ resourcePreEvent }) => resourcePreEvent?.metadata.urn ?? []));
            expect(active.size + done + failed.length).toBeLessThanOrEqual(started.size);
        }
    });

    test("log a line for each resource, and what failed and why", () => {
        const start = events[0]?.timestamp ?? 0;
        const lines = events.flatMap(({ timestamp }, i) => logLine(name, pictures[i] ?? START, timestamp - start)?.split("\n") ?? []);
        expect(lines.filter((line) => / created /.test(line))).toHaveLength(last.done);
        expect(lines.filter((line) => /failed to|error:/.test(line)).map((line) => line.replace(/^ *\d+ s +\S+ +/, ""))).toMatchSnapshot();
    });
});

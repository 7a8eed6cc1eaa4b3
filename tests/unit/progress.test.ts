import { expect, test } from "vitest";
import type { EngineEvent } from "../../cli/driver.ts";
import { advance, logLine, type Progress, START } from "../../cli/progress.ts";

const urn = (type: string, name: string) => `urn:pulumi:cluster1::clustermesh::clustermesh:index:Network$${type}::${name}`;
const vpc = urn("aws:ec2/vpc:Vpc", "cluster1");
const nat = urn("aws:ec2/natGateway:NatGateway", "cluster1-a");

/** Events as the engine writes them to its event log, as far as they are read. */
const event = (timestamp: number, what: object) => ({ sequence: timestamp, timestamp, ...what }) as unknown as EngineEvent;
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

test("events are folded into what is under way, done and failed", () => {
    const pictures: Progress[] = [START];
    for (const one of EVENTS) pictures.push(advance(pictures.at(-1) ?? START, one));
    expect(pictures[3]?.active.size).toBe(2);
    expect(pictures[4]?.active.get(nat)?.says).toBe("waiting for the gateway");
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

test("a log has one line for each finished resource and each message, and nothing that was only shown for a moment", () => {
    let progress = START;
    const lines = EVENTS.flatMap((one) => {
        progress = advance(progress, one);
        return logLine("cluster1", progress, one.timestamp) ?? [];
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "   3 s  cluster1  created aws:ec2/vpc:Vpc cluster1 (2 s)",
        "   9 s  cluster1  error: creating EC2 NAT Gateway: NatGatewayLimitExceeded",
        "   9 s  cluster1  failed to create aws:ec2/natGateway:NatGateway cluster1-a (8 s)",
      ]
    `);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { compare, contains, halves, overlap, PRIVATE_RANGES } from "../../../core/network/cidr.ts";
import { addressMap, freeBlocks } from "../../../core/plan/addresses.ts";
import { cluster } from "./stacks.ts";

/** A block of one of the private ranges, /8 to /24. */
const block = fc
    .tuple(fc.constantFrom(...PRIVATE_RANGES.slice(0, 3)), fc.array(fc.boolean(), { maxLength: 12 }))
    .map(([range, path]) => path.reduce((at, upper) => halves(at)[upper ? 1 : 0], range as string));

test("free blocks overlap no used block, and contain every unused /20 exactly once", () => {
    fc.assert(
        fc.property(fc.array(block, { maxLength: 8 }), fc.array(block, { minLength: 1, maxLength: 8 }), (used, asked) => {
            const free = freeBlocks(used);
            for (const room of free) expect(used.some((other) => overlap(room, other))).toBe(false);
            for (const wanted of asked.filter((cidr) => Number(cidr.split("/")[1]) <= 20)) {
                const usable = !used.some((other) => overlap(wanted, other));
                expect(free.filter((room) => contains(room, wanted))).toHaveLength(usable ? 1 : 0);
            }
            const prefixes = free.map((room) => Number(room.split("/")[1]));
            expect(prefixes).toEqual(prefixes.toSorted((a, b) => a - b));
        }),
    );
});

test("the address map is sorted, each VPC before its subnets", () => {
    const map = addressMap([cluster(2, { nodeGroup: { subnets: "public" }, zones: ["eu-central-1a", "eu-central-1c"] }), cluster(1)]);
    expect(map.map(({ cidr, cluster, use, zone = "" }) => `${cidr} ${cluster} ${use} ${zone}`.trimEnd())).toMatchInlineSnapshot(`
      [
        "10.1.0.0/16 c1 VPC",
        "10.1.0.0/18 c1 private subnet zone 1",
        "10.1.64.0/18 c1 private subnet zone 2",
        "10.1.128.0/18 c1 private subnet zone 3",
        "10.1.192.0/24 c1 public subnet zone 1",
        "10.1.193.0/24 c1 public subnet zone 2",
        "10.1.194.0/24 c1 public subnet zone 3",
        "10.2.0.0/16 c2 VPC",
        "10.2.0.0/18 c2 public subnet eu-central-1a",
        "10.2.64.0/18 c2 public subnet eu-central-1c",
        "10.2.192.0/24 c2 private subnet eu-central-1a",
        "10.2.193.0/24 c2 private subnet eu-central-1c",
        "100.64.128.0/17 c1 Cilium routers",
        "100.65.0.0/17 c2 Cilium routers",
        "172.20.0.0/16 c1 services",
        "172.20.0.0/16 c2 services",
      ]
    `);
    for (const [i, { cidr }] of map.entries()) expect(compare(map[i - 1]?.cidr ?? cidr, cidr)).toBeLessThanOrEqual(0);
    for (const { cidr, use, cluster } of map.filter(({ zone }) => zone !== undefined)) {
        const vpc = map.find((other) => other.cluster === cluster && other.use === "VPC");
        expect(contains(vpc?.cidr ?? "", cidr), `${use} ${cidr}`).toBe(true);
    }
});

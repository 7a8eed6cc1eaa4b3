import fc from "fast-check";
import { expect, test } from "vitest";
import { addressAt, contains, defaultPool, isCanonical, overlap, prefixLength, subnetBlocks } from "../../../core/network/cidr.ts";
import { pairs } from "../../../core/network/mesh.ts";

/** An address as a number, computed in another way than by the code under test. */
const number = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const range = (cidr: string) => {
    const [base = "", prefix] = cidr.split("/");
    return [number(base), number(base) + 2 ** (32 - Number(prefix)) - 1] as const;
};

const cidr = fc.tuple(fc.integer({ min: 8, max: 28 }), fc.nat(2 ** 32 - 1)).map(([prefix, at]) => {
    const base = Math.floor(at / 2 ** (32 - prefix)) * 2 ** (32 - prefix);
    return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".")}/${prefix}`;
});

test.each(["10.248.0.0/18", "192.168.0.0/16", "0.0.0.0/0", "10.0.0.1/32"])("%s is canonical", (text) =>
    expect(isCanonical(text)).toBe(true),
);

test.each([
    "10.248.0.1/18",
    "10.248.0.0",
    "10.248.0.0/33",
    "10.248.0/18",
    "10.0.0.0/8 ",
    "ten",
    "",
    "fd00::/8",
    "010.0.0.0/8",
    "10.0.0.0/08",
])("%j is not canonical", (text) => expect(isCanonical(text)).toBe(false));

test.each([
    ["10.248.0.0/18", "192.168.0.0/16", false],
    ["10.248.0.0/18", "10.248.64.0/18", false],
    ["10.248.0.0/18", "10.248.63.0/24", true],
    ["10.248.63.0/24", "10.248.0.0/18", true],
    ["10.0.0.0/16", "10.0.0.0/16", true],
    ["0.0.0.0/0", "192.168.0.0/16", true],
    ["10.0.0.0/24", "10.0.0.255/32", true],
    ["10.0.0.255/32", "10.0.0.0/24", true],
])("%s and %s overlap: %s", (a, b, expected) => expect(overlap(a, b)).toBe(expected));

test("overlap and contains agree with the address ranges", () => {
    fc.assert(
        fc.property(cidr, cidr, (a, b) => {
            const [[a1, a2], [b1, b2]] = [range(a), range(b)];
            expect(overlap(a, b)).toBe(a1 <= b2 && b1 <= a2);
            expect(contains(a, b)).toBe(a1 <= b1 && b2 <= a2);
        }),
        { numRuns: 2000 },
    );
});

test("splits the VPCs of the sample stack files", () => {
    expect(subnetBlocks("10.248.0.0/18", 3, "private")).toEqual({
        private: ["10.248.0.0/20", "10.248.16.0/20", "10.248.32.0/20"],
        public: ["10.248.48.0/24", "10.248.49.0/24", "10.248.50.0/24"],
    });
    expect(subnetBlocks("192.168.0.0/16", 3, "public")).toEqual({
        public: ["192.168.0.0/18", "192.168.64.0/18", "192.168.128.0/18"],
        private: ["192.168.192.0/24", "192.168.193.0/24", "192.168.194.0/24"],
    });
});

test.each([
    ["10.0.0.0/23", 3, true],
    ["10.0.0.0/24", 3, false],
    ["10.0.0.0/24", 2, true],
    ["10.0.0.0/25", 2, false],
    ["10.0.0.0/22", 6, false],
    ["10.0.0.0/21", 6, true],
] as const)("%s has room for %i zones: %s", (vpc, zones, fits) => expect(subnetBlocks(vpc, zones, "private") !== undefined).toBe(fits));

test("subnets are in the VPC, do not overlap, and have sizes that AWS and EKS accept", () => {
    fc.assert(
        fc.property(
            cidr.filter((vpc) => prefixLength(vpc) >= 16),
            fc.integer({ min: 2, max: 6 }),
            (vpc, zones) => {
                const blocks = subnetBlocks(vpc, zones, "private");
                fc.pre(blocks !== undefined);
                const all = [...blocks.private, ...blocks.public];
                expect(blocks.private).toHaveLength(zones);
                expect(blocks.public).toHaveLength(zones);
                for (const block of all) {
                    expect(isCanonical(block)).toBe(true);
                    expect(contains(vpc, block)).toBe(true);
                    expect(Number(block.split("/")[1])).toBeLessThanOrEqual(27);
                }
                for (const [a, b] of pairs(all)) expect(overlap(a, b)).toBe(false);
            },
        ),
    );
});

test("every id from 1 to 127 has its own pool within 100.64.0.0/10", () => {
    const pools = Array.from({ length: 127 }, (_, i) => defaultPool(i + 1));
    expect(pools[0]).toBe("100.64.128.0/17");
    expect(pools[126]).toBe("100.127.128.0/17");
    for (const pool of pools) expect(contains("100.64.0.0/10", pool)).toBe(true);
    for (const [a, b] of pairs(pools)) expect(overlap(a, b)).toBe(false);
});

test("addressAt counts from the first address of the block", () => {
    expect(addressAt("10.248.16.0/20", 16)).toBe("10.248.16.16");
    expect(addressAt("192.168.255.0/24", 255)).toBe("192.168.255.255");
});

import { subnets, zoneNames } from "../facts/planned.ts";
import { compare, contains, halves, overlap, PRIVATE_RANGES, prefixLength } from "../network/cidr.ts";
import type { ClusterConfig } from "../settings/parse.ts";

/** An address block and its use. */
export interface Block {
    cidr: string;
    cluster: string;
    use: "VPC" | "private subnet" | "public subnet" | "services" | "Cilium routers";
    /** The zone of a subnet. */
    zone?: string;
}

/** Prefix length of the smallest block that is reported as free. */
const ROOM_PREFIX = 20;

/** Largest cluster id that works behind the AWS VPC CNI. */
const MAX_ID = 127;

/** All blocks in ascending order, a VPC before its subnets. */
export function addressMap(clusters: readonly ClusterConfig[]): Block[] {
    return clusters.flatMap(blocksOf).toSorted((a, b) => compare(a.cidr, b.cidr) || a.cluster.localeCompare(b.cluster, "en"));
}

function blocksOf(config: ClusterConfig): Block[] {
    const cluster = config.name;
    const zones = zoneNames(config);
    const subnet = (use: Block["use"]) => (cidr: string, i: number) => ({ cidr, cluster, use, zone: zones[i] ?? "" });
    const { private: privateBlocks, public: publicBlocks } = subnets(config);
    return [
        { cidr: config.vpcCidr, cluster, use: "VPC" },
        ...privateBlocks.map(subnet("private subnet")),
        ...publicBlocks.map(subnet("public subnet")),
        { cidr: config.serviceCidr, cluster, use: "services" },
        { cidr: config.cilium.poolCidr, cluster, use: "Cilium routers" },
    ];
}

/** Unused blocks of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16: as few as possible, the largest first, none smaller than a /20. */
export function freeBlocks(used: readonly string[]): string[] {
    return PRIVATE_RANGES.slice(0, 3)
        .flatMap((range) => freeWithin(range, used))
        .toSorted((a, b) => prefixLength(a) - prefixLength(b) || compare(a, b));
}

/** Ids from 1 to 127 that no cluster uses: those that work behind the AWS VPC CNI, ascending. */
export function freeIds(used: readonly number[]): number[] {
    return Array.from({ length: MAX_ID }, (_, i) => i + 1).filter((id) => !used.includes(id));
}

/**
 * The parts of a block that nothing uses, as few blocks as possible, in ascending order.
 *
 * @param smallest prefix length of the smallest part to return
 */
export function freeWithin(block: string, used: readonly string[], smallest = ROOM_PREFIX): string[] {
    const overlapping = used.filter((other) => overlap(block, other));
    if (overlapping.length === 0) return [block];
    if (prefixLength(block) >= smallest || overlapping.some((other) => contains(other, block))) return [];
    return halves(block).flatMap((half) => freeWithin(half, overlapping, smallest));
}

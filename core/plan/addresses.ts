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
        .flatMap((range) => free(range, used))
        .toSorted((a, b) => prefixLength(a) - prefixLength(b) || compare(a, b));
}

function free(block: string, used: readonly string[]): string[] {
    const overlapping = used.filter((other) => overlap(block, other));
    if (overlapping.length === 0) return [block];
    if (prefixLength(block) === ROOM_PREFIX || overlapping.some((other) => contains(other, block))) return [];
    return halves(block).flatMap((half) => free(half, overlapping));
}

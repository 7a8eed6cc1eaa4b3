import { subnets, zoneNames } from "../facts/planned.ts";
import { compare, contains, halves, overlap, PRIVATE_RANGES, prefixLength } from "../network/cidr.ts";
import type { ClusterConfig } from "../settings/parse.ts";

/** Whose a block of addresses is. */
export interface Block {
    cidr: string;
    cluster: string;
    use: "VPC" | "private subnet" | "public subnet" | "services" | "Cilium routers";
    /** Of a subnet. */
    zone?: string;
}

/** Smallest block worth naming to somebody who looks for room for a VPC. */
const ROOM_PREFIX = 20;

/** All blocks in ascending order, a VPC before its subnets. */
export function addressMap(clusters: readonly ClusterConfig[]): Block[] {
    return clusters.flatMap(blocksOf).toSorted((a, b) => compare(a.cidr, b.cidr) || a.cluster.localeCompare(b.cluster, "en"));
}

function blocksOf(config: ClusterConfig): Block[] {
    const cluster = config.name;
    const zones = zoneNames(config);
    const subnet = (use: Block["use"]) => (cidr: string, i: number) => ({ cidr, cluster, use, zone: zones[i] ?? "" });
    const { private: inner, public: outer } = subnets(config);
    return [
        { cidr: config.vpcCidr, cluster, use: "VPC" },
        ...inner.map(subnet("private subnet")),
        ...outer.map(subnet("public subnet")),
        { cidr: config.serviceCidr, cluster, use: "services" },
        { cidr: config.cilium.poolCidr, cluster, use: "Cilium routers" },
    ];
}

/** What of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 is nobody's: the fewest blocks, largest first. None is smaller than a /20. */
export function freeBlocks(used: readonly string[]): string[] {
    return PRIVATE_RANGES.slice(0, 3)
        .flatMap((range) => free(range, used))
        .toSorted((a, b) => prefixLength(a) - prefixLength(b) || compare(a, b));
}

function free(block: string, used: readonly string[]): string[] {
    const inTheWay = used.filter((other) => overlap(block, other));
    if (inTheWay.length === 0) return [block];
    if (prefixLength(block) === ROOM_PREFIX || inTheWay.some((other) => contains(other, block))) return [];
    return halves(block).flatMap((half) => free(half, inTheWay));
}

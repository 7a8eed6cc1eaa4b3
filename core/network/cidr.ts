import { isIPv4 } from "node:net";
import { ip2long, long2ip, Netmask } from "netmask";

/** The private ranges of RFC 1918 and the shared range of RFC 6598: the blocks that a VPC of a mesh may use, and that the VPC CNI must never SNAT. */
export const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] as const;

/** Range of Cilium's default pools: RFC 6598, which VPCs rarely use. */
export const POOL_RANGE = "100.64.0.0/10";

/** Prefix length of Cilium's default pools. */
export const POOL_PREFIX = 17;

/** Whether `text` is an IPv4 block in canonical form: `10.0.0.0/16`, not `10.0.0.7/16`. AWS would accept the latter and store the former. */
export function isCanonical(text: string): boolean {
    try {
        return isIPv4(text.split("/")[0] ?? "") && new Netmask(text).toString() === text;
    } catch {
        return false;
    }
}

/** Whether two blocks share an address. */
export function overlap(a: string, b: string): boolean {
    const [x, y] = [range(a), range(b)];
    return x.first <= y.last && y.first <= x.last;
}

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: string, inner: string): boolean {
    const [x, y] = [range(outer), range(inner)];
    return x.first <= y.first && y.last <= x.last;
}

/** Sort order of blocks: by first address; of two blocks with the same first address, the larger comes first. */
export function compare(a: string, b: string): number {
    const [x, y] = [range(a), range(b)];
    return x.first - y.first || y.last - x.last;
}

/** The lower and the upper half of a block. */
export function halves(cidr: string): [string, string] {
    const prefix = prefixLength(cidr) + 1;
    return [blockAt(cidr, prefix, 0), blockAt(cidr, prefix, 1)];
}

/** Prefix length of a block: 16 for `10.0.0.0/16`. */
export function prefixLength(cidr: string): number {
    return new Netmask(cidr).bitmask;
}

/** Number of addresses in a block. */
export function size(cidr: string): number {
    return new Netmask(cidr).size;
}

/** Cache of first and last addresses: a mesh of a hundred clusters compares the same few hundred blocks fifty thousand times. */
const ranges = new Map<string, { first: number; last: number }>();

function range(cidr: string): { first: number; last: number } {
    const cached = ranges.get(cidr);
    if (cached) return cached;
    const { netLong, size } = new Netmask(cidr);
    const bounds = { first: netLong, last: netLong + size - 1 };
    ranges.set(cidr, bounds);
    return bounds;
}

/** The address at `offset` from the first address of the block. */
export function addressAt(cidr: string, offset: number): string {
    return long2ip(ip2long(new Netmask(cidr).base) + offset);
}

/** The block number `index`, counted from 0, of prefix length `prefix` in `cidr`. */
export function blockAt(cidr: string, prefix: number, index: number): string {
    return `${addressAt(cidr, index * 2 ** (32 - prefix))}/${prefix}`;
}

/**
 * The pool from which Cilium assigns a router address to each node while the VPC CNI assigns the pods' addresses: the id-th /17 of 100.64.0.0/10, which is
 * unique for each id from 1 to 127. With a /28 per node (see `POOL_MASK_SIZE`) it holds 2,048 nodes.
 */
export function defaultPool(clusterId: number): string {
    return blockAt(POOL_RANGE, POOL_PREFIX, clusterId);
}

/** Blocks of a VPC's subnets, one per zone. */
export interface SubnetBlocks {
    private: string[];
    public: string[];
}

/**
 * Splits a VPC into a wide and a narrow block for each zone.
 *
 *     10.248.0.0/18, 3 zones
 *     ├── 10.248.0.0/20    wide, zone 1
 *     ├── 10.248.16.0/20   wide, zone 2
 *     ├── 10.248.32.0/20   wide, zone 3
 *     └── 10.248.48.0/20   narrow: 10.248.48.0/24, 10.248.49.0/24, 10.248.50.0/24; the rest stays free
 *
 * Wide blocks, at least a /26, are for nodes and pods. Narrow blocks, a /24 to a /27 because EKS requires 16 free addresses, are for NAT gateways and for the
 * ENIs of load balancers and attachments.
 *
 * The split depends on the number of zones: changing it later moves every subnet.
 *
 * @param nodes the subnets of the nodes, which get the wide blocks
 * @returns undefined when the VPC is too small for the zones
 */
export function subnetBlocks(vpcCidr: string, zones: number, nodes: keyof SubnetBlocks): SubnetBlocks | undefined {
    const widePrefix = prefixLength(vpcCidr) + bitsFor(zones + 1);
    const narrowPrefix = Math.max(24, widePrefix + bitsFor(zones));
    if (narrowPrefix > 27) return undefined;
    const last = blockAt(vpcCidr, widePrefix, 2 ** bitsFor(zones + 1) - 1);
    const perZone = (block: (zone: number) => string) => Array.from({ length: zones }, (_, zone) => block(zone));
    const wide = perZone((zone) => blockAt(vpcCidr, widePrefix, zone));
    const narrow = perZone((zone) => blockAt(last, narrowPrefix, zone));
    return nodes === "private" ? { private: wide, public: narrow } : { private: narrow, public: wide };
}

/** Bits that are needed to number `count` blocks. */
function bitsFor(count: number): number {
    return Math.ceil(Math.log2(count));
}

/** The block of a subnet that holds the etcd endpoint's address: the second /28, because AWS reserves addresses of the first. */
const RESERVED = { offset: 16, prefix: 28 };

/** The block that is reserved in a private subnet for the etcd endpoint. */
export function endpointBlock(subnetCidr: string): string {
    return `${endpointAddress(subnetCidr)}/${RESERVED.prefix}`;
}

/** The address of the etcd endpoint in a private subnet. Known before any resource exists. */
export function endpointAddress(subnetCidr: string): string {
    return addressAt(subnetCidr, RESERVED.offset);
}

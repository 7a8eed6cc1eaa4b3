import { isIPv4 } from "node:net";
import { ip2long, long2ip, Netmask } from "netmask";

/** The private ranges of RFC 1918 and the shared range of RFC 6598: what a VPC of a mesh may use, and what the VPC CNI must never SNAT. */
export const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] as const;

/** Where the program puts Cilium's own pools unless told otherwise: RFC 6598, which VPCs rarely use. */
const POOL_RANGE = "100.64.0.0/10";

/** Whether `text` is an IPv4 block in its canonical form: `10.0.0.0/16`, not `10.0.0.7/16`. AWS would accept the latter and store the former. */
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

/** Negative when `a` comes before `b`: by first address, and of two with the same one the larger block. */
export function compare(a: string, b: string): number {
    const [x, y] = [range(a), range(b)];
    return x.first - y.first || y.last - x.last;
}

/** A block's lower and upper half. */
export function halves(cidr: string): [string, string] {
    const prefix = new Netmask(cidr).bitmask + 1;
    return [blockAt(cidr, prefix, 0), blockAt(cidr, prefix, 1)];
}

/** How many addresses a block has. */
export function size(cidr: string): number {
    return new Netmask(cidr).size;
}

/** First and last address of each block met so far: a mesh of a hundred clusters compares the same few hundred blocks fifty thousand times. */
const ranges = new Map<string, { first: number; last: number }>();

function range(cidr: string): { first: number; last: number } {
    const known = ranges.get(cidr);
    if (known) return known;
    const { netLong, size } = new Netmask(cidr);
    const made = { first: netLong, last: netLong + size - 1 };
    ranges.set(cidr, made);
    return made;
}

/** The address `offset` places after the first one of the block. */
export function addressAt(cidr: string, offset: number): string {
    return long2ip(ip2long(new Netmask(cidr).base) + offset);
}

/** The `index`-th block of prefix length `prefix` in `cidr`. */
function blockAt(cidr: string, prefix: number, index: number): string {
    return `${addressAt(cidr, index * 2 ** (32 - prefix))}/${prefix}`;
}

/**
 * The pool from which Cilium takes a router address per node while the VPC CNI addresses the pods: the id-th /17 of 100.64.0.0/10, so that it is unique
 * for every id from 1 to 127. With a /28 for each node (see `POOL_MASK_SIZE`) it holds 2,048 nodes.
 */
export function defaultPool(clusterId: number): string {
    return blockAt(POOL_RANGE, 17, clusterId);
}

/** Blocks of one VPC, an element for each zone. */
export interface Layout {
    /** For nodes and pods: all that the VPC has but one part. At least a /26. */
    wide: string[];
    /** For NAT gateways and the ENIs of load balancers and attachments: at most a /24, at least a /27, since EKS wants 16 free addresses. */
    narrow: string[];
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
 * The split depends on the number of zones: changing it later moves every subnet.
 *
 * @returns undefined when the VPC is too small for the zones
 */
export function layout(vpcCidr: string, zones: number): Layout | undefined {
    const part = new Netmask(vpcCidr).bitmask + bits(zones + 1);
    const sliver = Math.max(24, part + bits(zones));
    if (sliver > 27) return undefined;
    const last = blockAt(vpcCidr, part, 2 ** bits(zones + 1) - 1);
    const each = <T>(block: (zone: number) => T) => Array.from({ length: zones }, (_, zone) => block(zone));
    return { wide: each((zone) => blockAt(vpcCidr, part, zone)), narrow: each((zone) => blockAt(last, sliver, zone)) };
}

/** Bits that number `count` things. */
function bits(count: number): number {
    return Math.ceil(Math.log2(count));
}

/** The block of its subnet that the etcd endpoint's address is taken from: the second /28, since AWS keeps addresses of the first for itself. */
const RESERVED = { offset: 16, prefix: 28 };

/** Kept free in a private subnet for the etcd endpoint. */
export function endpointBlock(subnetCidr: string): string {
    return `${endpointAddress(subnetCidr)}/${RESERVED.prefix}`;
}

/** The address of the etcd endpoint in a private subnet. Known before anything is made. */
export function endpointAddress(subnetCidr: string): string {
    return addressAt(subnetCidr, RESERVED.offset);
}

import { blockAt, compare, contains, defaultPool, isCanonical, overlap, PRIVATE_RANGES, prefixLength } from "../network/cidr.ts";
import { freeIds, freeWithin } from "../plan/addresses.ts";

/** What a cluster of the mesh already uses. */
export interface UsedAddresses {
    id: number;
    vpcCidr: string;
    serviceCidr: string;
    poolCidr: string;
}

/** What a new cluster gets. */
export interface Allocation {
    id: number;
    vpcCidr: string;
    /** Undefined: the program's default fits. */
    serviceCidr?: string;
    /** Undefined: the program's default fits. */
    poolCidr?: string;
}

/** Prefix length of the largest VPC that AWS creates. */
const LARGEST_VPC = 16;

/** Prefix length of the smallest VPC that has room for the subnets of three zones, the program's default. */
const SMALLEST_VPC = 23;

/** The program's default service CIDR, and the one that EKS uses where 172.20.0.0/16 is taken. */
const SERVICE_CIDRS = ["172.20.0.0/16", "10.100.0.0/16"] as const;

/** Cilium pools of a mesh whose VPCs are in 100.64.0.0/10, where the default pools are: the id-th /17 of this block. */
const OTHER_POOLS = "10.128.0.0/10";

/**
 * Picks ids and VPC CIDRs for new clusters. Every VPC has the same size: a /16, or the largest block of which the supernet holds twice as many as there are
 * clusters, because a VPC CIDR can never be changed and further clusters need room. If the supernet is too small for that, the largest block that fits.
 *
 * @param supernet the block that all VPCs are taken from
 * @param used the clusters that already exist: their ids and addresses are left alone
 * @returns every problem, or an allocation for each cluster
 */
export function allocate(
    supernet: string,
    count: number,
    used: readonly UsedAddresses[] = [],
): { allocations?: Allocation[]; problems: string[] } {
    const problem = supernetProblem(supernet);
    if (problem) return { problems: [problem] };
    const ids = freeIds(used.map(({ id }) => id)).slice(0, count);
    if (ids.length < count) return { problems: [`${count} clusters need ${count} free ids, but only ${ids.length} of 1 to 127 are free`] };

    const serviceCidr = SERVICE_CIDRS.find((cidr) => !overlap(cidr, supernet) && fitsServices(cidr, used)) ?? SERVICE_CIDRS[0];
    const pools = ids.map((id) => pickPool(id, [supernet, serviceCidr, ...blocksOf(used)]));
    const taken = [...blocksOf(used), serviceCidr, ...pools];
    const prefix = vpcPrefix(supernet, count, taken);
    if (prefix === undefined) {
        const smallest = SMALLEST_VPC - Math.ceil(Math.log2(count));
        const cause = used.length > 0 ? " beside the addresses that are already in use" : "";
        return {
            problems: [
                `supernet ${supernet} has no room for ${count} more VPCs of at least a /${SMALLEST_VPC} each${cause}: use a /${smallest} or larger`,
            ],
        };
    }
    const vpcs = blocksOfSize(supernet, prefix, taken, count);
    return {
        problems: [],
        allocations: ids.map((id, i) => allocation(id, vpcs[i] ?? "", serviceCidr, pools[i] ?? "")),
    };
}

/**
 * Picks the id and VPC CIDR of one more cluster: the size that most clusters have, the first free block after the last VPC of the same private range, else the
 * first free block of any private range.
 *
 * @param supernet if given, the block that the VPC is taken from
 */
export function allocateNext(used: readonly UsedAddresses[], supernet?: string): { allocation?: Allocation; problems: string[] } {
    const problem = supernet === undefined ? undefined : supernetProblem(supernet);
    if (problem) return { problems: [problem] };
    const [id] = freeIds(used.map((cluster) => cluster.id));
    if (id === undefined) return { problems: ["all ids from 1 to 127 are in use: a mesh cannot have more clusters"] };

    const prefix = commonPrefix(used.map(({ vpcCidr }) => vpcCidr));
    // All clusters may use the same service CIDR, so the first one that is in use needs no room of its own.
    const serviceCidr = used[0]?.serviceCidr ?? SERVICE_CIDRS[0];
    const pool = pickPool(id, [serviceCidr, ...blocksOf(used)]);
    const taken = [...blocksOf(used), serviceCidr, pool];
    const vpcCidr = nextVpc(prefix, used, taken, supernet);
    if (vpcCidr === undefined)
        return {
            problems: [
                `no /${prefix} is free in ${supernet ?? "the private ranges"}: ${supernet ? "name a larger --supernet" : "remove a cluster, or write the stack file by hand with a smaller vpcCidr"}`,
            ],
        };
    return { problems: [], allocation: allocation(id, vpcCidr, serviceCidr, pool) };
}

function nextVpc(prefix: number, used: readonly UsedAddresses[], taken: readonly string[], supernet?: string): string | undefined {
    const vpcs = used.map(({ vpcCidr }) => vpcCidr).toSorted(compare);
    const home = PRIVATE_RANGES.find((range) => vpcs.slice(-1).some((vpc) => contains(range, vpc)));
    const ranges = supernet ? [supernet] : [...new Set([...(home ? [home] : []), ...PRIVATE_RANGES.slice(0, 3)])];
    for (const range of ranges) {
        const highest = vpcs.filter((cidr) => contains(range, cidr)).at(-1);
        const free = freeWithin(range, taken, prefix).filter((block) => prefixLength(block) <= prefix);
        const after = highest && free.find((block) => compare(block, highest) > 0);
        const block = after || free[0];
        if (block) return blockAt(block, prefix, 0);
    }
    return undefined;
}

function supernetProblem(supernet: string): string | undefined {
    if (!isCanonical(supernet))
        return `supernet must be a canonical IPv4 CIDR (host bits zero), such as 10.0.0.0/8; got ${JSON.stringify(supernet)}`;
    if (!PRIVATE_RANGES.some((range) => contains(range, supernet)))
        return `supernet ${supernet} must be within one of the private ranges ${PRIVATE_RANGES.join(", ")}`;
    return undefined;
}

function allocation(id: number, vpcCidr: string, serviceCidr: string, poolCidr: string): Allocation {
    return {
        id,
        vpcCidr,
        ...(serviceCidr !== SERVICE_CIDRS[0] && { serviceCidr }),
        ...(poolCidr !== defaultPool(id) && { poolCidr }),
    };
}

/** Services of any cluster must not overlap VPCs and pools of the others. */
function fitsServices(cidr: string, used: readonly UsedAddresses[]): boolean {
    return used.every(({ vpcCidr, poolCidr }) => !overlap(cidr, vpcCidr) && !overlap(cidr, poolCidr));
}

function pickPool(id: number, taken: readonly string[]): string {
    const pools = [defaultPool(id), blockAt(OTHER_POOLS, 17, id)];
    return pools.find((pool) => !taken.some((cidr) => overlap(cidr, pool))) ?? defaultPool(id);
}

function blocksOf(used: readonly UsedAddresses[]): string[] {
    return used.flatMap(({ vpcCidr, serviceCidr, poolCidr }) => [vpcCidr, serviceCidr, poolCidr]);
}

/** Prefix length for the VPCs; undefined when not even the smallest VPC fits `count` times. */
function vpcPrefix(supernet: string, count: number, taken: readonly string[]): number | undefined {
    const prefixes = Array.from({ length: SMALLEST_VPC - LARGEST_VPC + 1 }, (_, i) => LARGEST_VPC + i);
    const room = (blocks: number) => prefixes.find((prefix) => capacity(supernet, prefix, taken) >= blocks);
    return room(2 * count) ?? room(count);
}

/** How many blocks of a size are free. */
function capacity(supernet: string, prefix: number, taken: readonly string[]): number {
    return freeWithin(supernet, taken, prefix)
        .map(prefixLength)
        .filter((length) => length <= prefix)
        .reduce((sum, length) => sum + 2 ** (prefix - length), 0);
}

/** The first `count` free blocks of a size. */
function blocksOfSize(supernet: string, prefix: number, taken: readonly string[], count: number): string[] {
    return freeWithin(supernet, taken, prefix)
        .filter((block) => prefixLength(block) <= prefix)
        .flatMap((block) =>
            Array.from({ length: Math.min(count, 2 ** (prefix - prefixLength(block))) }, (_, i) => blockAt(block, prefix, i)),
        )
        .slice(0, count);
}

/** The prefix length that most blocks have; of several, the longest. */
function commonPrefix(cidrs: readonly string[]): number {
    const groups = [...Map.groupBy(cidrs.map(prefixLength), (prefix) => prefix)];
    const [found] = groups.toSorted(([a, x], [b, y]) => y.length - x.length || b - a);
    return found?.[0] ?? LARGEST_VPC;
}

/**
 * What AWS lists, in USD, before taxes, discounts and free tiers. Taken from public copies of its price list and pricing pages, between these months; no account
 * was asked. EC2 in us-east-1: karpenter-provider-aws (generated 2026-01-19); elsewhere: skypilot-catalog v8, and for eu-central-1 also excerpts of AWS's offer files
 * of 2026-09. The rest: estimates that Infracost made of that list, bills, and guides of 2025 and 2026 that quote the pages named below. A price that none of
 * them had is not here: that of us-east-1 is taken, and said to be. Of us-east-2 and us-west-2 all that was looked at is as in us-east-1.
 */
export const PRICE_DATES = { from: "2025-01", to: "2026-09" };

export const PRICE_SOURCE = "AWS's price list and pricing pages, on-demand";

/** Hours of a month, as AWS's own calculator has them. */
export const MONTH_HOURS = 730;

/** Priced things, by what one of them is. */
export interface Prices {
    /** A control plane in standard support, an hour (aws.amazon.com/eks/pricing). */
    controlPlaneHour: number;
    /** aws.amazon.com/vpc/pricing */
    natGatewayHour: number;
    natGatewayGB: number;
    /** In use or not (aws.amazon.com/vpc/pricing). */
    publicAddressHour: number;
    /** aws.amazon.com/elasticloadbalancing/pricing */
    networkBalancerHour: number;
    networkBalancerUnitHour: number;
    /** Of a VPC or of another gateway, each end (aws.amazon.com/transit-gateway/pricing). */
    attachmentHour: number;
    attachmentGB: number;
    /** gp3, what is provisioned (aws.amazon.com/ebs/pricing). */
    diskGBMonth: number;
    /** aws.amazon.com/kms/pricing */
    keyMonth: number;
    /** Ingested, standard class; keeping it comes on top (aws.amazon.com/cloudwatch/pricing). */
    logsGB: number;
    /** Between zones, each way (aws.amazon.com/ec2/pricing/on-demand). Peering within a region costs the same. */
    betweenZonesGB: number;
    /** Sent to another region (aws.amazon.com/ec2/pricing/on-demand). Less between us-east-1 and us-east-2. */
    betweenRegionsGB: number;
    /** An hour of the family's `large`, Linux; the other sizes are multiples of it (aws.amazon.com/ec2/pricing/on-demand). */
    largeHour: Record<string, number>;
}

/** The same in every region that the program was made for. */
const EVERYWHERE = {
    controlPlaneHour: 0.1,
    publicAddressHour: 0.005,
    attachmentGB: 0.02,
    keyMonth: 1,
    betweenZonesGB: 0.01,
};

const AMERICA: Prices = {
    ...EVERYWHERE,
    natGatewayHour: 0.045,
    natGatewayGB: 0.045,
    networkBalancerHour: 0.0225,
    networkBalancerUnitHour: 0.006,
    attachmentHour: 0.05,
    diskGBMonth: 0.08,
    logsGB: 0.5,
    betweenRegionsGB: 0.02,
    largeHour: {
        c6i: 0.085,
        c7g: 0.0725,
        c7i: 0.08925,
        m5: 0.096,
        m6g: 0.077,
        m6i: 0.096,
        m7g: 0.0816,
        m7i: 0.1008,
        "m7i-flex": 0.09576,
        m8g: 0.08976,
        r6i: 0.126,
        r7g: 0.1071,
        r7i: 0.1323,
        t3: 0.0832,
        t3a: 0.0752,
        t4g: 0.0672,
    },
};

const REGIONS: Record<string, Partial<Prices>> = {
    "us-east-1": AMERICA,
    "us-east-2": AMERICA,
    "us-west-2": AMERICA,
    "eu-central-1": {
        natGatewayHour: 0.052,
        natGatewayGB: 0.052,
        networkBalancerHour: 0.027,
        diskGBMonth: 0.0952,
        logsGB: 0.63,
        betweenRegionsGB: 0.02,
        largeHour: { m6g: 0.092, m7g: 0.0978, m7i: 0.12075, t3: 0.096, t3a: 0.0864 },
    },
    "eu-west-1": {
        natGatewayHour: 0.048,
        natGatewayGB: 0.048,
        diskGBMonth: 0.088,
        logsGB: 0.57,
        betweenRegionsGB: 0.02,
        largeHour: { m6g: 0.086, m7g: 0.091, m7i: 0.11235, t3: 0.0912, t3a: 0.0816 },
    },
};

/** A price, and the region whose price it is. */
export interface Price {
    usd: number;
    /** us-east-1 where the table has none for the region asked for. */
    of: string;
}

/** The price of a thing in a region. */
export function priceOf(region: string, thing: Exclude<keyof Prices, "largeHour">): Price {
    const own = REGIONS[region]?.[thing] ?? (thing in EVERYWHERE ? AMERICA[thing] : undefined);
    return own === undefined ? { usd: AMERICA[thing], of: "us-east-1" } : { usd: own, of: region };
}

/** An hour of an EC2 type; undefined where the table does not have its family. */
export function instanceHour(region: string, type: string): Price | undefined {
    const [family = "", size = ""] = type.split(".");
    const multiple = sizeOf(size);
    const own = REGIONS[region]?.largeHour?.[family];
    const large = own ?? AMERICA.largeHour[family];
    if (multiple === undefined || large === undefined) return undefined;
    return { usd: large * multiple, of: own === undefined ? "us-east-1" : region };
}

/** vCPUs of a type of the standard families, which share one quota (A, C, D, H, I, M, R, T, Z); undefined for others and for bare metal. */
export function standardCpus(type: string): number | undefined {
    const [family = "", size = ""] = type.split(".");
    const multiple = sizeOf(size);
    if (multiple === undefined || !/^[acdhimrtz]\d/.test(family)) return undefined;
    // Burstable types have two from the smallest on.
    return family.startsWith("t") ? Math.max(2, multiple * 2) : Math.max(1, multiple * 2);
}

/** How many `large` a size is. */
function sizeOf(size: string): number | undefined {
    const named: Record<string, number> = { nano: 1 / 16, micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1, xlarge: 2 };
    const [, count] = /^(\d+)xlarge$/.exec(size) ?? [];
    return count === undefined ? named[size] : 2 * Number(count);
}

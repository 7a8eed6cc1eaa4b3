/**
 * AWS list prices in USD, without taxes, discounts and free tiers. From public copies of the price list and the pricing pages between these months; not verified
 * on an account. EC2 in us-east-1: karpenter-provider-aws (generated 2026-01-19); elsewhere: skypilot-catalog v8, and for eu-central-1 also excerpts of AWS's offer
 * files of 2026-09. Other prices: Infracost's estimates from that list, bills, and guides of 2025 and 2026 that quote the pages named below. Where none of them has
 * a price, the price of us-east-1 is used and reported as such. All checked prices of us-east-2 and us-west-2 equal those of us-east-1.
 */
export const PRICE_DATES = { from: "2025-01", to: "2026-09" };

export const PRICE_SOURCE = "AWS's price list and pricing pages, on-demand";

/** Hours per month, as in the AWS pricing calculator. */
export const MONTH_HOURS = 730;

/** Prices per unit. */
export interface Prices {
    /** Control plane in standard support, per hour (aws.amazon.com/eks/pricing). */
    controlPlaneHour: number;
    /** aws.amazon.com/vpc/pricing */
    natGatewayHour: number;
    natGatewayGB: number;
    /** Per public IPv4 address, in use or idle (aws.amazon.com/vpc/pricing). */
    publicAddressHour: number;
    /** aws.amazon.com/elasticloadbalancing/pricing */
    networkBalancerHour: number;
    networkBalancerUnitHour: number;
    /** Attachment of a VPC or of another gateway, at each end (aws.amazon.com/transit-gateway/pricing). */
    attachmentHour: number;
    attachmentGB: number;
    /** gp3, per provisioned GB (aws.amazon.com/ebs/pricing). */
    diskGBMonth: number;
    /** aws.amazon.com/kms/pricing */
    keyMonth: number;
    /** Ingestion, standard class, without storage (aws.amazon.com/cloudwatch/pricing). */
    logsGB: number;
    /** Traffic between zones, in each direction (aws.amazon.com/ec2/pricing/on-demand). Peering within a region costs the same. */
    betweenZonesGB: number;
    /** Traffic to another region (aws.amazon.com/ec2/pricing/on-demand). Less between us-east-1 and us-east-2. */
    betweenRegionsGB: number;
    /** Size `large` of an instance family, Linux, per hour; other sizes are multiples of it (aws.amazon.com/ec2/pricing/on-demand). */
    largeHour: Record<string, number>;
}

/** Prices that are the same in every supported region. */
const EVERYWHERE = {
    controlPlaneHour: 0.1,
    publicAddressHour: 0.005,
    attachmentGB: 0.02,
    keyMonth: 1,
    betweenZonesGB: 0.01,
};

/** Region whose prices stand in for missing ones. */
const FALLBACK_REGION = "us-east-1";

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

/** A price and its region. */
export interface Price {
    usd: number;
    /** The requested region, or us-east-1 if the table has no price for it. */
    region: string;
}

/** The price of an item in a region. */
export function priceOf(region: string, item: Exclude<keyof Prices, "largeHour">): Price {
    const own = REGIONS[region]?.[item] ?? (item in EVERYWHERE ? AMERICA[item] : undefined);
    return own === undefined ? { usd: AMERICA[item], region: FALLBACK_REGION } : { usd: own, region };
}

/** The price of an EC2 instance type per hour; undefined if the table does not have its family. */
export function instanceHour(region: string, type: string): Price | undefined {
    const [family = "", size = ""] = type.split(".");
    const multiple = sizeOf(size);
    const own = REGIONS[region]?.largeHour?.[family];
    const large = own ?? AMERICA.largeHour[family];
    if (multiple === undefined || large === undefined) return undefined;
    return { usd: large * multiple, region: own === undefined ? FALLBACK_REGION : region };
}

/** vCPUs of an instance type of the standard families, which share one quota (A, C, D, H, I, M, R, T, Z). Undefined for other families and for bare metal. */
export function standardCpus(type: string): number | undefined {
    const [family = "", size = ""] = type.split(".");
    const multiple = sizeOf(size);
    if (multiple === undefined || !/^[acdhimrtz]\d/.test(family)) return undefined;
    // Burstable types have at least two.
    return family.startsWith("t") ? Math.max(2, multiple * 2) : Math.max(1, multiple * 2);
}

/** The price of a size as a multiple of `large`. */
function sizeOf(size: string): number | undefined {
    const named: Record<string, number> = { nano: 1 / 16, micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1, xlarge: 2 };
    const [, count] = /^(\d+)xlarge$/.exec(size) ?? [];
    return count === undefined ? named[size] : 2 * Number(count);
}

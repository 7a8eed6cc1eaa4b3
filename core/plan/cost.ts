import { type PlannedFacts, zoneNames } from "../facts/planned.ts";
import { pairs } from "../network/mesh.ts";
import type { ClusterConfig, MeshConfig } from "../settings/parse.ts";
import { instanceHour, MONTH_HOURS, type Price, type Prices, priceOf } from "./prices.ts";
import { natGateways, regionsOf } from "./resources.ts";

/** What is paid for, whatever the traffic. */
export interface Cost {
    what: string;
    region: string;
    count: number;
    /** USD a month of one; null: the price table does not have it. */
    each: number | null;
    /** USD a month. */
    monthly: number | null;
    /** Region whose price was taken; null: none was. */
    pricesOf: string | null;
}

/** What is paid by use, and so is in no sum. */
export interface UnitPrice {
    what: string;
    region: string;
    unit: string;
    usd: number;
    pricesOf: string;
}

/** A cluster with the nodes that it starts with, whose first instance type is the one that comes. */
export function clusterCost(config: ClusterConfig): Cost[] {
    const { region, nodeGroup } = config;
    const zones = zoneNames(config).length;
    const nat = natGateways(config, zones);
    const [type = ""] = nodeGroup.instanceTypes;
    const addresses = nat + (nodeGroup.subnets === "public" ? nodeGroup.desired : 0);
    const hourly = (what: string, count: number, price: Price | undefined) => cost(region, what, count, price, MONTH_HOURS);
    return [
        hourly("EKS control plane", 1, priceOf(region, "controlPlaneHour")),
        hourly(`node, ${type}`, nodeGroup.desired, instanceHour(region, type)),
        cost(region, `disk of a node, ${nodeGroup.diskGiB} GiB gp3`, nodeGroup.desired, priceOf(region, "diskGBMonth"), nodeGroup.diskGiB),
        hourly("NAT gateway", nat, priceOf(region, "natGatewayHour")),
        hourly("public IPv4 address", addresses, priceOf(region, "publicAddressHour")),
        hourly("network load balancer of the etcd", 1, priceOf(region, "networkBalancerHour")),
        cost(region, "KMS key", config.kmsKeyArn ? 0 : 1, priceOf(region, "keyMonth"), 1),
    ].filter(({ count }) => count > 0);
}

/** Peering itself is free; a Transit Gateway is paid for by the attachment, between gateways at both ends. */
export function meshCost(members: readonly PlannedFacts[], { network }: Pick<MeshConfig, "network">): Cost[] {
    if (network === "peering") return [];
    const regions = regionsOf(members);
    const hourly = (what: string, region: string, count: number) =>
        cost(region, what, count, priceOf(region, "attachmentHour"), MONTH_HOURS);
    return regions
        .flatMap((region) => [
            hourly("Transit Gateway attachment of a VPC", region, members.filter((member) => member.region === region).length),
            hourly("Transit Gateway attachment of another region's", region, pairs(regions).filter((pair) => pair.includes(region)).length),
        ])
        .filter(({ count }) => count > 0);
}

function cost(region: string, what: string, count: number, price: Price | undefined, units: number): Cost {
    const each = price ? price.usd * units : null;
    return { what, region, count, each: cents(each), monthly: cents(each === null ? null : each * count), pricesOf: price?.of ?? null };
}

/** What each GB costs in the regions of these clusters, as far as their files make them pay for it. */
export function unitPrices(clusters: readonly ClusterConfig[], transitGateway: boolean): UnitPrice[] {
    const several = regionsOf(clusters).length > 1;
    return regionsOf(clusters).flatMap((region) => {
        const nat = clusters.some((cluster) => cluster.region === region && cluster.nat !== "none");
        const price = (what: string, thing: Exclude<keyof Prices, "largeHour">, unit = "GB", wanted = true): UnitPrice[] => {
            const { usd, of } = priceOf(region, thing);
            return wanted ? [{ what, region, unit, usd, pricesOf: of }] : [];
        };
        return [
            ...price("through a NAT gateway", "natGatewayGB", "GB", nat),
            ...price("between zones, each way; peering within the region likewise", "betweenZonesGB"),
            ...price("to another region", "betweenRegionsGB", "GB", several),
            ...price("into a Transit Gateway", "attachmentGB", "GB", transitGateway),
            ...price("of logs (control plane, VPC flows)", "logsGB"),
            ...price("the load balancer's capacity, by use", "networkBalancerUnitHour", "NLCU hour"),
        ];
    });
}

/** Sum of what has a price. */
export function total(costs: readonly Cost[]): number {
    return cents(costs.reduce((sum, { monthly }) => sum + (monthly ?? 0), 0)) ?? 0;
}

function cents(usd: number | null): number | null {
    return usd === null ? null : Math.round(usd * 100) / 100;
}

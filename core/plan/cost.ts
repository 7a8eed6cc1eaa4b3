import { type PlannedFacts, zoneNames } from "../facts/planned.ts";
import { pairs } from "../network/mesh.ts";
import type { ClusterConfig, MeshConfig } from "../settings/parse.ts";
import { instanceHour, MONTH_HOURS, type Price, type Prices, priceOf } from "./prices.ts";
import { natGateways, regionsOf } from "./resources.ts";

/** A cost that does not depend on traffic. */
export interface Cost {
    what: string;
    region: string;
    count: number;
    /** USD per month for one; null if the price table does not have it. */
    each: number | null;
    /** USD per month for all. */
    monthly: number | null;
    /** Region whose price was used; null if there is no price. */
    pricesOf: string | null;
}

/** A price per use, which is not part of any sum. */
export interface UnitPrice {
    what: string;
    region: string;
    unit: string;
    usd: number;
    pricesOf: string;
}

/** The costs of a cluster with its initial number of nodes, all of the first instance type. */
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

/** The costs of a mesh. Peering is free; a Transit Gateway is billed per attachment, and a peering of two gateways is an attachment at both ends. */
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
    return { what, region, count, each: cents(each), monthly: cents(each === null ? null : each * count), pricesOf: price?.region ?? null };
}

/** The prices per use in the regions of these clusters, as far as their settings cause such use. */
export function unitPrices(clusters: readonly ClusterConfig[], transitGateway: boolean): UnitPrice[] {
    const severalRegions = regionsOf(clusters).length > 1;
    return regionsOf(clusters).flatMap((region) => {
        const nat = clusters.some((cluster) => cluster.region === region && cluster.nat !== "none");
        const price = (what: string, item: Exclude<keyof Prices, "largeHour">, unit = "GB", applies = true): UnitPrice[] => {
            const { usd, region: pricesOf } = priceOf(region, item);
            return applies ? [{ what, region, unit, usd, pricesOf }] : [];
        };
        return [
            ...price("through a NAT gateway", "natGatewayGB", "GB", nat),
            ...price("between zones, each way; peering within the region likewise", "betweenZonesGB"),
            ...price("to another region", "betweenRegionsGB", "GB", severalRegions),
            ...price("into a Transit Gateway", "attachmentGB", "GB", transitGateway),
            ...price("of logs (control plane, VPC flows)", "logsGB"),
            ...price("the load balancer's capacity, by use", "networkBalancerUnitHour", "NLCU hour"),
        ];
    });
}

/** Sum of the costs that have a price. */
export function total(costs: readonly Cost[]): number {
    return cents(costs.reduce((sum, { monthly }) => sum + (monthly ?? 0), 0)) ?? 0;
}

function cents(usd: number | null): number | null {
    return usd === null ? null : Math.round(usd * 100) / 100;
}

import { expect, test } from "vitest";
import { plannedFacts } from "../../../core/facts/planned.ts";
import { clusterCost, meshCost, total, unitPrices } from "../../../core/plan/cost.ts";
import { instanceHour, priceOf, standardCpus } from "../../../core/plan/prices.ts";
import { cluster, mesh } from "./stacks.ts";

// Literal prices from the AWS price list: they prove that sizes are multiples of the family's large.
test.each([
    ["us-east-1", "m5.4xlarge", 0.768],
    ["us-east-1", "c7i.48xlarge", 8.568],
    ["us-east-1", "t3.nano", 0.0052],
    ["us-east-1", "t3.micro", 0.0104],
    ["us-east-1", "t3.small", 0.0208],
    ["us-east-1", "m7g.medium", 0.0408],
    ["us-east-1", "r7i.12xlarge", 3.1752],
    ["us-east-1", "m7i-flex.xlarge", 0.19152],
    ["us-west-2", "m7i.xlarge", 0.2016],
    ["eu-central-1", "m7i.xlarge", 0.2415],
    ["eu-central-1", "t3a.2xlarge", 0.3456],
    ["eu-west-1", "m7i.xlarge", 0.2247],
    ["eu-west-1", "m6g.medium", 0.043],
])("in %s an hour of %s costs %d", (region, type, usd) => {
    const price = instanceHour(region, type);
    expect(price?.usd).toBeCloseTo(usd, 5);
    expect(price?.region).toBe(region);
});

test("reports a price of another region as such, and no price for an unknown type", () => {
    expect(instanceHour("ap-south-1", "m7i.large")).toEqual({ usd: 0.1008, region: "us-east-1" });
    expect(instanceHour("eu-central-1", "r7i.large")).toEqual({ usd: 0.1323, region: "us-east-1" });
    for (const type of ["p5.48xlarge", "m7i.metal-24xl", "m5.metal", "m99.large"]) expect(instanceHour("us-east-1", type)).toBeUndefined();
    expect(priceOf("ap-south-1", "natGatewayHour")).toEqual({ usd: 0.045, region: "us-east-1" });
    expect(priceOf("ap-south-1", "controlPlaneHour")).toEqual({ usd: 0.1, region: "ap-south-1" });

    const costs = clusterCost(cluster(1, { nodeGroup: { instanceTypes: ["p5.48xlarge"] } }));
    expect(costs.filter(({ monthly }) => monthly === null).map(({ what }) => what)).toEqual(["node, p5.48xlarge"]);
    expect(total(costs)).toBeGreaterThan(100);
});

test("counts the vCPUs of types that share a quota", () => {
    expect(["t3.micro", "m7g.medium", "m7i.large", "m7i.4xlarge", "c6gn.16xlarge"].map(standardCpus)).toEqual([2, 1, 2, 16, 64]);
    expect(["g5.xlarge", "p5.48xlarge", "m5.metal"].map(standardCpus)).toEqual([undefined, undefined, undefined]);
});

test("sums control plane, nodes, disks, NAT gateways, addresses, load balancer and key of a cluster", () => {
    const monthly = (settings: object) => clusterCost(cluster(1, settings)).map(({ count, what, monthly }) => [count, what, monthly]);
    expect(monthly({})).toEqual([
        [1, "EKS control plane", 73],
        [3, "node, m7i.large", 264.44],
        [3, "disk of a node, 50 GiB gp3", 14.28],
        [3, "NAT gateway", 113.88],
        [3, "public IPv4 address", 10.95],
        [1, "network load balancer of the etcd", 19.71],
        [1, "KMS key", 1],
    ]);
    const bare = { nat: "none", nodeGroup: { subnets: "public", desired: 2 }, kmsKeyArn: "arn:aws:kms:eu-central-1:1:key/k" };
    expect(monthly(bare).map(([count, what]) => `${count} ${what}`)).toEqual([
        "1 EKS control plane",
        "2 node, m7i.large",
        "2 disk of a node, 50 GiB gp3",
        "2 public IPv4 address",
        "1 network load balancer of the etcd",
    ]);
});

test("charges nothing for peering, and Transit Gateways per attachment of a VPC and at both ends between regions", () => {
    const configs = ["us-east-1", "us-east-1", "us-west-2"].map((region, i) => cluster(i + 1, { region }));
    const facts = configs.map((config) => plannedFacts(config, `organization/clustermesh/${config.name}`));
    expect(meshCost(facts, mesh(["c1", "c2"]))).toEqual([]);
    const costs = meshCost(facts, mesh(["c1", "c2"], { network: "transit-gateway" }));
    expect(costs.reduce((sum, { count }) => sum + count, 0)).toBe(3 + 2);
    expect(total(costs)).toBe(182.5);

    const byUse = (transitGateway: boolean) => unitPrices(configs, transitGateway).map(({ what, region }) => `${region} ${what}`);
    expect(byUse(true).filter((line) => line.endsWith("into a Transit Gateway"))).toHaveLength(2);
    expect(byUse(false)).toContain("us-west-2 to another region");
    expect(unitPrices([cluster(1, { nat: "none", nodeGroup: { subnets: "public" } })], false).map(({ what }) => what)).not.toContain(
        "through a NAT gateway",
    );
});

import * as aws from "@pulumi/aws";
import type { automation } from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Network } from "../../../../../components/network.ts";
import { awsProvider } from "../../../../../components/providers.ts";
import { subnetBlocks } from "../../../../../core/network/cidr.ts";
import { ALL_TABLES } from "../../../aws/aws.ts";
import { awsPackage } from "../../../providers/aws/package.ts";
import { type Served, serve } from "../../../providers/server.ts";
import { changes, type Lab, noEngine, openLab, resources } from "../harness.ts";
import { ACCOUNT, PACE, REGION, simulatedAws } from "./harness.ts";

const CIDR = "10.248.0.0/18";

describe.skipIf(noEngine)("the program's network, deployed by the real engine", () => {
    const simulation = simulatedAws({ seed: "engine" });
    const here = { account: ACCOUNT, region: REGION };
    let served: Served;
    let lab: Lab;

    async function program() {
        const provider = awsProvider("aws", { region: REGION }, { "clustermesh:cluster": "c1" });
        const zones = (await aws.getAvailabilityZones({ state: "available" }, { provider })).names.slice(0, 2);
        const { accountId } = await aws.getCallerIdentity({}, { provider });
        const subnets = subnetBlocks(CIDR, zones.length, "private");
        if (!subnets) throw new Error("no blocks");
        const Principal = { AWS: `arn:aws:iam::${accountId}:root`, Service: `logs.${REGION}.amazonaws.com` };
        const Statement = [{ Effect: "Allow", Principal, Action: "kms:*", Resource: "*" }];
        const key = new aws.kms.Key(
            "c1",
            { enableKeyRotation: true, deletionWindowInDays: 7, policy: JSON.stringify({ Version: "2012-10-17", Statement }) },
            { provider },
        );
        const network = new Network(
            "c1",
            { cidr: CIDR, zones, subnets, nodes: "private", nat: "single", logRetentionDays: 30, kmsKeyArn: key.arn },
            { providers: [provider] },
        );
        return { vpcId: network.vpcId, accountId };
    }
    const preview = async () => changes((await lab.stack.preview({ onOutput: lab.onOutput })).changeSummary);
    const up = async () => changes((await lab.stack.up({ onOutput: lab.onOutput })).summary.resourceChanges);

    // Up to five engine runs per test, on shared cores.
    const TIMEOUT = 180_000;

    beforeAll(async () => {
        served = await serve(awsPackage({ simulation, account: ACCOUNT, pace: PACE }));
        lab = await openLab([served], program as automation.PulumiFn);
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
    });

    test("up creates it; afterwards preview, refresh and up change nothing", { timeout: TIMEOUT }, async () => {
        expect((await preview()).create).toBeGreaterThan(25);
        expect((await preview()).create).toBeGreaterThan(25);
        const { outputs } = await lab.stack.up({ onOutput: lab.onOutput });
        expect(outputs.accountId?.value).toBe(ACCOUNT);
        expect(await preview()).toEqual({});
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({});
        expect(await up()).toEqual({});
    });

    test("refresh detects a deleted route and up recreates it", { timeout: TIMEOUT }, async () => {
        const route = (await resources(lab.stack)).get("aws:ec2/route:Route c1-public-internet");
        const { ec2 } = simulation.in(here);
        const RouteTableId = String(route?.outputs?.routeTableId);
        await ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "0.0.0.0/0" });
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ delete: 1 });
        expect(await up()).toEqual({ create: 1 });
        const { RouteTables } = await ec2.describeRouteTables({ RouteTableIds: [RouteTableId] });
        expect(RouteTables[0]?.Routes).toContainEqual(expect.objectContaining({ DestinationCidrBlock: "0.0.0.0/0", State: "active" }));
    });

    test("up reverts a manually changed tag and VPC attribute in place", { timeout: TIMEOUT }, async () => {
        const { ec2 } = simulation.in(here);
        const state = await resources(lab.stack);
        const vpc = state.get("aws:ec2/vpc:Vpc c1");
        await ec2.modifyVpcAttribute({ VpcId: vpc?.id ?? "", EnableDnsHostnames: { Value: false } });
        await ec2.createTags({ Resources: [vpc?.id ?? ""], Tags: [{ Key: "by-hand", Value: "1" }] });
        expect(changes((await lab.refresh()).summary.resourceChanges)).toMatchObject({ update: 1 });
        expect(await up()).toEqual({ update: 1 });
        expect(await ec2.describeVpcAttribute({ VpcId: vpc?.id ?? "", Attribute: "enableDnsHostnames" })).toMatchObject({
            EnableDnsHostnames: { Value: true },
        });
        const { Vpcs } = await ec2.describeVpcs({ VpcIds: [vpc?.id ?? ""] });
        expect(Vpcs[0]?.Tags.map(({ Key }) => Key)).not.toContain("by-hand");
    });

    test("destroy leaves no resource at AWS", { timeout: TIMEOUT }, async () => {
        await lab.destroy();
        expect((await resources(lab.stack)).size).toBe(0);
        expect(simulation.remains(ALL_TABLES)).toEqual([]);
    });
});

import { beforeEach, describe, expect, test } from "vitest";
import { NETWORK_LOAD_BALANCERS } from "../../../aws/elb/tables.ts";
import { keptRules, refused } from "../kept-rules.ts";
import { FRANKFURT } from "../places.ts";
import { type BalancerSite, createBalancerSite } from "./balancer.ts";

let s: BalancerSite;
beforeEach(async () => {
    s = await createBalancerSite();
});

describe("load balancers", () => {
    const rule = keptRules("load balancers");

    rule("creates an internal network load balancer", async () => {
        const created = await s.balancer();
        expect(created).toMatchObject({ Scheme: "internal", Type: "network", VpcId: s.VpcId, SecurityGroups: [s.group] });
        expect(created.AvailabilityZones).toEqual([
            { ZoneName: "eu-central-1a", SubnetId: s.a, LoadBalancerAddresses: [{ PrivateIPv4Address: "10.0.0.16" }] },
            { ZoneName: "eu-central-1b", SubnetId: s.b, LoadBalancerAddresses: [{ PrivateIPv4Address: "10.0.1.16" }] },
        ]);
        expect(created.LoadBalancerArn).toMatch(
            /^arn:aws:elasticloadbalancing:eu-central-1:111111111111:loadbalancer\/net\/etcd-1\/[0-9a-f]{16}$/,
        );
        expect((await s.elb.describeLoadBalancers({ Names: ["etcd-1"] })).LoadBalancers).toEqual([created]);
    });

    rule("is provisioning and then active", async () => {
        const { State, LoadBalancerArn } = await s.balancer();
        expect(State.Code).toBe("provisioning");
        s.minutes(2);
        const { LoadBalancers } = await s.elb.describeLoadBalancers({ LoadBalancerArns: [LoadBalancerArn] });
        expect(LoadBalancers[0]?.State.Code).toBe("active");
    });

    rule("describes its tags", async () => {
        const { LoadBalancerArn } = await s.balancer({ Tags: [{ Key: "Name", Value: "one-etcd" }] });
        const ResourceArns = [LoadBalancerArn];
        await s.elb.addTags({ ResourceArns, Tags: [{ Key: "a", Value: "1" }] });
        await s.elb.removeTags({ ResourceArns, TagKeys: ["a"] });
        const all = (await s.elb.describeLoadBalancers()).LoadBalancers.map((balancer) => balancer.LoadBalancerArn);
        expect((await s.elb.describeTags({ ResourceArns: all })).TagDescriptions).toEqual([
            { ResourceArn: LoadBalancerArn, Tags: [{ Key: "Name", Value: "one-etcd" }] },
        ]);
    });

    rule("refuses the same name with another scheme", async () => {
        const created = await s.balancer();
        const VpcId = s.VpcId;
        const { InternetGatewayId } = (await s.ec2.createInternetGateway()).InternetGateway;
        await s.ec2.attachInternetGateway({ InternetGatewayId, VpcId });
        await refused(
            s.balancer({ Scheme: "internet-facing", SubnetMappings: [{ SubnetId: s.a }, { SubnetId: s.b }] }),
            "DuplicateLoadBalancerName",
            "A load balancer with the same name 'etcd-1' exists, but with different settings",
        );
        expect(created.Scheme).toBe("internal");
    });

    rule("refuses an unknown subnet", async () => {
        await refused(
            s.balancer({ SubnetMappings: [{ SubnetId: "subnet-00000000000000000" }] }),
            "SubnetNotFound",
            "The subnet ID 'subnet-00000000000000000' does not exist",
        );
    });

    rule("creates network interfaces, which remain for a while after its deletion", async () => {
        await s.ec2.createSubnetCidrReservation({ SubnetId: s.a, Cidr: "10.0.0.16/28", ReservationType: "explicit" });
        const { LoadBalancerArn } = await s.balancer();
        const created = await s.interfacesOf("etcd-1");
        expect(created.map(({ PrivateIpAddress, InterfaceType }) => [PrivateIpAddress, InterfaceType])).toEqual([
            ["10.0.0.16", "network_load_balancer"],
            ["10.0.1.16", "network_load_balancer"],
        ]);
        expect(created.flatMap(({ Groups }) => Groups.map(({ GroupId }) => GroupId))).toEqual([s.group, s.group]);
        await refused(s.ec2.deleteSubnet({ SubnetId: s.a }), "DependencyViolation");
        await s.elb.deleteLoadBalancer({ LoadBalancerArn });
        await refused(s.ec2.deleteSecurityGroup({ GroupId: s.group }), "DependencyViolation");
        s.minutes(1);
        expect(await s.interfacesOf("etcd-1")).toEqual([]);
        await s.ec2.deleteSecurityGroup({ GroupId: s.group });
        await s.ec2.deleteSubnet({ SubnetId: s.a });
    });

    test("returns the existing load balancer for the same request", async () => {
        expect((await s.balancer()).LoadBalancerArn).toBe((await s.balancer()).LoadBalancerArn);
        expect(await s.interfacesOf("etcd-1")).toHaveLength(2);
    });

    test.each([
        ["a".repeat(33), "The load balancer name '%' cannot be longer than '32' characters"],
        ["a_b", "The load balancer name '%' can only contain characters that are alphanumeric characters and hyphens(-)"],
        ["-a", "The load balancer name '%' cannot begin or end with a hyphen(-)"],
        ["internal-a", "The load balancer name '%' cannot begin with 'internal-'"],
    ])("refuses the name %s", async (Name, message) => {
        await refused(s.balancer({ Name }), "ValidationError", message.replace("%", Name));
    });

    test("refuses an address that is outside the subnet, in use or reserved by AWS", async () => {
        const at = (PrivateIPv4Address: string) => s.balancer({ Name: "other", SubnetMappings: [{ SubnetId: s.a, PrivateIPv4Address }] });
        await s.balancer();
        for (const address of ["10.0.1.16", "10.0.0.16", "10.0.0.2", "10.0.0.255"])
            await refused(at(address), "InvalidConfigurationRequest");
        await at("10.0.0.17");
    });

    test("refuses two subnets in one zone, an unknown group, and internet-facing without an internet gateway", async () => {
        const second = await s.subnet("10.0.2.0/24", "a");
        await refused(
            s.balancer({ SubnetMappings: [{ SubnetId: s.a }, { SubnetId: second }] }),
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        );
        await refused(s.balancer({ SecurityGroups: ["sg-00000000000000000"] }), "InvalidSecurityGroup");
        await refused(
            s.balancer({ Scheme: "internet-facing", SubnetMappings: [{ SubnetId: s.a }] }),
            "InvalidSubnet",
            `VPC ${s.VpcId} has no internet gateway`,
        );
        await refused(s.balancer({ Scheme: "internet-facing" }), "InvalidConfigurationRequest");
    });

    test("refuses no subnets, subnets of two VPCs or given twice, another type, and more than the quota", async () => {
        await refused(s.balancer({ SubnetMappings: [] }), "ValidationError", "At least one subnet must be specified");
        await refused(s.balancer({ Subnets: [s.a] }), "ValidationError", "Only one of subnets or subnet mappings can be specified");
        await refused(s.balancer({ Type: "application" }), "ValidationError");
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const far = (await s.ec2.createSubnet({ VpcId, CidrBlock: "10.1.0.0/24", AvailabilityZone: `${FRANKFURT.region}b` })).Subnet
            .SubnetId;
        const SubnetMappings = [{ SubnetId: s.a }, { SubnetId: far }];
        await refused(s.balancer({ SubnetMappings }), "InvalidConfigurationRequest", "All subnets must belong to the same VPC");
        s.aws.setQuota(FRANKFURT, NETWORK_LOAD_BALANCERS, 0);
        await refused(s.balancer(), "TooManyLoadBalancers");
    });

    test("needs 8 free addresses in each subnet", async () => {
        const small = await s.subnet("10.0.3.0/28", "a");
        for (let i = 0; i < 4; i++) await s.ec2.createNetworkInterface({ SubnetId: small });
        await refused(s.balancer({ SubnetMappings: [{ SubnetId: small }] }), "InvalidSubnet");
    });

    test("keeps attributes and refuses unknown ones", async () => {
        const { LoadBalancerArn } = await s.balancer();
        const attribute = (Key: string, Value: string) =>
            s.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes: [{ Key, Value }] });
        await attribute("load_balancing.cross_zone.enabled", "true");
        expect((await s.elb.describeLoadBalancerAttributes({ LoadBalancerArn })).Attributes).toContainEqual({
            Key: "load_balancing.cross_zone.enabled",
            Value: "true",
        });
        await refused(attribute("cross_zone", "true"), "ValidationError", "Load balancer attribute key 'cross_zone' is not recognized");
        await refused(attribute("load_balancing.cross_zone.enabled", "yes"), "ValidationError");
    });

    test("refuses to delete a protected load balancer, and ignores one that does not exist", async () => {
        const { LoadBalancerArn } = await s.balancer();
        await s.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes: [{ Key: "deletion_protection.enabled", Value: "true" }] });
        await refused(s.elb.deleteLoadBalancer({ LoadBalancerArn }), "OperationNotPermitted");
        await s.elb.deleteLoadBalancer({ LoadBalancerArn: `${LoadBalancerArn}0` });
    });

    test("changes security groups, but not of a load balancer that was created without", async () => {
        const { LoadBalancerArn } = await s.balancer();
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "g", Description: "d", VpcId: s.VpcId });
        await s.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: [GroupId] });
        expect((await s.interfacesOf("etcd-1")).flatMap(({ Groups }) => Groups.map(({ GroupId: id }) => id))).toEqual([GroupId, GroupId]);
        await refused(s.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: ["sg-00000000000000000"] }), "InvalidSecurityGroup");
        const bare = await s.balancer({ Name: "bare", SecurityGroups: [], SubnetMappings: [{ SubnetId: s.a }] });
        await refused(
            s.elb.setSecurityGroups({ LoadBalancerArn: bare.LoadBalancerArn, SecurityGroups: [GroupId] }),
            "InvalidConfigurationRequest",
        );
    });
});

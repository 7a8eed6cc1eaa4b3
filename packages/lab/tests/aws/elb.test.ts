import { beforeEach, describe, expect, test } from "vitest";
import { findBalancerTargets } from "../../aws/elb/forwarding.ts";
import { LISTENERS_PER_BALANCER, NETWORK_LOAD_BALANCERS, TARGET_GROUPS } from "../../aws/elb/tables.ts";
import { setMeasuredHealth } from "../../aws/elb/target-health.ts";
import { pathBetween } from "../../aws/path/path.ts";
import { HERE, keptRules } from "./places.ts";
import { type Site, site } from "./site.ts";
import { refused } from "./world.ts";

let s: Site;
let group: string;
beforeEach(async () => {
    s = await site();
    group = (await s.ec2.createSecurityGroup({ GroupName: "etcd", Description: "d", VpcId: s.VpcId })).GroupId;
});

type Balancer = Parameters<Site["elb"]["createLoadBalancer"]>[0];
const balancer = async (more: Partial<Balancer> = {}) => {
    const [made] = (
        await s.elb.createLoadBalancer({
            Name: "etcd-1",
            Type: "network",
            Scheme: "internal",
            SubnetMappings: [
                { SubnetId: s.a, PrivateIPv4Address: "10.0.0.16" },
                { SubnetId: s.b, PrivateIPv4Address: "10.0.1.16" },
            ],
            SecurityGroups: [group],
            ...more,
        })
    ).LoadBalancers;
    if (!made) throw new Error("no balancer made");
    return made;
};
type Targets = Parameters<Site["elb"]["createTargetGroup"]>[0];
const targetGroup = async (more: Partial<Targets> = {}) => {
    const [made] = (
        await s.elb.createTargetGroup({
            Name: "etcd-1",
            Protocol: "TCP",
            Port: 32379,
            VpcId: s.VpcId,
            HealthCheckIntervalSeconds: 10,
            HealthyThresholdCount: 2,
            ...more,
        })
    ).TargetGroups;
    if (!made) throw new Error("no target group made");
    return made.TargetGroupArn;
};
const listener = (LoadBalancerArn: string, TargetGroupArn: string, Port = 2379, Protocol = "TCP") =>
    s.elb.createListener({ LoadBalancerArn, Port, Protocol, DefaultActions: [{ Type: "forward", TargetGroupArn }] });
const interfacesOf = async (name: string) =>
    (await s.ec2.describeNetworkInterfaces({ Filters: [{ Name: "description", Values: [`ELB net/${name}/*`] }] })).NetworkInterfaces;
/** The Auto Scaling group of a node group that is ACTIVE, and admits the balancer. */
const nodes = async (more: Parameters<Site["nodegroup"]>[0] = {}) => {
    const { resourcesVpcConfig } = await s.active();
    await s.ec2.authorizeSecurityGroupIngress({ GroupId: resourcesVpcConfig.clusterSecurityGroupId, IpPermissions: fromBalancer() });
    const { resources } = await s.nodegroup(more);
    s.minutes(2);
    await s.eks.describeNodegroup({ clusterName: "one", nodegroupName: "nodes" });
    return resources.autoScalingGroups[0]?.name ?? "";
};
const fromBalancer = () => [{ IpProtocol: "tcp", FromPort: 32379, ToPort: 32379, UserIdGroupPairs: [{ GroupId: group }] }];
const health = async (TargetGroupArn: string) =>
    (await s.elb.describeTargetHealth({ TargetGroupArn })).TargetHealthDescriptions.map(({ TargetHealth }) => TargetHealth.State);

describe("elb", () => {
    const rule = keptRules("elb");

    rule("create internal NLB", async () => {
        const made = await balancer();
        expect(made).toMatchObject({ Scheme: "internal", Type: "network", VpcId: s.VpcId, SecurityGroups: [group] });
        expect(made.AvailabilityZones).toEqual([
            { ZoneName: "eu-central-1a", SubnetId: s.a, LoadBalancerAddresses: [{ PrivateIPv4Address: "10.0.0.16" }] },
            { ZoneName: "eu-central-1b", SubnetId: s.b, LoadBalancerAddresses: [{ PrivateIPv4Address: "10.0.1.16" }] },
        ]);
        expect(made.LoadBalancerArn).toMatch(
            /^arn:aws:elasticloadbalancing:eu-central-1:111111111111:loadbalancer\/net\/etcd-1\/[0-9a-f]{16}$/,
        );
        expect((await s.elb.describeLoadBalancers({ Names: ["etcd-1"] })).LoadBalancers).toEqual([made]);
    });

    rule("state provisioning→active", async () => {
        const { State, LoadBalancerArn } = await balancer();
        expect(State.Code).toBe("provisioning");
        s.minutes(2);
        const { LoadBalancers } = await s.elb.describeLoadBalancers({ LoadBalancerArns: [LoadBalancerArn] });
        expect(LoadBalancers[0]?.State.Code).toBe("active");
    });

    rule("find by tags", async () => {
        const { LoadBalancerArn } = await balancer({ Tags: [{ Key: "Name", Value: "one-etcd" }] });
        const ResourceArns = [LoadBalancerArn];
        await s.elb.addTags({ ResourceArns, Tags: [{ Key: "a", Value: "1" }] });
        await s.elb.removeTags({ ResourceArns, TagKeys: ["a"] });
        const all = (await s.elb.describeLoadBalancers()).LoadBalancers.map((one) => one.LoadBalancerArn);
        expect((await s.elb.describeTags({ ResourceArns: all })).TagDescriptions).toEqual([
            { ResourceArn: LoadBalancerArn, Tags: [{ Key: "Name", Value: "one-etcd" }] },
        ]);
    });

    rule("same name, other scheme", async () => {
        const made = await balancer();
        const VpcId = s.VpcId;
        const { InternetGatewayId } = (await s.ec2.createInternetGateway()).InternetGateway;
        await s.ec2.attachInternetGateway({ InternetGatewayId, VpcId });
        await refused(
            balancer({ Scheme: "internet-facing", SubnetMappings: [{ SubnetId: s.a }, { SubnetId: s.b }] }),
            "DuplicateLoadBalancerName",
            "A load balancer with the same name 'etcd-1' exists, but with different settings",
        );
        expect(made.Scheme).toBe("internal");
    });

    rule("unknown subnet", async () => {
        await refused(
            balancer({ SubnetMappings: [{ SubnetId: "subnet-00000000000000000" }] }),
            "SubnetNotFound",
            "The subnet ID 'subnet-00000000000000000' does not exist",
        );
    });

    rule("NLB creates ENIs", async () => {
        await s.ec2.createSubnetCidrReservation({ SubnetId: s.a, Cidr: "10.0.0.16/28", ReservationType: "explicit" });
        const { LoadBalancerArn } = await balancer();
        const made = await interfacesOf("etcd-1");
        expect(made.map(({ PrivateIpAddress, InterfaceType }) => [PrivateIpAddress, InterfaceType])).toEqual([
            ["10.0.0.16", "network_load_balancer"],
            ["10.0.1.16", "network_load_balancer"],
        ]);
        expect(made.flatMap(({ Groups }) => Groups.map(({ GroupId }) => GroupId))).toEqual([group, group]);
        await refused(s.ec2.deleteSubnet({ SubnetId: s.a }), "DependencyViolation");
        await s.elb.deleteLoadBalancer({ LoadBalancerArn });
        await refused(s.ec2.deleteSecurityGroup({ GroupId: group }), "DependencyViolation");
        s.minutes(1);
        expect(await interfacesOf("etcd-1")).toEqual([]);
        await s.ec2.deleteSecurityGroup({ GroupId: group });
        await s.ec2.deleteSubnet({ SubnetId: s.a });
    });

    test("the same request again gets the same balancer", async () => {
        expect((await balancer()).LoadBalancerArn).toBe((await balancer()).LoadBalancerArn);
        expect(await interfacesOf("etcd-1")).toHaveLength(2);
    });

    test.each([
        ["a".repeat(33), "The load balancer name '%' cannot be longer than '32' characters"],
        ["a_b", "The load balancer name '%' can only contain characters that are alphanumeric characters and hyphens(-)"],
        ["-a", "The load balancer name '%' cannot begin or end with a hyphen(-)"],
        ["internal-a", "The load balancer name '%' cannot begin with 'internal-'"],
    ])("the name %s is refused", async (Name, message) => {
        await refused(balancer({ Name }), "ValidationError", message.replace("%", Name));
    });

    test("an address outside its subnet, taken or AWS's own is refused", async () => {
        const at = (PrivateIPv4Address: string) => balancer({ Name: "other", SubnetMappings: [{ SubnetId: s.a, PrivateIPv4Address }] });
        await balancer();
        for (const address of ["10.0.1.16", "10.0.0.16", "10.0.0.2", "10.0.0.255"])
            await refused(at(address), "InvalidConfigurationRequest");
        await at("10.0.0.17");
    });

    test("two subnets of one zone, a group of another VPC, and internet-facing without a gateway are refused", async () => {
        const second = await s.subnet("10.0.2.0/24", "a");
        await refused(
            balancer({ SubnetMappings: [{ SubnetId: s.a }, { SubnetId: second }] }),
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        );
        await refused(balancer({ SecurityGroups: ["sg-00000000000000000"] }), "InvalidSecurityGroup");
        await refused(
            balancer({ Scheme: "internet-facing", SubnetMappings: [{ SubnetId: s.a }] }),
            "InvalidSubnet",
            `VPC ${s.VpcId} has no internet gateway`,
        );
        await refused(balancer({ Scheme: "internet-facing" }), "InvalidConfigurationRequest");
    });

    test("no subnet, subnets of two VPCs or said twice, another kind of balancer, and more than the quota are refused", async () => {
        await refused(balancer({ SubnetMappings: [] }), "ValidationError", "At least one subnet must be specified");
        await refused(balancer({ Subnets: [s.a] }), "ValidationError", "Only one of subnets or subnet mappings can be specified");
        await refused(balancer({ Type: "application" }), "ValidationError");
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const far = (await s.ec2.createSubnet({ VpcId, CidrBlock: "10.1.0.0/24", AvailabilityZone: `${HERE.region}b` })).Subnet.SubnetId;
        const SubnetMappings = [{ SubnetId: s.a }, { SubnetId: far }];
        await refused(balancer({ SubnetMappings }), "InvalidConfigurationRequest", "All subnets must belong to the same VPC");
        s.aws.setQuota(HERE, NETWORK_LOAD_BALANCERS, 0);
        await refused(balancer(), "TooManyLoadBalancers");
    });

    test("a subnet needs eight free addresses", async () => {
        const small = await s.subnet("10.0.3.0/28", "a");
        for (let i = 0; i < 4; i++) await s.ec2.createNetworkInterface({ SubnetId: small });
        await refused(balancer({ SubnetMappings: [{ SubnetId: small }] }), "InvalidSubnet");
    });

    test("attributes are kept; unknown ones are refused", async () => {
        const { LoadBalancerArn } = await balancer();
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

    test("a protected balancer is not deleted; one that is not there, without an error", async () => {
        const { LoadBalancerArn } = await balancer();
        await s.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes: [{ Key: "deletion_protection.enabled", Value: "true" }] });
        await refused(s.elb.deleteLoadBalancer({ LoadBalancerArn }), "OperationNotPermitted");
        await s.elb.deleteLoadBalancer({ LoadBalancerArn: `${LoadBalancerArn}0` });
    });

    test("groups may change, but not be added to a balancer that began without", async () => {
        const { LoadBalancerArn } = await balancer();
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "g", Description: "d", VpcId: s.VpcId });
        await s.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: [GroupId] });
        expect((await interfacesOf("etcd-1")).flatMap(({ Groups }) => Groups.map((one) => one.GroupId))).toEqual([GroupId, GroupId]);
        await refused(s.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: ["sg-00000000000000000"] }), "InvalidSecurityGroup");
        const bare = await balancer({ Name: "bare", SecurityGroups: [], SubnetMappings: [{ SubnetId: s.a }] });
        await refused(
            s.elb.setSecurityGroups({ LoadBalancerArn: bare.LoadBalancerArn, SecurityGroups: [GroupId] }),
            "InvalidConfigurationRequest",
        );
    });

    describe("target groups", () => {
        test("are kept as asked for, and their attributes too", async () => {
            const TargetGroupArn = await targetGroup();
            const [made] = (await s.elb.describeTargetGroups({ TargetGroupArns: [TargetGroupArn] })).TargetGroups;
            expect(made).toMatchObject({ Port: 32379, TargetType: "instance", HealthCheckIntervalSeconds: 10, LoadBalancerArns: [] });
            const set = (Key: string, Value: string) => s.elb.modifyTargetGroupAttributes({ TargetGroupArn, Attributes: [{ Key, Value }] });
            await set("preserve_client_ip.enabled", "false");
            expect((await s.elb.describeTargetGroupAttributes({ TargetGroupArn })).Attributes).toContainEqual({
                Key: "preserve_client_ip.enabled",
                Value: "false",
            });
            await refused(set("preserve_ip", "false"), "ValidationError", "Target group attribute key 'preserve_ip' is not recognized");
            await refused(set("deregistration_delay.timeout_seconds", "3601"), "ValidationError");
        });

        test("of one name and other settings are refused", async () => {
            expect(await targetGroup()).toBe(await targetGroup());
            await refused(
                targetGroup({ Port: 2379 }),
                "DuplicateTargetGroupName",
                "A target group with the same name 'etcd-1' exists, but with different settings",
            );
        });

        test("of no VPC, of a protocol for another kind of balancer, or with hasty checks are refused", async () => {
            await refused(
                targetGroup({ VpcId: "vpc-00000000000000000" }),
                "ValidationError",
                "The VPC ID 'vpc-00000000000000000' is not found",
            );
            await refused(targetGroup({ VpcId: "" }), "ValidationError", "A VPC ID must be specified");
            await refused(targetGroup({ Port: 0 }), "ValidationError", "A port must be specified, between 1 and 65535");
            await refused(targetGroup({ Protocol: "HTTP" }), "ValidationError");
            s.aws.setQuota(HERE, TARGET_GROUPS, 0);
            await refused(targetGroup(), "TooManyTargetGroups");
            await refused(
                targetGroup({ HealthCheckIntervalSeconds: 4 }),
                "ValidationError",
                "Health check interval must be between 5 and 300",
            );
            await refused(targetGroup({ HealthyThresholdCount: 1 }), "ValidationError");
        });

        test("are not deleted while a listener forwards to them", async () => {
            const TargetGroupArn = await targetGroup();
            const { LoadBalancerArn } = await balancer();
            await listener(LoadBalancerArn, TargetGroupArn);
            await refused(
                s.elb.deleteTargetGroup({ TargetGroupArn }),
                "ResourceInUse",
                `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`,
            );
            await s.elb.deleteLoadBalancer({ LoadBalancerArn });
            await s.elb.deleteTargetGroup({ TargetGroupArn });
            await refused(s.elb.describeTargetGroups({ TargetGroupArns: [TargetGroupArn] }), "TargetGroupNotFound");
        });

        test("take only instances of their VPC", async () => {
            const TargetGroupArn = await targetGroup();
            await refused(s.elb.registerTargets({ TargetGroupArn, Targets: [{ Id: "i-00000000000000000" }] }), "InvalidTarget");
        });
    });

    describe("listeners", () => {
        test("are one for each port, and name what is there", async () => {
            const arn = (await balancer()).LoadBalancerArn;
            const targets = await targetGroup();
            const { Listeners } = await listener(arn, targets);
            expect(Listeners[0]).toMatchObject({ Port: 2379, Protocol: "TCP", DefaultActions: [{ TargetGroupArn: targets }] });
            await refused(
                listener(arn, targets),
                "DuplicateListener",
                `A listener already exists on this port for this load balancer '${arn}'`,
            );
            await refused(listener(`${arn}0`, targets, 1), "LoadBalancerNotFound", "One or more load balancers not found");
            await refused(listener(arn, `${targets}0`, 1), "TargetGroupNotFound", "One or more target groups not found");
            await refused(listener(arn, targets, 1, "UDP"), "IncompatibleProtocols");
            await refused(listener(arn, targets, 1, "HTTP"), "ValidationError");
            await refused(listener(arn, targets, 0), "ValidationError");
            const none = { LoadBalancerArn: arn, Port: 1, Protocol: "TCP", DefaultActions: [] };
            await refused(s.elb.createListener(none), "InvalidLoadBalancerAction");
            s.aws.setQuota(HERE, LISTENERS_PER_BALANCER, 1);
            await refused(listener(arn, targets, 1), "TooManyListeners");
        });

        test("may be changed and deleted", async () => {
            const LoadBalancerArn = (await balancer()).LoadBalancerArn;
            const ListenerArn = (await listener(LoadBalancerArn, await targetGroup())).Listeners[0]?.ListenerArn ?? "";
            await s.elb.modifyListener({ ListenerArn, Port: 2380 });
            expect((await s.elb.describeListeners({ LoadBalancerArn })).Listeners.map(({ Port }) => Port)).toEqual([2380]);
            expect((await s.elb.describeListenerAttributes({ ListenerArn })).Attributes).toEqual([
                { Key: "tcp.idle_timeout.seconds", Value: "350" },
            ]);
            await s.elb.deleteListener({ ListenerArn });
            await refused(s.elb.describeListeners({ ListenerArns: [ListenerArn] }), "ListenerNotFound");
        });

        test("of two balancers do not share a target group, nor is it of another VPC", async () => {
            const targets = await targetGroup();
            await listener((await balancer()).LoadBalancerArn, targets);
            const second = await balancer({ Name: "second", SubnetMappings: [{ SubnetId: s.a }] });
            await refused(listener(second.LoadBalancerArn, targets), "TargetGroupAssociationLimit");
            const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
            await refused(listener(second.LoadBalancerArn, await targetGroup({ Name: "far", VpcId })), "InvalidConfigurationRequest");
        });
    });
});

describe("autoscaling", () => {
    const rule = keptRules("autoscaling");

    rule("attach target group: its instances become targets", async () => {
        const AutoScalingGroupName = await nodes();
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        expect(await health(targets)).toEqual(["unused", "unused"]);
        await listener((await balancer()).LoadBalancerArn, targets);
        expect(await health(targets)).toEqual(["initial", "initial"]);
        s.minutes(1);
        expect(await health(targets)).toEqual(["healthy", "healthy"]);
        const { LoadBalancerTargetGroups } = await s.autoscaling.describeLoadBalancerTargetGroups({ AutoScalingGroupName });
        expect(LoadBalancerTargetGroups).toEqual([{ LoadBalancerTargetGroupARN: targets, State: "InService" }]);
    });

    test("nodes that come and go are targets that come and go", async () => {
        const AutoScalingGroupName = await nodes();
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await listener((await balancer()).LoadBalancerArn, targets);
        const scale = (desiredSize: number) =>
            s.eks.updateNodegroupConfig({ clusterName: "one", nodegroupName: "nodes", scalingConfig: { desiredSize } });
        await scale(3);
        s.minutes(1);
        expect(await health(targets)).toEqual(["healthy", "healthy", "initial"]);
        await scale(1);
        expect((await health(targets)).toSorted()).toEqual(["draining", "draining", "initial"]);
        s.minutes(6);
        expect(await health(targets)).toEqual(["healthy"]);
    });

    test("a target in a zone where its balancer is not gets nothing", async () => {
        const AutoScalingGroupName = await nodes();
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await listener((await balancer({ SubnetMappings: [{ SubnetId: s.a }] })).LoadBalancerArn, targets);
        s.minutes(1);
        expect(await health(targets)).toEqual(["healthy", "unused"]);
    });

    test("a target whose group does not admit its balancer is unhealthy", async () => {
        const AutoScalingGroupName = await nodes();
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await listener((await balancer()).LoadBalancerArn, targets);
        s.minutes(1);
        const { clusterSecurityGroupId: GroupId } = (await s.eks.describeCluster({ name: "one" })).cluster.resourcesVpcConfig;
        await s.ec2.revokeSecurityGroupIngress({ GroupId, IpPermissions: fromBalancer() });
        const { TargetHealthDescriptions } = await s.elb.describeTargetHealth({ TargetGroupArn: targets });
        expect(TargetHealthDescriptions[0]?.TargetHealth).toMatchObject({ State: "unhealthy", Reason: "Target.FailedHealthChecks" });
    });

    test("where health is measured, it is what was found", async () => {
        const AutoScalingGroupName = await nodes();
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await listener((await balancer()).LoadBalancerArn, targets);
        s.minutes(1);
        expect(await health(targets)).toEqual(["healthy", "healthy"]);
        const { TargetHealthDescriptions } = await s.elb.describeTargetHealth({ TargetGroupArn: targets });
        const [first] = TargetHealthDescriptions.map(({ Target }) => `${targets} ${Target.Id}`);
        const measure = (found: Parameters<typeof setMeasuredHealth>[1]) => s.aws.edit(HERE, (scope) => setMeasuredHealth(scope, found));
        measure(new Map([[first ?? "", "unhealthy"]]));
        expect(await health(targets)).toEqual(["unhealthy", "initial"]);
        measure(new Map([[first ?? "", "healthy"]]));
        expect(await health(targets)).toEqual(["healthy", "initial"]);
        measure(undefined);
        expect(await health(targets)).toEqual(["healthy", "healthy"]);
    });

    rule("attach unknown target group", async () => {
        const AutoScalingGroupName = await nodes();
        await refused(
            s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: ["arn:none"] }),
            "ValidationError",
            "Provided Target Groups may not be valid. Please ensure they exist and try again.",
        );
    });

    rule("detach target group that is not attached", async () => {
        const AutoScalingGroupName = await nodes();
        const TargetGroupARNs = [await targetGroup()];
        await refused(
            s.autoscaling.detachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs }),
            "ValidationError",
            "Trying to remove Target Groups that are not part of the group",
        );
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs });
        await s.autoscaling.detachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs });
        expect(await health(TargetGroupARNs[0] ?? "")).toEqual(["draining", "draining"]);
        s.minutes(6);
        expect(await health(TargetGroupARNs[0] ?? "")).toEqual([]);
    });

    rule("unknown group", async () => {
        await refused(
            s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName: "none", TargetGroupARNs: [] }),
            "ValidationError",
            "AutoScalingGroup name not found - AutoScalingGroup 'none' not found",
        );
    });
});

describe("a packet to a balancer", () => {
    /** What a packet from an interface of its own meets at the balancer's address in the first zone. */
    async function client() {
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "client", Description: "d", VpcId: s.VpcId });
        const SubnetId = await s.subnet("10.0.4.0/24", "b");
        const { NetworkInterface } = await s.ec2.createNetworkInterface({ SubnetId, Groups: [GroupId] });
        const IpPermissions = [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, UserIdGroupPairs: [{ GroupId }] }];
        await s.ec2.authorizeSecurityGroupIngress({ GroupId: group, IpPermissions });
        const at = (address: string) => ({ ...HERE, vpcId: s.VpcId, address });
        return (port = 2379) =>
            s.aws.edit(HERE, (scope) =>
                pathBetween(scope, at(NetworkInterface.PrivateIpAddress), at("10.0.0.16"), { protocol: "tcp", port }, findBalancerTargets),
            );
    }
    async function served(subnets: string[]) {
        const AutoScalingGroupName = await nodes({ subnets });
        const targets = await targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        const { LoadBalancerArn } = await balancer();
        await listener(LoadBalancerArn, targets);
        return LoadBalancerArn;
    }

    test("goes on to a healthy node, once the balancer is active", async () => {
        await served([s.a, s.b]);
        const path = await client();
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        s.minutes(2);
        expect(path().summary).toContain("is open");
        expect(path(2380)).toMatchObject({ open: false, drop: { reason: "ingress-rule" } });
    });

    test("goes on to another zone's node only when zones are crossed", async () => {
        const LoadBalancerArn = await served([s.b]);
        const path = await client();
        s.minutes(2);
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        const Attributes = [{ Key: "load_balancing.cross_zone.enabled", Value: "true" }];
        await s.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes });
        expect(path().open).toBe(true);
    });

    test("is dropped where there is no listener, or no node", async () => {
        const LoadBalancerArn = await served([s.a, s.b]);
        const path = await client();
        s.minutes(2);
        const { Listeners } = await s.elb.describeListeners({ LoadBalancerArn });
        await s.elb.deleteListener({ ListenerArn: Listeners[0]?.ListenerArn ?? "" });
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        await s.eks.deleteNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        expect(path().open).toBe(false);
    });
});

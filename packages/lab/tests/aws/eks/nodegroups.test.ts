import { beforeEach, describe, expect, test } from "vitest";
import { keptRules, refused } from "../kept-rules.ts";
import { createSite, type Site } from "../site.ts";

let s: Site;
beforeEach(async () => {
    s = await createSite();
});
const clusterRef = { clusterName: "one" };
const nodes = { clusterName: "one", nodegroupName: "nodes" };
const invalid = "InvalidParameterException";

describe("EKS node groups", () => {
    const rule = keptRules("EKS node groups");

    rule("refuses a node group while the cluster is CREATING", async () => {
        await s.cluster();
        await refused(s.nodegroup(), "InvalidRequestException", "Cluster 'one' is not in ACTIVE status; it is CREATING");
        await refused(s.eks.createAddon({ ...clusterRef, addonName: "vpc-cni" }), "InvalidRequestException");
    });

    rule("creates a node group, which is CREATING", async () => {
        await s.active();
        const nodegroup = await s.nodegroup({ taints: [{ key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" }] });
        expect(nodegroup).toMatchObject({
            status: "CREATING",
            version: "1.34",
            taints: [{ key: "node.cilium.io/agent-not-ready", effect: "NO_EXECUTE" }],
        });
        await refused(s.nodegroup(), "ResourceInUseException", "NodeGroup already exists with name nodes and cluster name one");
    });

    rule("becomes ACTIVE, with its instances in service", async () => {
        const { resourcesVpcConfig } = await s.active();
        await s.nodegroup();
        s.minutes(2);
        const { nodegroup } = await s.eks.describeNodegroup(nodes);
        expect(nodegroup.status).toBe("ACTIVE");
        const AutoScalingGroupNames = nodegroup.resources.autoScalingGroups.map(({ name }) => name);
        const [group] = (await s.autoscaling.describeAutoScalingGroups({ AutoScalingGroupNames })).AutoScalingGroups;
        expect(group?.Instances.map(({ AvailabilityZone, LifecycleState }) => [AvailabilityZone, LifecycleState])).toEqual([
            ["eu-central-1a", "InService"],
            ["eu-central-1b", "InService"],
        ]);
        const Values = group?.Instances.map(({ InstanceId }) => InstanceId) ?? [];
        const { NetworkInterfaces } = await s.ec2.describeNetworkInterfaces({ Filters: [{ Name: "attachment.instance-id", Values }] });
        expect(NetworkInterfaces.map(({ Groups }) => Groups.map(({ GroupId }) => GroupId))).toEqual([
            [resourcesVpcConfig.clusterSecurityGroupId],
            [resourcesVpcConfig.clusterSecurityGroupId],
        ]);
        expect(NetworkInterfaces.flatMap(({ Ipv4Prefixes }) => Ipv4Prefixes)).toEqual([]);
    });

    rule("refuses a minimum size above the maximum", async () => {
        await s.active();
        const scaled = (minSize: number, desiredSize: number, maxSize: number) =>
            s.nodegroup({ scalingConfig: { minSize, desiredSize, maxSize } });
        await refused(scaled(3, 2, 1), invalid, "Minimum capacity 3 can't be greater than maximum size 1");
        await refused(scaled(2, 1, 3), invalid, "Minimum capacity 2 can't be greater than desired size 1");
        await refused(scaled(0, 0, 0), invalid, "Minimum capacity can't be less than 0, and maximum size can't be less than 1");
        await refused(scaled(1, 4, 3), invalid, "desired capacity 4 can't be greater than max size 3");
    });

    test("refuses AMI and instance types of different architectures, and unknown taint effects", async () => {
        await s.active();
        await refused(
            s.nodegroup({ amiType: "AL2023_x86_64_STANDARD", instanceTypes: ["m7g.large"] }),
            invalid,
            "[m7g.large] is not a valid instance type for requested amiType AL2023_x86_64_STANDARD",
        );
        await refused(s.nodegroup({ amiType: "AL2023_ARM_64_STANDARD", instanceTypes: ["m7i.large"] }), invalid);
        await expect(s.nodegroup({ amiType: "AL2" })).rejects.toThrow("The amiType 'AL2' is not one of [");
        await refused(s.nodegroup({ instanceTypes: ["large"] }), invalid, "[large] is not a valid instance type");
        const twice = { key: "k", effect: "NO_SCHEDULE" };
        await refused(s.nodegroup({ taints: [twice, twice] }), invalid, "Taints must be unique by key and effect");
        await refused(s.nodegroup({ taints: [{ key: "k", effect: "NoSchedule" }] }), invalid);
        await s.nodegroup({ amiType: "AL2023_ARM_64_STANDARD", instanceTypes: ["m7g.large"] });
    });

    test("refuses nodes newer than the cluster, or in another VPC", async () => {
        await s.active();
        await refused(
            s.nodegroup({ version: "1.35" }),
            invalid,
            "Requested Nodegroup version 1.35 is not supported by cluster version 1.34",
        );
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const { SubnetId } = (await s.ec2.createSubnet({ VpcId, CidrBlock: "10.1.0.0/24" })).Subnet;
        await refused(s.nodegroup({ subnets: [s.a, SubnetId] }), invalid);
    });

    test("refuses an unknown launch template, and settings that repeat it", async () => {
        await s.active();
        await refused(s.nodegroup({ launchTemplate: { id: "lt-00000000000000000", version: "1" } }), invalid);
        const created = await s.ec2.createLaunchTemplate({ LaunchTemplateName: "t", LaunchTemplateData: { InstanceType: "m7i.large" } });
        const launchTemplate = { id: created.LaunchTemplate.LaunchTemplateId, version: "1" };
        await refused(s.nodegroup({ launchTemplate, diskSize: 50 }), invalid, "Disk size must be specified within the launch template.");
        await refused(s.nodegroup({ launchTemplate, instanceTypes: ["m7i.large"] }), invalid);
        await refused(s.nodegroup({ launchTemplate: { ...launchTemplate, version: "2" } }), invalid);
        await refused(s.nodegroup({ launchTemplate: { ...launchTemplate, name: "t" } }), invalid);
        expect(await s.nodegroup({ launchTemplate })).toMatchObject({ launchTemplate, instanceTypes: ["m7i.large"] });
    });

    test("assigns each node a prefix outside CIDR reservations if prefix delegation is enabled", async () => {
        await s.active();
        await s.ec2.createSubnetCidrReservation({ SubnetId: s.a, Cidr: "10.0.0.16/28", ReservationType: "explicit" });
        const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true" } });
        await s.eks.createAddon({ ...clusterRef, addonName: "vpc-cni", configurationValues });
        await s.nodegroup({ subnets: [s.a] });
        const { NetworkInterfaces } = await s.ec2.describeNetworkInterfaces({ Filters: [{ Name: "subnet-id", Values: [s.a] }] });
        expect(NetworkInterfaces.flatMap(({ Ipv4Prefixes }) => Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix))).toEqual([
            "10.0.0.32/28",
            "10.0.0.48/28",
        ]);
    });

    test("refuses a subnet without a free prefix", async () => {
        await s.active();
        const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true" } });
        await s.eks.createAddon({ ...clusterRef, addonName: "vpc-cni", configurationValues });
        await refused(s.nodegroup({ subnets: [await s.subnet("10.0.2.0/27", "a")] }), "InsufficientCidrBlocks");
    });

    test("refuses to add or remove a launch template later", async () => {
        await s.active();
        await s.nodegroup();
        s.minutes(2);
        const { LaunchTemplate } = await s.ec2.createLaunchTemplate({ LaunchTemplateName: "t", LaunchTemplateData: {} });
        const launchTemplate = { id: LaunchTemplate.LaunchTemplateId, version: "1" };
        await refused(s.eks.updateNodegroupVersion({ ...nodes, launchTemplate }), invalid);
    });

    rule("updates sizes, labels and taints", async () => {
        await s.active();
        const { resources } = await s.nodegroup();
        s.minutes(2);
        const scale = async (desiredSize: number) => {
            const { update } = await s.eks.updateNodegroupConfig({ ...nodes, scalingConfig: { desiredSize } });
            expect((await s.eks.describeNodegroup(nodes)).nodegroup.status).toBe("UPDATING");
            await refused(s.eks.updateNodegroupConfig({ ...nodes, scalingConfig: { desiredSize } }), "ResourceInUseException");
            s.minutes(1);
            expect((await s.eks.describeNodegroup(nodes)).nodegroup).toMatchObject({ status: "ACTIVE", scalingConfig: { desiredSize } });
            const described = await s.eks.describeUpdate({ name: "one", nodegroupName: "nodes", updateId: update.id });
            expect(described.update).toMatchObject({ type: "ConfigUpdate", status: "Successful" });
            const AutoScalingGroupNames = resources.autoScalingGroups.map(({ name }) => name);
            const [group] = (await s.autoscaling.describeAutoScalingGroups({ AutoScalingGroupNames })).AutoScalingGroups;
            expect(group?.Instances).toHaveLength(desiredSize);
        };
        await scale(3);
        await scale(1);
        await refused(s.eks.updateNodegroupConfig({ ...nodes, scalingConfig: { minSize: 4 } }), invalid);
        await s.eks.updateNodegroupConfig({
            ...nodes,
            labels: { addOrUpdateLabels: { a: "1" } },
            taints: { addOrUpdateTaints: [{ key: "k", effect: "NO_SCHEDULE" }] },
        });
        expect((await s.eks.describeNodegroup(nodes)).nodegroup).toMatchObject({ labels: { a: "1" }, taints: [{ key: "k" }] });
    });

    test("replaces the nodes for a new version", async () => {
        await s.active();
        const { resources } = await s.nodegroup({ version: "1.33" });
        s.minutes(2);
        const AutoScalingGroupNames = resources.autoScalingGroups.map(({ name }) => name);
        const ids = async () =>
            (await s.autoscaling.describeAutoScalingGroups({ AutoScalingGroupNames })).AutoScalingGroups.flatMap(({ Instances }) =>
                Instances.map(({ InstanceId }) => InstanceId),
            );
        const before = await ids();
        await refused(s.eks.updateNodegroupVersion({ ...nodes, version: "1.35" }), invalid);
        await s.eks.updateNodegroupVersion({ ...nodes, version: "1.34" });
        s.minutes(5);
        expect((await s.eks.describeNodegroup(nodes)).nodegroup).toMatchObject({ status: "ACTIVE", version: "1.34" });
        const after = await ids();
        expect(after).toHaveLength(2);
        expect(after.some((id) => before.includes(id))).toBe(false);
    });

    rule("deletes a node group, which is DELETING", async () => {
        await s.active();
        await s.nodegroup({ subnets: [await s.subnet("10.0.2.0/24", "a")] });
        await refused(s.eks.deleteNodegroup(nodes), "ResourceInUseException");
        s.minutes(2);
        expect((await s.eks.deleteNodegroup(nodes)).nodegroup.status).toBe("DELETING");
        s.minutes(3);
        await refused(s.eks.describeNodegroup(nodes), "ResourceNotFoundException", "No node group found for name: nodes.");
        expect((await s.autoscaling.describeAutoScalingGroups()).AutoScalingGroups).toEqual([]);
    });
});

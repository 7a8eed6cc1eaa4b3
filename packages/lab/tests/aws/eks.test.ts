import { beforeEach, describe, expect, test } from "vitest";
import { ALL_TABLES } from "../../aws/aws.ts";
import { CLUSTERS_PER_REGION } from "../../aws/eks/clusters.ts";
import { NODEGROUPS_PER_CLUSTER } from "../../aws/eks/nodegroups.ts";
import { HERE, keptRules, OTHERS, THERE } from "./places.ts";
import { type Site, site } from "./site.ts";
import { refused } from "./world.ts";

let s: Site;
beforeEach(async () => {
    s = await site();
});
const one = { clusterName: "one" };
const nodes = { clusterName: "one", nodegroupName: "nodes" };
const invalid = "InvalidParameterException";

describe("eks", () => {
    const rule = keptRules("eks");

    rule("create cluster (CREATING)", async () => {
        const cluster = await s.cluster();
        expect(cluster).toMatchObject({ status: "CREATING", arn: "arn:aws:eks:eu-central-1:111111111111:cluster/one" });
        expect(cluster).not.toHaveProperty("endpoint");
        expect((await s.eks.listClusters()).clusters).toEqual(["one"]);
        expect((await s.aws.in(OTHERS).eks.listClusters()).clusters).toEqual([]);
        expect(cluster).not.toHaveProperty("own");
    });

    rule("nodegroup while CREATING refused", async () => {
        await s.cluster();
        await refused(s.nodegroup(), "InvalidRequestException", "Cluster 'one' is not in ACTIVE status; it is CREATING");
        await refused(s.eks.createAddon({ ...one, addonName: "vpc-cni" }), "InvalidRequestException");
    });

    rule("describe → ACTIVE", async () => {
        await s.cluster();
        s.minutes(7);
        expect((await s.eks.describeCluster({ name: "one" })).cluster.status).toBe("CREATING");
        s.minutes(1);
        const { cluster } = await s.eks.describeCluster({ name: "one" });
        expect(cluster.status).toBe("ACTIVE");
        expect(cluster.endpoint).toMatch(/^https:\/\/[0-9A-F]{32}\.gr7\.eu-central-1\.eks\.amazonaws\.com$/);
        expect(cluster.certificateAuthority?.data).toBeTruthy();
    });

    rule("describe keeps input", async () => {
        const { KeyMetadata } = await s.aws.in(HERE).kms.createKey();
        const encryptionConfig = [{ resources: ["secrets"], provider: { keyArn: KeyMetadata.Arn } }];
        const cluster = await s.active({
            resourcesVpcConfig: { subnetIds: [s.a, s.b], endpointPrivateAccess: true, publicAccessCidrs: ["203.0.113.0/24"] },
            kubernetesNetworkConfig: { serviceIpv4Cidr: "172.21.0.0/16" },
            encryptionConfig,
            logging: { clusterLogging: [{ types: ["api", "audit"], enabled: true }] },
            upgradePolicy: { supportType: "STANDARD" },
            tags: { a: "b" },
        });
        expect(cluster).toMatchObject({
            version: "1.34",
            resourcesVpcConfig: {
                subnetIds: [s.a, s.b],
                vpcId: s.VpcId,
                endpointPublicAccess: true,
                endpointPrivateAccess: true,
                publicAccessCidrs: ["203.0.113.0/24"],
            },
            kubernetesNetworkConfig: { serviceIpv4Cidr: "172.21.0.0/16" },
            encryptionConfig,
            accessConfig: { authenticationMode: "API" },
            upgradePolicy: { supportType: "STANDARD" },
            tags: { a: "b" },
        });
        expect(cluster.logging.clusterLogging).toEqual([
            { types: ["api", "audit"], enabled: true },
            { types: ["authenticator", "controllerManager", "scheduler"], enabled: false },
        ]);
    });

    rule("cluster SG is a real EC2 SG", async () => {
        const { resourcesVpcConfig } = await s.cluster();
        const GroupIds = [resourcesVpcConfig.clusterSecurityGroupId];
        const [group] = (await s.ec2.describeSecurityGroups({ GroupIds })).SecurityGroups;
        expect(group?.GroupName).toMatch(/^eks-cluster-sg-one-\d+$/);
        expect(group?.IpPermissions).toMatchObject([{ IpProtocol: "-1", UserIdGroupPairs: [{ GroupId: GroupIds[0] }] }]);
        const { NetworkInterfaces } = await s.ec2.describeNetworkInterfaces({
            Filters: [{ Name: "description", Values: ["Amazon EKS one"] }],
        });
        expect(NetworkInterfaces.map(({ SubnetId }) => SubnetId)).toEqual([s.a, s.b]);
        expect(NetworkInterfaces.every(({ Groups }) => Groups.some(({ GroupId }) => GroupId === GroupIds[0]))).toBe(true);
    });

    test("names that EKS does not take, and more than the quota", async () => {
        await refused(s.cluster({ name: "-one" }), invalid);
        s.aws.setQuota(HERE, CLUSTERS_PER_REGION, 1);
        s.aws.setQuota(HERE, NODEGROUPS_PER_CLUSTER, 1);
        await s.active();
        await refused(s.cluster({ name: "two" }), "ResourceLimitExceededException");
        await refused(s.nodegroup({ nodegroupName: "_" }), invalid);
        await s.nodegroup();
        await refused(s.nodegroup({ nodegroupName: "more" }), "ResourceLimitExceededException");
    });

    rule("duplicate cluster", async () => {
        await s.cluster();
        await refused(s.cluster(), "ResourceInUseException", "Cluster already exists with name: one");
    });

    rule("unknown subnet", async () => {
        const subnetIds = [s.a, "subnet-00000000000000000"];
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds } }), invalid, "The subnet ID 'subnet-00000000000000000' does not exist");
    });

    rule("single-AZ subnets", async () => {
        const subnetIds = [s.a, await s.subnet("10.0.2.0/24", "a")];
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds } }), invalid, "Subnets specified must be in at least two different AZs");
    });

    rule("unknown role", async () => {
        for (const roleArn of ["arn:aws:iam::111111111111:role/nobody", s.nodeRole])
            await refused(
                s.cluster({ roleArn }),
                invalid,
                `Role with arn: ${roleArn}, could not be assumed because it does not exist or the trusted entity is not correct`,
            );
        await s.active();
        await refused(s.nodegroup({ nodeRole: s.roleArn }), invalid);
    });

    rule("bad version", async () => {
        for (const version of ["1.20", "1.99", "1.34.1"])
            await refused(s.cluster({ version }), invalid, `unsupported Kubernetes version ${version}`);
    });

    rule("unknown cluster", async () => {
        await refused(s.eks.describeCluster({ name: "two" }), "ResourceNotFoundException", "No cluster found for name: two.");
        await refused(s.nodegroup({ clusterName: "two" }), "ResourceNotFoundException", "No cluster found for name: two.");
    });

    test("subnets of two VPCs, groups of another, and zones that EKS cannot use are refused", async () => {
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const far = (await s.ec2.createSubnet({ VpcId, CidrBlock: "10.1.0.0/24", AvailabilityZone: `${HERE.region}b` })).Subnet.SubnetId;
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds: [s.a, far] } }), invalid, "Subnets specified must be in the same VPC");
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "g", Description: "d", VpcId });
        const resourcesVpcConfig = { subnetIds: [s.a, s.b], securityGroupIds: [GroupId] };
        await refused(s.cluster({ resourcesVpcConfig }), invalid, `The security group '${GroupId}' does not exist in VPC '${s.VpcId}'`);

        const { ec2, eks } = s.aws.in(THERE);
        const there = (await ec2.createVpc({ CidrBlock: "10.2.0.0/16" })).Vpc.VpcId;
        const subnetIds = await Promise.all(
            (await ec2.describeAvailabilityZones()).AvailabilityZones.map(
                async ({ ZoneName }, i) =>
                    (await ec2.createSubnet({ VpcId: there, CidrBlock: `10.2.${i}.0/24`, AvailabilityZone: ZoneName })).Subnet.SubnetId,
            ),
        );
        const request = { name: "one", roleArn: s.roleArn, resourcesVpcConfig: { subnetIds } };
        await refused(eks.createCluster(request), "UnsupportedAvailabilityZoneException");
    });

    test.each([
        ["10.0.128.0/17", "overlaps with CIDR 10.0.0.0/16 of VPC"],
        ["100.64.0.0/16", "must be within 10.0.0.0/8"],
        ["172.16.0.0/11", "a prefix between /12 and /24"],
        ["172.20.0.0/25", "a prefix between /12 and /24"],
    ])("services in %s are refused", async (serviceIpv4Cidr, why) => {
        await expect(s.cluster({ kubernetesNetworkConfig: { serviceIpv4Cidr } })).rejects.toThrow(why);
    });

    test("services get the one of EKS's ranges that is apart from the VPC's", async () => {
        expect((await s.cluster()).kubernetesNetworkConfig.serviceIpv4Cidr).toBe("172.20.0.0/16");
    });

    test("an endpoint that nothing reaches, or private ranges as public ones, are refused", async () => {
        const subnetIds = [s.a, s.b];
        await refused(
            s.cluster({ resourcesVpcConfig: { subnetIds, endpointPublicAccess: false } }),
            invalid,
            "Private and public endpoint access cannot be false",
        );
        const wrong = (cidr: string) => s.cluster({ resourcesVpcConfig: { subnetIds, publicAccessCidrs: [cidr] } });
        await refused(wrong("203.0.113.7/24"), invalid, "The following CIDRs are invalid in publicAccessCidrs: [203.0.113.7/24]");
        await refused(wrong("10.0.0.0/16"), invalid, "The following CIDRs are not allowed in publicAccessCidrs: [10.0.0.0/16]");
    });

    test("a key that is not there and an unknown kind of log are refused", async () => {
        const keyArn = "arn:aws:kms:eu-central-1:111111111111:key/none";
        await refused(s.cluster({ encryptionConfig: [{ resources: ["secrets"], provider: { keyArn } }] }), invalid);
        const { Arn } = (await s.aws.in(HERE).kms.createKey()).KeyMetadata;
        await refused(s.cluster({ encryptionConfig: [{ resources: ["pods"], provider: { keyArn: Arn } }] }), invalid);
        await refused(s.cluster({ logging: { clusterLogging: [{ types: ["everything"], enabled: true }] } }), invalid);
    });

    rule("create nodegroup (CREATING)", async () => {
        await s.active();
        const nodegroup = await s.nodegroup({ taints: [{ key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" }] });
        expect(nodegroup).toMatchObject({
            status: "CREATING",
            version: "1.34",
            taints: [{ key: "node.cilium.io/agent-not-ready", effect: "NO_EXECUTE" }],
        });
        await refused(s.nodegroup(), "ResourceInUseException", "NodeGroup already exists with name nodes and cluster name one");
    });

    rule("nodegroup → ACTIVE", async () => {
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

    rule("nodegroup min>max refused", async () => {
        await s.active();
        const scaled = (minSize: number, desiredSize: number, maxSize: number) =>
            s.nodegroup({ scalingConfig: { minSize, desiredSize, maxSize } });
        await refused(scaled(3, 2, 1), invalid, "Minimum capacity 3 can't be greater than maximum size 1");
        await refused(scaled(2, 1, 3), invalid, "Minimum capacity 2 can't be greater than desired size 1");
        await refused(scaled(0, 0, 0), invalid, "Minimum capacity can't be less than 0, and maximum size can't be less than 1");
        await refused(scaled(1, 4, 3), invalid, "desired capacity 4 can't be greater than max size 3");
    });

    test("images and instances for different processors are refused, and so are unknown effects of taints", async () => {
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

    test("nodes newer than their cluster, or in another VPC, are refused", async () => {
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

    test("a launch template must be there, and what it says is not said again", async () => {
        await s.active();
        await refused(s.nodegroup({ launchTemplate: { id: "lt-00000000000000000", version: "1" } }), invalid);
        const made = await s.ec2.createLaunchTemplate({ LaunchTemplateName: "t", LaunchTemplateData: { InstanceType: "m7i.large" } });
        const launchTemplate = { id: made.LaunchTemplate.LaunchTemplateId, version: "1" };
        await refused(s.nodegroup({ launchTemplate, diskSize: 50 }), invalid, "Disk size must be specified within the launch template.");
        await refused(s.nodegroup({ launchTemplate, instanceTypes: ["m7i.large"] }), invalid);
        await refused(s.nodegroup({ launchTemplate: { ...launchTemplate, version: "2" } }), invalid);
        await refused(s.nodegroup({ launchTemplate: { ...launchTemplate, name: "t" } }), invalid);
        expect(await s.nodegroup({ launchTemplate })).toMatchObject({ launchTemplate, instanceTypes: ["m7i.large"] });
    });

    test("nodes get a block of addresses for pods when the VPC CNI delegates prefixes, beside reserved ones", async () => {
        await s.active();
        await s.ec2.createSubnetCidrReservation({ SubnetId: s.a, Cidr: "10.0.0.16/28", ReservationType: "explicit" });
        const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true" } });
        await s.eks.createAddon({ ...one, addonName: "vpc-cni", configurationValues });
        await s.nodegroup({ subnets: [s.a] });
        const { NetworkInterfaces } = await s.ec2.describeNetworkInterfaces({ Filters: [{ Name: "subnet-id", Values: [s.a] }] });
        expect(NetworkInterfaces.flatMap(({ Ipv4Prefixes }) => Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix))).toEqual([
            "10.0.0.32/28",
            "10.0.0.48/28",
        ]);
    });

    test("a subnet without room for a block of addresses is refused", async () => {
        await s.active();
        const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true" } });
        await s.eks.createAddon({ ...one, addonName: "vpc-cni", configurationValues });
        await refused(s.nodegroup({ subnets: [await s.subnet("10.0.2.0/27", "a")] }), "InsufficientCidrBlocks");
    });

    test("a node group neither gets a launch template later nor loses it", async () => {
        await s.active();
        await s.nodegroup();
        s.minutes(2);
        const { LaunchTemplate } = await s.ec2.createLaunchTemplate({ LaunchTemplateName: "t", LaunchTemplateData: {} });
        const launchTemplate = { id: LaunchTemplate.LaunchTemplateId, version: "1" };
        await refused(s.eks.updateNodegroupVersion({ ...nodes, launchTemplate }), invalid);
    });

    rule("update nodegroup config", async () => {
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

    test("a node group's new version replaces its nodes", async () => {
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

    rule("DescribeAddonVersions", async () => {
        const { addons } = await s.eks.describeAddonVersions({ addonName: "coredns", kubernetesVersion: "1.35" });
        expect(addons).toHaveLength(1);
        const [first] = addons[0]?.addonVersions ?? [];
        expect(first?.compatibilities).toEqual([{ clusterVersion: "1.35", platformVersions: ["*"], defaultVersion: true }]);
        expect((await s.eks.describeAddonVersions({ addonName: "none" })).addons).toEqual([]);
    });

    describe("addons", () => {
        const cni = { ...one, addonName: "vpc-cni" };
        const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true", WARM_PREFIX_TARGET: "1" } });

        rule("create addon with configurationValues", async () => {
            await s.active();
            const { addon } = await s.eks.createAddon({ ...cni, configurationValues });
            expect(addon).toMatchObject({ status: "CREATING", configurationValues });
        });

        rule("describe addon keeps configurationValues", async () => {
            await s.active();
            await s.eks.createAddon({ ...cni, configurationValues });
            s.minutes(1);
            expect((await s.eks.describeAddon(cni)).addon).toMatchObject({ status: "ACTIVE", configurationValues });
            expect((await s.eks.listAddons(one)).addons).toEqual(["vpc-cni"]);
        });

        rule("addon bad configurationValues", async () => {
            await s.active();
            const start = "ConfigurationValue provided in request is not supported: ";
            const refusals: [string, string][] = [
                ["{", "it is neither valid JSON nor valid YAML"],
                ["[]", "Json schema validation failed with error: [$: object found, object expected]"],
                [
                    '{"envs":{}}',
                    "Json schema validation failed with error: [$.envs: is not defined in the schema and the schema does not allow additional properties]",
                ],
                ['{"env":{"A":true}}', "Json schema validation failed with error: [$.env.A: boolean found, string expected]"],
            ];
            for (const [text, message] of refusals)
                await refused(s.eks.createAddon({ ...cni, configurationValues: text }), invalid, `${start}${message}`);
        });

        rule("addon unknown name", async () => {
            await s.active();
            await refused(
                s.eks.createAddon({ ...one, addonName: "cni" }),
                invalid,
                "Addon cni specified is not supported in 1.34 kubernetes version",
            );
            await refused(
                s.eks.createAddon({ ...cni, addonVersion: "v0.0.1-eksbuild.1" }),
                invalid,
                "Addon version specified is not supported",
            );
            await refused(s.eks.describeAddon(cni), "ResourceNotFoundException", "No addon: vpc-cni found in cluster: one");
        });

        test("a role that an add-on's pods cannot have is refused", async () => {
            await s.active();
            const serviceAccountRoleArn = `${s.nodeRole}x`;
            await refused(
                s.eks.createAddon({ ...cni, serviceAccountRoleArn }),
                invalid,
                `The role ${serviceAccountRoleArn} cannot be found.`,
            );
        });

        rule("addon duplicate", async () => {
            await s.active();
            await s.eks.createAddon(cni);
            await refused(s.eks.createAddon(cni), "ResourceInUseException", "Addon already exists.");
        });

        rule("update addon", async () => {
            await s.active();
            await s.eks.createAddon(cni);
            await refused(s.eks.updateAddon({ ...cni, configurationValues }), "ResourceInUseException");
            s.minutes(1);
            const { update } = await s.eks.updateAddon({ ...cni, configurationValues });
            expect((await s.eks.describeAddon(cni)).addon.status).toBe("UPDATING");
            s.minutes(1);
            expect((await s.eks.describeAddon(cni)).addon).toMatchObject({ status: "ACTIVE", configurationValues });
            const described = await s.eks.describeUpdate({ name: "one", addonName: "vpc-cni", updateId: update.id });
            expect(described.update.status).toBe("Successful");
        });

        test("delete addon", async () => {
            await s.active();
            await s.eks.createAddon(cni);
            await s.eks.deleteAddon({ ...cni, preserve: true });
            expect((await s.eks.describeAddon(cni)).addon.status).toBe("DELETING");
            await refused(s.eks.deleteAddon(cni), "ResourceInUseException");
            s.minutes(1);
            await refused(s.eks.describeAddon(cni), "ResourceNotFoundException");
        });

        test("CoreDNS is not ready before there is a node", async () => {
            await s.active();
            const coredns = { ...one, addonName: "coredns" };
            await s.eks.createAddon(coredns);
            s.minutes(30);
            expect((await s.eks.describeAddon(coredns)).addon.status).toBe("CREATING");
            await s.nodegroup();
            s.minutes(2);
            await s.eks.describeNodegroup(nodes);
            expect((await s.eks.describeAddon(coredns)).addon.status).toBe("ACTIVE");
        });
    });

    describe("access", () => {
        const ref = () => ({ ...one, principalArn: s.nodeRole });
        const policyArn = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";

        rule("access entry", async () => {
            await s.active();
            const { accessEntry } = await s.eks.createAccessEntry({ ...ref(), kubernetesGroups: ["viewers"] });
            expect(accessEntry).toMatchObject({ type: "STANDARD", username: s.nodeRole, kubernetesGroups: ["viewers"] });
            expect((await s.eks.describeAccessEntry(ref())).accessEntry).toEqual(accessEntry);
            await s.eks.deleteAccessEntry(ref());
            await refused(s.eks.describeAccessEntry(ref()), "ResourceNotFoundException");
        });

        test("the cluster's maker and the nodes have theirs from the start", async () => {
            await s.active();
            await s.nodegroup();
            const root = "arn:aws:iam::111111111111:root";
            expect((await s.eks.listAccessEntries(one)).accessEntries).toEqual([root, s.nodeRole]);
            const { associatedAccessPolicies } = await s.eks.listAssociatedAccessPolicies({ ...one, principalArn: root });
            expect(associatedAccessPolicies).toMatchObject([{ policyArn }]);
            expect((await s.eks.describeAccessEntry(ref())).accessEntry.type).toBe("EC2_LINUX");
        });

        rule("access entry duplicate", async () => {
            await s.active();
            await s.eks.createAccessEntry(ref());
            await refused(
                s.eks.createAccessEntry(ref()),
                "ResourceInUseException",
                "The specified access entry resource is already in use on this cluster.",
            );
        });

        test("a principal that is not there, and groups of Kubernetes itself, are refused", async () => {
            await s.active();
            for (const principalArn of ["arn:aws:iam::111111111111:role/nobody", "nobody"])
                await refused(
                    s.eks.createAccessEntry({ ...one, principalArn }),
                    invalid,
                    "The specified principalArn is invalid: invalid principal.",
                );
            await refused(
                s.eks.createAccessEntry({ ...ref(), kubernetesGroups: ["system:masters"] }),
                invalid,
                "The kubernetes group name system:masters is invalid, it cannot start with system:",
            );
        });

        test("nodes' entries have neither groups nor policies, and a kind must be one of EKS's", async () => {
            await s.active();
            const type = "EC2_LINUX";
            await refused(s.eks.createAccessEntry({ ...ref(), type, kubernetesGroups: ["viewers"] }), invalid);
            await refused(s.eks.createAccessEntry({ ...ref(), type: "LINUX" }), invalid);
            await s.eks.createAccessEntry({ ...ref(), type });
            await refused(s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } }), invalid);
        });

        test("a cluster that knows only its own map has no access entries", async () => {
            await s.active({ accessConfig: { authenticationMode: "CONFIG_MAP" } });
            await refused(s.eks.createAccessEntry(ref()), "InvalidRequestException");
            await refused(s.eks.listAccessEntries(one), "InvalidRequestException");
        });

        rule("associate access policy", async () => {
            await s.active();
            await s.eks.createAccessEntry(ref());
            const { associatedAccessPolicy } = await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } });
            expect(associatedAccessPolicy).toMatchObject({ policyArn, accessScope: { type: "cluster", namespaces: [] } });
            const wrong = { ...ref(), policyArn: `${policyArn}s`, accessScope: { type: "cluster" as const } };
            await refused(s.eks.associateAccessPolicy(wrong), invalid);
            await refused(s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "namespace" } }), invalid);
        });

        rule("list associated policies", async () => {
            await s.active();
            await s.eks.createAccessEntry(ref());
            await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } });
            await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "namespace", namespaces: ["a"] } });
            expect((await s.eks.listAssociatedAccessPolicies(ref())).associatedAccessPolicies).toMatchObject([
                { policyArn, accessScope: { type: "namespace", namespaces: ["a"] } },
            ]);
            await s.eks.disassociateAccessPolicy({ ...ref(), policyArn });
            expect((await s.eks.listAssociatedAccessPolicies(ref())).associatedAccessPolicies).toEqual([]);
            await refused(s.eks.disassociateAccessPolicy({ ...ref(), policyArn }), "ResourceNotFoundException");
        });

        const pod = () => ({ ...one, namespace: "kube-system", serviceAccount: "ebs", roleArn: s.nodeRole });

        rule("pod identity association", async () => {
            await s.active();
            const { association } = await s.eks.createPodIdentityAssociation(pod());
            expect(association).toMatchObject(pod());
            expect(association.associationId).toMatch(/^a-/);
            await refused(s.eks.createPodIdentityAssociation({ ...pod(), serviceAccount: "x", roleArn: `${s.nodeRole}x` }), invalid);
        });

        rule("pod identity duplicate", async () => {
            await s.active();
            const { association } = await s.eks.createPodIdentityAssociation(pod());
            await refused(
                s.eks.createPodIdentityAssociation(pod()),
                "ResourceInUseException",
                `Association already exists: ${association.associationId}`,
            );
        });

        rule("describe pod identity", async () => {
            await s.active();
            const { association } = await s.eks.createPodIdentityAssociation(pod());
            const { associationId } = association;
            expect((await s.eks.describePodIdentityAssociation({ ...one, associationId })).association).toEqual(association);
            expect((await s.eks.listPodIdentityAssociations({ ...one, namespace: "other" })).associations).toEqual([]);
            await s.eks.deletePodIdentityAssociation({ ...one, associationId });
            await refused(s.eks.describePodIdentityAssociation({ ...one, associationId }), "ResourceNotFoundException");
        });
    });

    describe("updates", () => {
        const upgrade = (version: string) => s.eks.updateClusterVersion({ name: "one", version });

        rule("update version +1", async () => {
            await s.active({ version: "1.33" });
            expect((await upgrade("1.34")).update).toMatchObject({
                type: "VersionUpdate",
                status: "InProgress",
                params: [{ type: "Version", value: "1.34" }, { type: "PlatformVersion" }],
            });
            expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({ status: "UPDATING", version: "1.33" });
            await refused(upgrade("1.34"), "ResourceInUseException");
        });

        rule("describe update", async () => {
            await s.active({ version: "1.33" });
            const { update } = await upgrade("1.34");
            const request = { name: "one", updateId: update.id };
            expect((await s.eks.describeUpdate(request)).update).toEqual(update);
            s.minutes(8);
            expect((await s.eks.describeUpdate(request)).update.status).toBe("Successful");
            expect((await s.eks.listUpdates({ name: "one" })).updateIds).toEqual([update.id]);
            await refused(
                s.eks.describeUpdate({ ...request, updateId: "none" }),
                "ResourceNotFoundException",
                "No update found for ID: none",
            );
        });

        rule("version is now 1.34", async () => {
            await s.active({ version: "1.33" });
            await upgrade("1.34");
            s.minutes(8);
            expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({ status: "ACTIVE", version: "1.34" });
        });

        rule("update version by 2 minors refused", async () => {
            await s.active();
            await refused(upgrade("1.36"), invalid, "Unsupported Kubernetes minor version update from 1.34 to 1.36");
        });

        rule("downgrade refused", async () => {
            await s.active();
            await refused(upgrade("1.33"), invalid, "Unsupported Kubernetes minor version update from 1.34 to 1.33");
            await refused(upgrade("1.34"), invalid, "Cluster is already at the desired version 1.34");
        });

        rule("update cluster config (endpoint)", async () => {
            await s.active();
            const request = { name: "one", resourcesVpcConfig: { endpointPrivateAccess: true, publicAccessCidrs: ["203.0.113.0/24"] } };
            expect((await s.eks.updateClusterConfig(request)).update.type).toBe("EndpointAccessUpdate");
            s.minutes(2);
            expect((await s.eks.describeCluster({ name: "one" })).cluster.resourcesVpcConfig).toMatchObject(request.resourcesVpcConfig);
            await refused(
                s.eks.updateClusterConfig(request),
                invalid,
                "Cluster is already at the desired configuration with endpointPrivateAccess: true , endpointPublicAccess: true, and Public Endpoint Restrictions: [203.0.113.0/24]",
            );
        });

        test("a cluster does not move to another VPC", async () => {
            await s.active();
            const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
            const made = async (CidrBlock: string, zone: string) =>
                (await s.ec2.createSubnet({ VpcId, CidrBlock, AvailabilityZone: `${HERE.region}${zone}` })).Subnet.SubnetId;
            const subnetIds = [await made("10.1.0.0/24", "a"), await made("10.1.1.0/24", "b")];
            await refused(s.eks.updateClusterConfig({ name: "one", resourcesVpcConfig: { subnetIds } }), invalid);
        });

        test("one thing at a time, and an authentication mode never back", async () => {
            await s.active();
            const accessConfig = { authenticationMode: "API_AND_CONFIG_MAP" as const };
            await refused(
                s.eks.updateClusterConfig({ name: "one", deletionProtection: true, accessConfig }),
                invalid,
                "Only one type of update can be allowed.",
            );
            await refused(
                s.eks.updateClusterConfig({ name: "one", accessConfig }),
                invalid,
                "Unsupported authentication mode update from API to API_AND_CONFIG_MAP",
            );
            const logging = { clusterLogging: [{ types: ["api"], enabled: true }] };
            await s.eks.updateClusterConfig({ name: "one", logging });
            s.minutes(2);
            await refused(
                s.eks.updateClusterConfig({ name: "one", logging }),
                invalid,
                "No changes needed for the logging config provided",
            );
        });

        rule("tag/list tags", async () => {
            const { arn: resourceArn } = await s.active({ tags: { a: "1", b: "2" } });
            await s.eks.tagResource({ resourceArn, tags: { c: "3" } });
            await s.eks.untagResource({ resourceArn, tagKeys: ["a"] });
            expect((await s.eks.listTagsForResource({ resourceArn })).tags).toEqual({ b: "2", c: "3" });
            const { nodegroupArn } = await s.nodegroup({ tags: { n: "1" } });
            expect((await s.eks.listTagsForResource({ resourceArn: nodegroupArn })).tags).toEqual({ n: "1" });
            await refused(s.eks.listTagsForResource({ resourceArn: `${resourceArn}x` }), "ResourceNotFoundException");
        });
    });

    describe("deletion", () => {
        rule("delete cluster with nodegroups", async () => {
            await s.active();
            await s.nodegroup();
            s.minutes(2);
            await refused(s.eks.deleteCluster({ name: "one" }), "ResourceInUseException", "Cluster has nodegroups attached");
        });

        test("a cluster that is being made, or is protected, is not deleted", async () => {
            await s.cluster({ deletionProtection: true });
            await refused(s.eks.deleteCluster({ name: "one" }), "InvalidRequestException");
            s.minutes(8);
            await s.eks.updateClusterConfig({ name: "one", deletionProtection: false });
            await refused(s.eks.deleteCluster({ name: "one" }), "InvalidRequestException");
            s.minutes(2);
            await s.eks.deleteCluster({ name: "one" });
            await refused(s.eks.deleteCluster({ name: "one" }), "ResourceInUseException");
        });

        rule("delete subnet in use by cluster", async () => {
            await s.cluster();
            await refused(s.ec2.deleteSubnet({ SubnetId: s.a }), "DependencyViolation");
        });

        rule("delete nodegroup (DELETING)", async () => {
            await s.active();
            await s.nodegroup({ subnets: [await s.subnet("10.0.2.0/24", "a")] });
            await refused(s.eks.deleteNodegroup(nodes), "ResourceInUseException");
            s.minutes(2);
            expect((await s.eks.deleteNodegroup(nodes)).nodegroup.status).toBe("DELETING");
            s.minutes(3);
            await refused(s.eks.describeNodegroup(nodes), "ResourceNotFoundException", "No node group found for name: nodes.");
            expect((await s.autoscaling.describeAutoScalingGroups()).AutoScalingGroups).toEqual([]);
        });

        rule("delete cluster (DELETING)", async () => {
            await s.active();
            expect((await s.eks.deleteCluster({ name: "one" })).cluster.status).toBe("DELETING");
            await refused(s.nodegroup(), "InvalidRequestException");
            s.minutes(2);
            expect((await s.eks.describeCluster({ name: "one" })).cluster.status).toBe("DELETING");
        });

        rule("gone", async () => {
            const before = s.aws.remains(ALL_TABLES);
            await s.active();
            await s.eks.createAddon({ ...one, addonName: "vpc-cni" });
            await s.nodegroup();
            s.minutes(2);
            await s.eks.deleteNodegroup(nodes);
            s.minutes(3);
            await s.eks.deleteCluster({ name: "one" });
            s.minutes(3);
            await refused(s.eks.describeCluster({ name: "one" }), "ResourceNotFoundException", "No cluster found for name: one.");
            expect(s.aws.remains(ALL_TABLES)).toEqual(before);
            await s.ec2.deleteSubnet({ SubnetId: s.a });
        });

        test("a cluster's group to which others refer stays behind", async () => {
            const { resourcesVpcConfig } = await s.active();
            const GroupId = resourcesVpcConfig.clusterSecurityGroupId;
            const other = (await s.ec2.createSecurityGroup({ GroupName: "other", Description: "d", VpcId: s.VpcId })).GroupId;
            const IpPermissions = [{ IpProtocol: "tcp", FromPort: 1, ToPort: 1, UserIdGroupPairs: [{ GroupId }] }];
            await s.ec2.authorizeSecurityGroupIngress({ GroupId: other, IpPermissions });
            await s.eks.deleteCluster({ name: "one" });
            s.minutes(3);
            expect((await s.ec2.describeSecurityGroups({ GroupIds: [GroupId] })).SecurityGroups).toHaveLength(1);
        });
    });
});

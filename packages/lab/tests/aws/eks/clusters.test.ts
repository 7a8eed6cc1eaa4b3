import { beforeEach, describe, expect, test } from "vitest";
import { ALL_TABLES } from "../../../aws/aws.ts";
import { CLUSTERS_PER_REGION } from "../../../aws/eks/clusters.ts";
import { NODEGROUPS_PER_CLUSTER } from "../../../aws/eks/nodegroups.ts";
import { keptRules, refused } from "../kept-rules.ts";
import { FRANKFURT, OTHER_FRANKFURT, VIRGINIA } from "../places.ts";
import { createSite, type Site } from "../site.ts";

let s: Site;
beforeEach(async () => {
    s = await createSite();
});
const clusterRef = { clusterName: "one" };
const nodes = { clusterName: "one", nodegroupName: "nodes" };
const invalid = "InvalidParameterException";

describe("EKS clusters", () => {
    const rule = keptRules("EKS clusters");

    rule("creates a cluster, which is CREATING", async () => {
        const cluster = await s.cluster();
        expect(cluster).toMatchObject({ status: "CREATING", arn: "arn:aws:eks:eu-central-1:111111111111:cluster/one" });
        expect(cluster).not.toHaveProperty("endpoint");
        expect((await s.eks.listClusters()).clusters).toEqual(["one"]);
        expect((await s.aws.in(OTHER_FRANKFURT).eks.listClusters()).clusters).toEqual([]);
        expect(cluster).not.toHaveProperty("own");
    });

    rule("becomes ACTIVE", async () => {
        await s.cluster();
        s.minutes(7);
        expect((await s.eks.describeCluster({ name: "one" })).cluster.status).toBe("CREATING");
        s.minutes(1);
        const { cluster } = await s.eks.describeCluster({ name: "one" });
        expect(cluster.status).toBe("ACTIVE");
        expect(cluster.endpoint).toMatch(/^https:\/\/[0-9A-F]{32}\.gr7\.eu-central-1\.eks\.amazonaws\.com$/);
        expect(cluster.certificateAuthority?.data).toBeTruthy();
    });

    rule("describes the settings of the request", async () => {
        const { KeyMetadata } = await s.aws.in(FRANKFURT).kms.createKey();
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

    rule("creates the cluster security group in EC2", async () => {
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

    test("refuses invalid names and more than the quota", async () => {
        await refused(s.cluster({ name: "-one" }), invalid);
        s.aws.setQuota(FRANKFURT, CLUSTERS_PER_REGION, 1);
        s.aws.setQuota(FRANKFURT, NODEGROUPS_PER_CLUSTER, 1);
        await s.active();
        await refused(s.cluster({ name: "two" }), "ResourceLimitExceededException");
        await refused(s.nodegroup({ nodegroupName: "_" }), invalid);
        await s.nodegroup();
        await refused(s.nodegroup({ nodegroupName: "more" }), "ResourceLimitExceededException");
    });

    rule("refuses a duplicate cluster", async () => {
        await s.cluster();
        await refused(s.cluster(), "ResourceInUseException", "Cluster already exists with name: one");
    });

    rule("refuses an unknown subnet", async () => {
        const subnetIds = [s.a, "subnet-00000000000000000"];
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds } }), invalid, "The subnet ID 'subnet-00000000000000000' does not exist");
    });

    rule("refuses subnets in a single Availability Zone", async () => {
        const subnetIds = [s.a, await s.subnet("10.0.2.0/24", "a")];
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds } }), invalid, "Subnets specified must be in at least two different AZs");
    });

    rule("refuses an unknown role, and one that does not trust EKS", async () => {
        for (const roleArn of ["arn:aws:iam::111111111111:role/nobody", s.nodeRole])
            await refused(
                s.cluster({ roleArn }),
                invalid,
                `Role with arn: ${roleArn}, could not be assumed because it does not exist or the trusted entity is not correct`,
            );
        await s.active();
        await refused(s.nodegroup({ nodeRole: s.roleArn }), invalid);
    });

    rule("refuses an unsupported version", async () => {
        for (const version of ["1.20", "1.99", "1.34.1"])
            await refused(s.cluster({ version }), invalid, `unsupported Kubernetes version ${version}`);
    });

    rule("refuses an unknown cluster", async () => {
        await refused(s.eks.describeCluster({ name: "two" }), "ResourceNotFoundException", "No cluster found for name: two.");
        await refused(s.nodegroup({ clusterName: "two" }), "ResourceNotFoundException", "No cluster found for name: two.");
    });

    test("refuses subnets of two VPCs, groups of another VPC, and unsupported zones", async () => {
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const far = (await s.ec2.createSubnet({ VpcId, CidrBlock: "10.1.0.0/24", AvailabilityZone: `${FRANKFURT.region}b` })).Subnet
            .SubnetId;
        await refused(s.cluster({ resourcesVpcConfig: { subnetIds: [s.a, far] } }), invalid, "Subnets specified must be in the same VPC");
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "g", Description: "d", VpcId });
        const resourcesVpcConfig = { subnetIds: [s.a, s.b], securityGroupIds: [GroupId] };
        await refused(s.cluster({ resourcesVpcConfig }), invalid, `The security group '${GroupId}' does not exist in VPC '${s.VpcId}'`);

        const { ec2, eks } = s.aws.in(VIRGINIA);
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
    ])("refuses the service CIDR %s", async (serviceIpv4Cidr, why) => {
        await expect(s.cluster({ kubernetesNetworkConfig: { serviceIpv4Cidr } })).rejects.toThrow(why);
    });

    test("chooses the service CIDR that does not overlap the VPC", async () => {
        expect((await s.cluster()).kubernetesNetworkConfig.serviceIpv4Cidr).toBe("172.20.0.0/16");
    });

    test("refuses an endpoint without access, and private or invalid public access CIDRs", async () => {
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

    test("refuses an unknown key, other encrypted resources, and an unknown log type", async () => {
        const keyArn = "arn:aws:kms:eu-central-1:111111111111:key/none";
        await refused(s.cluster({ encryptionConfig: [{ resources: ["secrets"], provider: { keyArn } }] }), invalid);
        const { Arn } = (await s.aws.in(FRANKFURT).kms.createKey()).KeyMetadata;
        await refused(s.cluster({ encryptionConfig: [{ resources: ["pods"], provider: { keyArn: Arn } }] }), invalid);
        await refused(s.cluster({ logging: { clusterLogging: [{ types: ["everything"], enabled: true }] } }), invalid);
    });

    rule("tags resources and lists their tags", async () => {
        const { arn: resourceArn } = await s.active({ tags: { a: "1", b: "2" } });
        await s.eks.tagResource({ resourceArn, tags: { c: "3" } });
        await s.eks.untagResource({ resourceArn, tagKeys: ["a"] });
        expect((await s.eks.listTagsForResource({ resourceArn })).tags).toEqual({ b: "2", c: "3" });
        const { nodegroupArn } = await s.nodegroup({ tags: { n: "1" } });
        expect((await s.eks.listTagsForResource({ resourceArn: nodegroupArn })).tags).toEqual({ n: "1" });
        await refused(s.eks.listTagsForResource({ resourceArn: `${resourceArn}x` }), "ResourceNotFoundException");
    });

    rule("refuses to delete a cluster with node groups", async () => {
        await s.active();
        await s.nodegroup();
        s.minutes(2);
        await refused(s.eks.deleteCluster({ name: "one" }), "ResourceInUseException", "Cluster has nodegroups attached");
    });

    test("refuses to delete a cluster that is being created or deleted, or is protected", async () => {
        await s.cluster({ deletionProtection: true });
        await refused(s.eks.deleteCluster({ name: "one" }), "InvalidRequestException");
        s.minutes(8);
        await s.eks.updateClusterConfig({ name: "one", deletionProtection: false });
        await refused(s.eks.deleteCluster({ name: "one" }), "InvalidRequestException");
        s.minutes(2);
        await s.eks.deleteCluster({ name: "one" });
        await refused(s.eks.deleteCluster({ name: "one" }), "ResourceInUseException");
    });

    rule("refuses to delete a subnet that a cluster uses", async () => {
        await s.cluster();
        await refused(s.ec2.deleteSubnet({ SubnetId: s.a }), "DependencyViolation");
    });

    rule("deletes a cluster, which is DELETING", async () => {
        await s.active();
        expect((await s.eks.deleteCluster({ name: "one" })).cluster.status).toBe("DELETING");
        await refused(s.nodegroup(), "InvalidRequestException");
        s.minutes(2);
        expect((await s.eks.describeCluster({ name: "one" })).cluster.status).toBe("DELETING");
    });

    rule("leaves nothing behind after its deletion", async () => {
        const before = s.aws.remains(ALL_TABLES);
        await s.active();
        await s.eks.createAddon({ ...clusterRef, addonName: "vpc-cni" });
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

    test("leaves a cluster security group that other groups refer to", async () => {
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

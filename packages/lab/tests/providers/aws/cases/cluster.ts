import { trust } from "../world.ts";
import { type Case, TAGS } from "./case.ts";

const policy = (Action: string) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] });

/** EKS, and what a cluster needs of IAM, KMS and CloudWatch. */
export const CLUSTER_CASES: readonly Case[] = [
    {
        token: "aws:iam/role:Role",
        args: { assumeRolePolicy: trust("ec2.amazonaws.com") },
        change: { assumeRolePolicy: trust("eks.amazonaws.com"), description: "x", ...TAGS },
        replace: [{ name: "other" }, "name"],
    },
    {
        token: "aws:iam/rolePolicy:RolePolicy",
        args: async (world) => ({ role: (await world.role("ec2.amazonaws.com")).id, policy: policy("logs:*") }),
        change: { policy: policy("ec2:*") },
    },
    {
        token: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        args: async (world) => ({
            role: (await world.role("ec2.amazonaws.com")).id,
            policyArn: "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
        }),
        replace: [{ policyArn: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy" }, "policyArn"],
    },
    {
        token: "aws:kms/key:Key",
        args: { description: "secrets", deletionWindowInDays: 7 },
        change: { description: "other", enableKeyRotation: true, ...TAGS },
        replace: [{ multiRegion: true }, "multiRegion"],
    },
    {
        token: "aws:cloudwatch/logGroup:LogGroup",
        args: { name: "/aws/eks/c1/cluster", retentionInDays: 30 },
        change: { retentionInDays: 90, ...TAGS },
        replace: [{ name: "other" }, "name"],
    },
    {
        token: "aws:eks/cluster:Cluster",
        args: async (world) => ({
            name: "c1",
            roleArn: (await world.role("eks.amazonaws.com")).outputs.arn,
            version: "1.34",
            accessConfig: { authenticationMode: "API" },
            enabledClusterLogTypes: ["audit", "api"],
            upgradePolicy: { supportType: "STANDARD" },
            bootstrapSelfManagedAddons: false,
            kubernetesNetworkConfig: { serviceIpv4Cidr: "172.20.0.0/16" },
            vpcConfig: {
                subnetIds: [await world.subnet(1), await world.subnet(0)],
                endpointPrivateAccess: true,
                endpointPublicAccess: true,
                publicAccessCidrs: ["0.0.0.0/0"],
            },
        }),
        change: async (world) => ({
            version: "1.35",
            enabledClusterLogTypes: ["audit"],
            vpcConfig: {
                subnetIds: [await world.subnet(1), await world.subnet(0)],
                endpointPrivateAccess: true,
                endpointPublicAccess: false,
            },
        }),
        replace: [{ kubernetesNetworkConfig: { serviceIpv4Cidr: "172.21.0.0/16" } }, "kubernetesNetworkConfig.serviceIpv4Cidr"],
    },
    {
        token: "aws:eks/nodeGroup:NodeGroup",
        args: async (world) => ({
            clusterName: await world.cluster(),
            nodeRoleArn: (await world.role("ec2.amazonaws.com")).outputs.arn,
            subnetIds: [await world.subnet(0)],
            scalingConfig: { minSize: 1, desiredSize: 1, maxSize: 2 },
            taints: [{ key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" }],
        }),
        change: { scalingConfig: { minSize: 1, desiredSize: 2, maxSize: 3 }, taints: [], labels: { a: "b" } },
        replace: [{ amiType: "AL2023_ARM_64_STANDARD" }, "amiType"],
    },
    {
        token: "aws:eks/addon:Addon",
        args: async (world) => ({ clusterName: await world.cluster(), addonName: "vpc-cni", resolveConflictsOnCreate: "OVERWRITE" }),
        change: { configurationValues: '{"env":{"ENABLE_PREFIX_DELEGATION":"true"}}', ...TAGS },
        replace: [{ addonName: "coredns" }, "addonName"],
    },
    {
        token: "aws:eks/accessEntry:AccessEntry",
        args: async (world) => ({ clusterName: await world.cluster(), principalArn: (await world.role("ec2.amazonaws.com")).outputs.arn }),
        change: { kubernetesGroups: ["admins"], ...TAGS },
        replace: [{ type: "EC2_LINUX" }, "type"],
    },
    {
        token: "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        args: async (world) => ({
            clusterName: await world.cluster(),
            principalArn: await world.entry(),
            policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            accessScope: { type: "cluster" },
        }),
    },
];

import type { Properties } from "../../../providers/values.ts";
import type { Resource } from "./harness.ts";
import { trust, type World } from "./world.ts";

type Args = Properties | ((world: World) => Properties | Promise<Properties>);

/** A resource type with arguments to create, update and replace it. */
interface Case {
    token: string;
    args: Args;
    /** Arguments that are updated in place. */
    change?: Args;
    /** Arguments that require a replacement, and their property paths. */
    replace?: [Args, ...string[]];
    /** Set for resources that still exist at AWS after a delete. */
    survivesDelete?: true;
}

const tags = { tags: { Name: "x" } };
const policy = (Action: string) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] });

export const CASES: Case[] = [
    {
        token: "aws:ec2/vpc:Vpc",
        args: { cidrBlock: "10.9.0.0/16", ...tags },
        change: { enableDnsHostnames: true },
        replace: [{ cidrBlock: "10.8.0.0/16" }, "cidrBlock"],
    },
    {
        token: "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        args: async (world) => ({ vpcId: await world.vpc(), ...tags }),
        survivesDelete: true,
    },
    { token: "aws:ec2/internetGateway:InternetGateway", args: async (world) => ({ vpcId: await world.vpc() }), change: tags },
    {
        token: "aws:ec2/subnet:Subnet",
        args: async (world) => ({ vpcId: await world.vpc(), cidrBlock: "10.0.9.0/24", availabilityZone: "eu-central-1a" }),
        change: { mapPublicIpOnLaunch: true, ...tags },
        replace: [{ availabilityZone: "eu-central-1b" }, "availabilityZone"],
    },
    {
        token: "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
        args: async (world) => ({
            subnetId: await world.subnet(0),
            cidrBlock: "10.0.0.16/28",
            reservationType: "explicit",
            description: "etcd",
        }),
        replace: [{ cidrBlock: "10.0.0.32/28" }, "cidrBlock"],
    },
    { token: "aws:ec2/routeTable:RouteTable", args: async (world) => ({ vpcId: await world.vpc() }), change: tags },
    {
        token: "aws:ec2/route:Route",
        args: async (world) => ({ routeTableId: await world.table(), destinationCidrBlock: "0.0.0.0/0", gatewayId: await world.gateway() }),
        change: async (world) => ({ gatewayId: undefined, vpcPeeringConnectionId: await world.activePeering() }),
        replace: [{ destinationCidrBlock: "8.8.8.0/24" }, "destinationCidrBlock"],
    },
    {
        token: "aws:ec2/routeTableAssociation:RouteTableAssociation",
        args: async (world) => ({ subnetId: await world.subnet(0), routeTableId: await world.table() }),
        replace: [{ routeTableId: "rtb-other" }, "routeTableId"],
    },
    { token: "aws:ec2/eip:Eip", args: { domain: "vpc" }, change: tags },
    {
        token: "aws:ec2/natGateway:NatGateway",
        args: async (world) => {
            await world.gateway();
            return { subnetId: await world.subnet(0), allocationId: (await world.ensure("aws:ec2/eip:Eip", "eip", () => ({}))).id };
        },
        change: tags,
        replace: [{ subnetId: "subnet-other" }, "subnetId"],
    },
    {
        token: "aws:ec2/flowLog:FlowLog",
        args: async (world) => ({
            vpcId: await world.vpc(),
            trafficType: "ALL",
            logDestination: (await world.ensure("aws:cloudwatch/logGroup:LogGroup", "flows", () => ({}))).outputs.arn,
            iamRoleArn: (await world.role("vpc-flow-logs.amazonaws.com")).outputs.arn,
        }),
        change: tags,
        replace: [{ trafficType: "REJECT" }, "trafficType"],
    },
    {
        token: "aws:ec2/launchTemplate:LaunchTemplate",
        args: {
            metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
            blockDeviceMappings: [{ deviceName: "/dev/xvda", ebs: { volumeSize: 20, volumeType: "gp3", encrypted: "true" } }],
            tagSpecifications: [{ resourceType: "instance", tags: { Name: "node" } }],
            updateDefaultVersion: true,
        },
        change: { metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 2 } },
        replace: [{ name: "other" }, "name"],
    },
    {
        token: "aws:ec2/securityGroup:SecurityGroup",
        args: async (world) => ({ vpcId: await world.vpc(), description: "etcd" }),
        change: tags,
        replace: [{ description: "other" }, "description"],
    },
    {
        token: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        args: async (world) => ({
            securityGroupId: await world.group(),
            cidrIpv4: "10.1.0.0/16",
            ipProtocol: "tcp",
            fromPort: 2379,
            toPort: 2379,
            description: "etcd",
        }),
        change: { toPort: 2380 },
        replace: [{ securityGroupId: "sg-other" }, "securityGroupId"],
    },
    {
        token: "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        args: async (world) => ({
            securityGroupId: await world.group(),
            referencedSecurityGroupId: await world.group("peer"),
            ipProtocol: "-1",
        }),
        change: { description: "all" },
    },
    {
        token: "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        args: async (world) => ({ vpcId: await world.vpc(), peerVpcId: await world.vpc("other", "10.1"), peerRegion: "eu-central-1" }),
        change: tags,
        replace: [{ peerVpcId: "vpc-other" }, "peerVpcId"],
    },
    {
        token: "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        args: async (world) => ({ vpcPeeringConnectionId: await world.peering(), autoAccept: true }),
        change: tags,
        survivesDelete: true,
    },
    {
        token: "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        args: async (world) => ({ vpcPeeringConnectionId: await world.activePeering(), requester: { allowRemoteVpcDnsResolution: true } }),
        change: { requester: { allowRemoteVpcDnsResolution: false } },
        survivesDelete: true,
    },
    {
        token: "aws:ec2transitgateway/transitGateway:TransitGateway",
        args: { description: "mesh", autoAcceptSharedAttachments: "disable" },
        change: { description: "other" },
        replace: [{ multicastSupport: "enable" }, "multicastSupport"],
    },
    {
        token: "aws:ec2transitgateway/vpcAttachment:VpcAttachment",
        args: async (world) => ({
            transitGatewayId: (await world.transit()).id,
            vpcId: await world.vpc(),
            subnetIds: [await world.subnet(0)],
        }),
        change: async (world) => ({ subnetIds: [await world.subnet(0), await world.subnet(1)] }),
        replace: [{ vpcId: "vpc-other" }, "vpcId"],
    },
    {
        token: "aws:ec2transitgateway/route:Route",
        args: async (world) => ({
            destinationCidrBlock: "10.7.0.0/16",
            transitGatewayAttachmentId: await world.attachment(),
            transitGatewayRouteTableId: (await world.transit()).outputs.associationDefaultRouteTableId,
        }),
        replace: [{ destinationCidrBlock: "10.6.0.0/16" }, "destinationCidrBlock"],
    },
    {
        token: "aws:ram/resourceShare:ResourceShare",
        args: { name: "mesh" },
        change: { allowExternalPrincipals: true, ...tags },
    },
    {
        token: "aws:ram/resourceAssociation:ResourceAssociation",
        args: async (world) => ({ resourceShareArn: await world.share(), resourceArn: (await world.transit()).outputs.arn }),
    },
    {
        token: "aws:ram/principalAssociation:PrincipalAssociation",
        args: async (world) => ({ resourceShareArn: await world.share(), principal: "222222222222" }),
        replace: [{ principal: "333333333333" }, "principal"],
    },
    {
        token: "aws:iam/role:Role",
        args: { assumeRolePolicy: trust("ec2.amazonaws.com") },
        change: { assumeRolePolicy: trust("eks.amazonaws.com"), description: "x", ...tags },
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
        change: { description: "other", enableKeyRotation: true, ...tags },
        replace: [{ multiRegion: true }, "multiRegion"],
    },
    {
        token: "aws:cloudwatch/logGroup:LogGroup",
        args: { name: "/aws/eks/c1/cluster", retentionInDays: 30 },
        change: { retentionInDays: 90, ...tags },
        replace: [{ name: "other" }, "name"],
    },
    {
        token: "aws:lb/loadBalancer:LoadBalancer",
        args: async (world) => ({
            namePrefix: "etcd-",
            internal: true,
            loadBalancerType: "network",
            securityGroups: [await world.group()],
            subnetMappings: [{ subnetId: await world.subnet(0), privateIpv4Address: "10.0.0.20" }],
            enableCrossZoneLoadBalancing: true,
        }),
        change: async (world) => ({ securityGroups: [await world.group("peer")], enableCrossZoneLoadBalancing: false, ...tags }),
        replace: [{ internal: false }, "internal"],
    },
    {
        token: "aws:lb/targetGroup:TargetGroup",
        args: async (world) => ({
            namePrefix: "etcd-",
            vpcId: await world.vpc(),
            port: 32379,
            protocol: "TCP",
            preserveClientIp: "false",
            connectionTermination: true,
            deregistrationDelay: 30,
            healthCheck: { protocol: "TCP", port: "traffic-port", interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
        }),
        change: { deregistrationDelay: 60, healthCheck: { protocol: "TCP", port: "traffic-port", interval: 30 } },
        replace: [{ port: 1 }, "port"],
    },
    {
        token: "aws:lb/listener:Listener",
        args: async (world) => ({
            loadBalancerArn: await world.balancer(),
            port: 2379,
            protocol: "TCP",
            defaultActions: [{ type: "forward", targetGroupArn: await world.targets() }],
        }),
        change: async (world) => ({ defaultActions: [{ type: "forward", targetGroupArn: await world.targets("others") }] }),
    },
    {
        token: "aws:autoscaling/attachment:Attachment",
        args: async (world) => ({
            autoscalingGroupName: groupName(await world.nodes()),
            lbTargetGroupArn: await world.targets(),
        }),
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
        change: { configurationValues: '{"env":{"ENABLE_PREFIX_DELEGATION":"true"}}', ...tags },
        replace: [{ addonName: "coredns" }, "addonName"],
    },
    {
        token: "aws:eks/accessEntry:AccessEntry",
        args: async (world) => ({ clusterName: await world.cluster(), principalArn: (await world.role("ec2.amazonaws.com")).outputs.arn }),
        change: { kubernetesGroups: ["admins"], ...tags },
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

/** Resolves a case's arguments. */
export async function argsOf(args: Args | undefined, world: World): Promise<Properties> {
    return typeof args === "function" ? args(world) : (args ?? {});
}

function groupName({ outputs }: Resource): string {
    const [{ autoscalingGroups: [{ name = "" } = {}] = [] } = {}] = outputs.resources as { autoscalingGroups: { name: string }[] }[];
    return name;
}

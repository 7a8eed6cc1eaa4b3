import type { Resource } from "../harness.ts";
import { type Case, TAGS } from "./case.ts";

/** EC2, transit gateways and their shares, load balancers. */
export const NETWORK_CASES: readonly Case[] = [
    {
        token: "aws:ec2/vpc:Vpc",
        args: { cidrBlock: "10.9.0.0/16", ...TAGS },
        change: { enableDnsHostnames: true },
        replace: [{ cidrBlock: "10.8.0.0/16" }, "cidrBlock"],
    },
    {
        token: "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        args: async (world) => ({ vpcId: await world.vpc(), ...TAGS }),
        survivesDelete: true,
    },
    { token: "aws:ec2/internetGateway:InternetGateway", args: async (world) => ({ vpcId: await world.vpc() }), change: TAGS },
    {
        token: "aws:ec2/subnet:Subnet",
        args: async (world) => ({ vpcId: await world.vpc(), cidrBlock: "10.0.9.0/24", availabilityZone: "eu-central-1a" }),
        change: { mapPublicIpOnLaunch: true, ...TAGS },
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
    { token: "aws:ec2/routeTable:RouteTable", args: async (world) => ({ vpcId: await world.vpc() }), change: TAGS },
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
    { token: "aws:ec2/eip:Eip", args: { domain: "vpc" }, change: TAGS },
    {
        token: "aws:ec2/natGateway:NatGateway",
        args: async (world) => {
            await world.gateway();
            return { subnetId: await world.subnet(0), allocationId: (await world.ensure("aws:ec2/eip:Eip", "eip", () => ({}))).id };
        },
        change: TAGS,
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
        change: TAGS,
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
        change: TAGS,
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
        change: TAGS,
        replace: [{ peerVpcId: "vpc-other" }, "peerVpcId"],
    },
    {
        token: "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        args: async (world) => ({ vpcPeeringConnectionId: await world.peering(), autoAccept: true }),
        change: TAGS,
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
        change: { allowExternalPrincipals: true, ...TAGS },
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
        token: "aws:lb/loadBalancer:LoadBalancer",
        args: async (world) => ({
            namePrefix: "etcd-",
            internal: true,
            loadBalancerType: "network",
            securityGroups: [await world.group()],
            subnetMappings: [{ subnetId: await world.subnet(0), privateIpv4Address: "10.0.0.20" }],
            enableCrossZoneLoadBalancing: true,
        }),
        change: async (world) => ({ securityGroups: [await world.group("peer")], enableCrossZoneLoadBalancing: false, ...TAGS }),
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
];

function groupName({ outputs }: Resource): string {
    const [{ autoscalingGroups: [{ name = "" } = {}] = [] } = {}] = outputs.resources as { autoscalingGroups: { name: string }[] }[];
    return name;
}

import type * as aws from "@pulumi/aws";
import { awaited, type Kind, type Plain, untilGone } from "../kind.ts";
import { byMark, ec2Arn, ec2Tagging, tagged, tagMap } from "./common.ts";

export const internetGateway: Kind<Plain<aws.ec2.InternetGatewayArgs>, Plain<aws.ec2.InternetGatewayState>> = {
    noun: "EC2 Internet Gateway",
    forceNew: [],
    computed: ["arn", "ownerId", "vpcId"],
    tagging: ec2Tagging,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeInternetGateways({ Filters: byMark(context) })).InternetGateways.map(
                (one) => one.InternetGatewayId,
            ),
    },
    make: async (context) => {
        const { InternetGateway } = await context.api.ec2.createInternetGateway(tagged(context, "internet-gateway"));
        return InternetGateway.InternetGatewayId;
    },
    settle: async ({ api }, id, { vpcId }) => {
        const { InternetGateways } = await api.ec2.describeInternetGateways({ InternetGatewayIds: [id] });
        const attached = InternetGateways[0]?.Attachments[0]?.VpcId;
        if (attached === vpcId) return;
        if (attached) await api.ec2.detachInternetGateway({ InternetGatewayId: id, VpcId: attached });
        if (vpcId) await api.ec2.attachInternetGateway({ InternetGatewayId: id, VpcId: vpcId });
    },
    read: async (context, id) => {
        const { InternetGateways } = await context.api.ec2.describeInternetGateways({ InternetGatewayIds: [id] });
        const [found] = InternetGateways;
        return (
            found && {
                arn: ec2Arn(context, `internet-gateway/${id}`, found.OwnerId),
                ownerId: found.OwnerId,
                vpcId: found.Attachments[0]?.VpcId,
                tags: tagMap(found.Tags),
            }
        );
    },
    // It moves to another VPC in `settle`.
    update: async () => undefined,
    remove: async ({ api }, id) => {
        const { InternetGateways } = await api.ec2.describeInternetGateways({ InternetGatewayIds: [id] });
        for (const { VpcId } of InternetGateways[0]?.Attachments ?? [])
            await api.ec2.detachInternetGateway({ InternetGatewayId: id, VpcId });
        await api.ec2.deleteInternetGateway({ InternetGatewayId: id });
    },
};

export const eip: Kind<Plain<aws.ec2.EipArgs>, Plain<aws.ec2.EipState>> = {
    noun: "EC2 EIP",
    forceNew: ["domain", "publicIpv4Pool", "networkBorderGroup"],
    computed: [
        "arn",
        "allocationId",
        "associationId",
        "domain",
        "networkBorderGroup",
        "networkInterface",
        "privateIp",
        "publicDns",
        "publicIp",
        "publicIpv4Pool",
    ],
    tagging: ec2Tagging,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeAddresses({ Filters: byMark(context) })).Addresses.map(({ AllocationId }) => AllocationId),
    },
    make: async (context) => (await context.api.ec2.allocateAddress({ Domain: "vpc", ...tagged(context, "elastic-ip") })).AllocationId,
    read: async (context, id) => {
        const { Addresses } = await context.api.ec2.describeAddresses({ AllocationIds: [id] });
        const [found] = Addresses;
        return (
            found && {
                arn: ec2Arn(context, `elastic-ip/${id}`),
                allocationId: id,
                associationId: found.AssociationId ?? "",
                domain: found.Domain,
                networkBorderGroup: found.NetworkBorderGroup,
                networkInterface: found.NetworkInterfaceId ?? "",
                privateIp: found.PrivateIpAddress ?? "",
                publicIp: found.PublicIp,
                publicDns: `ec2-${found.PublicIp.replaceAll(".", "-")}.${context.region}.compute.amazonaws.com`,
                publicIpv4Pool: found.PublicIpv4Pool,
                tags: tagMap(found.Tags),
            }
        );
    },
    remove: ({ api }, id) => api.ec2.releaseAddress({ AllocationId: id }),
};

export const natGateway: Kind<Plain<aws.ec2.NatGatewayArgs>, Plain<aws.ec2.NatGatewayState>> = {
    noun: "EC2 NAT Gateway",
    forceNew: ["subnetId", "allocationId", "connectivityType", "privateIp"],
    defaults: { connectivityType: "public" },
    computed: ["associationId", "networkInterfaceId", "privateIp", "publicIp", "vpcId"],
    tagging: ec2Tagging,
    minutes: 10,
    find: {
        marked: async (context) => {
            const states = { Name: "state", Values: ["pending", "available"] };
            const { NatGateways } = await context.api.ec2.describeNatGateways({ Filter: [...byMark(context), states] });
            return NatGateways.map(({ NatGatewayId }) => NatGatewayId);
        },
    },
    make: async (context, { subnetId = "", allocationId, connectivityType, privateIp }) => {
        const { NatGateway } = await context.api.ec2.createNatGateway({
            SubnetId: subnetId,
            AllocationId: allocationId,
            ConnectivityType: connectivityType as "public" | "private",
            PrivateIpAddress: privateIp,
            ...tagged(context, "natgateway"),
        });
        return NatGateway.NatGatewayId;
    },
    settle: ({ api, until }, id) =>
        until(`EC2 NAT Gateway (${id})`, "available", async () => {
            const { NatGateways } = await api.ec2.describeNatGateways({ NatGatewayIds: [id] });
            const [found] = NatGateways;
            return awaited(found?.State, ["available"], ["pending"], `${found?.FailureCode}: ${found?.FailureMessage}`);
        }),
    read: async ({ api }, id) => {
        const { NatGateways } = await api.ec2.describeNatGateways({ NatGatewayIds: [id] });
        const [found] = NatGateways;
        // AWS tells of it for an hour after its end.
        if (!found || ["deleting", "deleted", "failed"].includes(found.State)) return undefined;
        const [address] = found.NatGatewayAddresses;
        return {
            subnetId: found.SubnetId,
            vpcId: found.VpcId,
            connectivityType: found.ConnectivityType,
            allocationId: address?.AllocationId,
            associationId: address?.AssociationId,
            networkInterfaceId: address?.NetworkInterfaceId,
            privateIp: address?.PrivateIp,
            publicIp: address?.PublicIp,
            tags: tagMap(found.Tags),
        };
    },
    remove: async (context, id) => {
        await context.api.ec2.deleteNatGateway({ NatGatewayId: id });
        await untilGone(context, `EC2 NAT Gateway (${id})`, ["deleted", "failed"], async () => {
            const { NatGateways } = await context.api.ec2.describeNatGateways({ NatGatewayIds: [id] });
            return NatGateways[0]?.State;
        });
    },
};

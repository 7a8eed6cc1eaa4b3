import type * as aws from "@pulumi/aws";
import { type Plain, pendingState, type ResourceDefinition, waitForDeletion } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

export const internetGateway: ResourceDefinition<Plain<aws.ec2.InternetGatewayArgs>, Plain<aws.ec2.InternetGatewayState>> = {
    noun: "EC2 Internet Gateway",
    forceNew: [],
    computed: ["arn", "ownerId", "vpcId"],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeInternetGateways({ Filters: markFilter(context) })).InternetGateways.map(
                ({ InternetGatewayId }) => InternetGatewayId,
            ),
    },
    create: async (context) => {
        const { InternetGateway } = await context.api.ec2.createInternetGateway(tagSpecifications(context, "internet-gateway"));
        return InternetGateway.InternetGatewayId;
    },
    reconcile: async ({ api }, id, { vpcId }) => {
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
    // `reconcile` attaches it to another VPC.
    update: async () => undefined,
    delete: async ({ api }, id) => {
        const { InternetGateways } = await api.ec2.describeInternetGateways({ InternetGatewayIds: [id] });
        for (const { VpcId } of InternetGateways[0]?.Attachments ?? [])
            await api.ec2.detachInternetGateway({ InternetGatewayId: id, VpcId });
        await api.ec2.deleteInternetGateway({ InternetGatewayId: id });
    },
};

export const eip: ResourceDefinition<Plain<aws.ec2.EipArgs>, Plain<aws.ec2.EipState>> = {
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
        byMark: async (context) =>
            (await context.api.ec2.describeAddresses({ Filters: markFilter(context) })).Addresses.map(({ AllocationId }) => AllocationId),
    },
    create: async (context) =>
        (await context.api.ec2.allocateAddress({ Domain: "vpc", ...tagSpecifications(context, "elastic-ip") })).AllocationId,
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
    delete: ({ api }, id) => api.ec2.releaseAddress({ AllocationId: id }),
};

export const natGateway: ResourceDefinition<Plain<aws.ec2.NatGatewayArgs>, Plain<aws.ec2.NatGatewayState>> = {
    noun: "EC2 NAT Gateway",
    forceNew: ["subnetId", "allocationId", "connectivityType", "privateIp"],
    defaults: { connectivityType: "public" },
    computed: ["associationId", "networkInterfaceId", "privateIp", "publicIp", "vpcId"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) => {
            const states = { Name: "state", Values: ["pending", "available"] };
            const { NatGateways } = await context.api.ec2.describeNatGateways({ Filter: [...markFilter(context), states] });
            return NatGateways.map(({ NatGatewayId }) => NatGatewayId);
        },
    },
    create: async (context, { subnetId = "", allocationId, connectivityType, privateIp }) => {
        const { NatGateway } = await context.api.ec2.createNatGateway({
            SubnetId: subnetId,
            AllocationId: allocationId,
            ConnectivityType: connectivityType as "public" | "private",
            PrivateIpAddress: privateIp,
            ...tagSpecifications(context, "natgateway"),
        });
        return NatGateway.NatGatewayId;
    },
    reconcile: ({ api, waitFor }, id) =>
        waitFor(`EC2 NAT Gateway (${id})`, "available", async () => {
            const { NatGateways } = await api.ec2.describeNatGateways({ NatGatewayIds: [id] });
            const [found] = NatGateways;
            return pendingState(found?.State, ["available"], ["pending"], `${found?.FailureCode}: ${found?.FailureMessage}`);
        }),
    read: async ({ api }, id) => {
        const { NatGateways } = await api.ec2.describeNatGateways({ NatGatewayIds: [id] });
        const [found] = NatGateways;
        // AWS keeps listing a deleted gateway for an hour.
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
    delete: async (context, id) => {
        await context.api.ec2.deleteNatGateway({ NatGatewayId: id });
        await waitForDeletion(context, `EC2 NAT Gateway (${id})`, ["deleted", "failed"], async () => {
            const { NatGateways } = await context.api.ec2.describeNatGateways({ NatGatewayIds: [id] });
            return NatGateways[0]?.State;
        });
    },
};

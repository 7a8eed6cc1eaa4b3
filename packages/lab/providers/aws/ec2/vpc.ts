import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition } from "../definition.ts";
import { defaultGroup } from "./security-groups.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

type VpcArgs = Plain<aws.ec2.VpcArgs>;

export const vpc: ResourceDefinition<VpcArgs, Plain<aws.ec2.VpcState>> = {
    noun: "EC2 VPC",
    forceNew: ["cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"],
    defaults: { enableDnsSupport: true, instanceTenancy: "default" },
    computed: [
        "arn",
        "defaultNetworkAclId",
        "defaultRouteTableId",
        "defaultSecurityGroupId",
        "dhcpOptionsId",
        "mainRouteTableId",
        "ownerId",
    ],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) => (await context.api.ec2.describeVpcs({ Filters: markFilter(context) })).Vpcs.map(({ VpcId }) => VpcId),
    },
    create: async (context, { cidrBlock, instanceTenancy }) => {
        const { Vpc } = await context.api.ec2.createVpc({
            CidrBlock: cidrBlock,
            InstanceTenancy: instanceTenancy,
            ...tagSpecifications(context, "vpc"),
        });
        return Vpc.VpcId;
    },
    reconcile: async (context, id, inputs) => {
        await context.waitFor(`EC2 VPC (${id})`, "available", async () => {
            const { Vpcs } = await context.api.ec2.describeVpcs({ VpcIds: [id] });
            return pendingState(Vpcs[0]?.State, ["available"], ["pending"]);
        });
        const current = await attributes(context, id);
        const wanted = {
            EnableDnsSupport: inputs.enableDnsSupport,
            EnableDnsHostnames: inputs.enableDnsHostnames,
            EnableNetworkAddressUsageMetrics: inputs.enableNetworkAddressUsageMetrics,
        };
        // One call per attribute: ModifyVpcAttribute accepts only one.
        for (const [name, Value] of Object.entries(wanted))
            if (Value !== undefined && Value !== current[name as keyof typeof current])
                await context.api.ec2.modifyVpcAttribute({ VpcId: id, [name]: { Value } });
    },
    read: async (context, id) => {
        const { ec2 } = context.api;
        const Filters = [{ Name: "vpc-id", Values: [id] }];
        const { Vpcs } = await ec2.describeVpcs({ VpcIds: [id] });
        const [found] = Vpcs;
        if (!found) return undefined;
        const current = await attributes(context, id);
        const { RouteTables } = await ec2.describeRouteTables({ Filters: [...Filters, { Name: "association.main", Values: ["true"] }] });
        const { NetworkAcls } = await ec2.describeNetworkAcls({ Filters: [...Filters, { Name: "default", Values: ["true"] }] });
        const main = RouteTables[0]?.RouteTableId;
        return {
            arn: ec2Arn(context, `vpc/${id}`, found.OwnerId),
            cidrBlock: found.CidrBlock,
            instanceTenancy: found.InstanceTenancy,
            dhcpOptionsId: found.DhcpOptionsId,
            ownerId: found.OwnerId,
            enableDnsSupport: current.EnableDnsSupport,
            enableDnsHostnames: current.EnableDnsHostnames,
            enableNetworkAddressUsageMetrics: current.EnableNetworkAddressUsageMetrics,
            mainRouteTableId: main,
            defaultRouteTableId: main,
            defaultNetworkAclId: NetworkAcls[0]?.NetworkAclId,
            defaultSecurityGroupId: await defaultGroup(context, id),
            tags: tagMap(found.Tags),
        };
    },
    // `reconcile` sets the attributes.
    update: async () => undefined,
    delete: ({ api }, id) => api.ec2.deleteVpc({ VpcId: id }),
};

async function attributes({ api }: Context, VpcId: string) {
    const { EnableDnsSupport } = await api.ec2.describeVpcAttribute({ VpcId, Attribute: "enableDnsSupport" });
    const { EnableDnsHostnames } = await api.ec2.describeVpcAttribute({ VpcId, Attribute: "enableDnsHostnames" });
    const { EnableNetworkAddressUsageMetrics } = await api.ec2.describeVpcAttribute({
        VpcId,
        Attribute: "enableNetworkAddressUsageMetrics",
    });
    return {
        EnableDnsSupport: EnableDnsSupport?.Value ?? false,
        EnableDnsHostnames: EnableDnsHostnames?.Value ?? false,
        EnableNetworkAddressUsageMetrics: EnableNetworkAddressUsageMetrics?.Value ?? false,
    };
}

import type * as aws from "@pulumi/aws";
import { awaited, type Context, type Kind, type Plain } from "../kind.ts";
import { byMark, ec2Arn, ec2Tagging, readGroup, tagged, tagList, tagMap } from "./common.ts";

type VpcArgs = Plain<aws.ec2.VpcArgs>;

export const vpc: Kind<VpcArgs, Plain<aws.ec2.VpcState>> = {
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
        marked: async (context) => (await context.api.ec2.describeVpcs({ Filters: byMark(context) })).Vpcs.map(({ VpcId }) => VpcId),
    },
    make: async (context, { cidrBlock, instanceTenancy }) => {
        const { Vpc } = await context.api.ec2.createVpc({
            CidrBlock: cidrBlock,
            InstanceTenancy: instanceTenancy,
            ...tagged(context, "vpc"),
        });
        return Vpc.VpcId;
    },
    settle: async (context, id, inputs) => {
        await context.until(`EC2 VPC (${id})`, "available", async () => {
            const { Vpcs } = await context.api.ec2.describeVpcs({ VpcIds: [id] });
            return awaited(Vpcs[0]?.State, ["available"], ["pending"]);
        });
        const is = await attributes(context, id);
        const wanted = {
            EnableDnsSupport: inputs.enableDnsSupport,
            EnableDnsHostnames: inputs.enableDnsHostnames,
            EnableNetworkAddressUsageMetrics: inputs.enableNetworkAddressUsageMetrics,
        };
        // One at a time: AWS takes no two in one call.
        for (const [name, Value] of Object.entries(wanted))
            if (Value !== undefined && Value !== is[name as keyof typeof is])
                await context.api.ec2.modifyVpcAttribute({ VpcId: id, [name]: { Value } });
    },
    read: async (context, id) => {
        const { ec2 } = context.api;
        const Filters = [{ Name: "vpc-id", Values: [id] }];
        const { Vpcs } = await ec2.describeVpcs({ VpcIds: [id] });
        const [found] = Vpcs;
        if (!found) return undefined;
        const is = await attributes(context, id);
        const { RouteTables } = await ec2.describeRouteTables({ Filters: [...Filters, { Name: "association.main", Values: ["true"] }] });
        const { NetworkAcls } = await ec2.describeNetworkAcls({ Filters: [...Filters, { Name: "default", Values: ["true"] }] });
        const main = RouteTables[0]?.RouteTableId;
        return {
            arn: ec2Arn(context, `vpc/${id}`, found.OwnerId),
            cidrBlock: found.CidrBlock,
            instanceTenancy: found.InstanceTenancy,
            dhcpOptionsId: found.DhcpOptionsId,
            ownerId: found.OwnerId,
            enableDnsSupport: is.EnableDnsSupport,
            enableDnsHostnames: is.EnableDnsHostnames,
            enableNetworkAddressUsageMetrics: is.EnableNetworkAddressUsageMetrics,
            mainRouteTableId: main,
            defaultRouteTableId: main,
            defaultNetworkAclId: NetworkAcls[0]?.NetworkAclId,
            defaultSecurityGroupId: await defaultGroup(context, id),
            tags: tagMap(found.Tags),
        };
    },
    // Attributes are brought to what is wanted in `settle`.
    update: async () => undefined,
    remove: ({ api }, id) => api.ec2.deleteVpc({ VpcId: id }),
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

async function defaultGroup({ api }: Context, vpcId: string): Promise<string | undefined> {
    const { SecurityGroups } = await api.ec2.describeSecurityGroups({
        Filters: [
            { Name: "vpc-id", Values: [vpcId] },
            { Name: "group-name", Values: ["default"] },
        ],
    });
    return SecurityGroups[0]?.GroupId;
}

/** The group is there before and after: making means to take over and empty it, deleting to forget it. */
export const defaultSecurityGroup: Kind<Plain<aws.ec2.DefaultSecurityGroupArgs>, Plain<aws.ec2.DefaultSecurityGroupState>> = {
    noun: "EC2 Default Security Group",
    forceNew: ["vpcId"],
    computed: ["arn", "name", "description", "ownerId", "ingress", "egress"],
    tagging: ec2Tagging,
    unreadable: ["revokeRulesOnDelete"],
    make: async (context, { vpcId = "" }) => {
        const id = await defaultGroup(context, vpcId);
        if (!id) throw new Error(`couldn't find default security group of EC2 VPC (${vpcId})`);
        const { ec2 } = context.api;
        await ec2.createTags({ Resources: [id], Tags: tagList(context.tags) });
        const { SecurityGroupRules } = await ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [id] }] });
        for (const egress of [false, true]) {
            const SecurityGroupRuleIds = SecurityGroupRules.filter((one) => one.IsEgress === egress).map((one) => one.SecurityGroupRuleId);
            if (SecurityGroupRuleIds.length > 0)
                await ec2[egress ? "revokeSecurityGroupEgress" : "revokeSecurityGroupIngress"]({ GroupId: id, SecurityGroupRuleIds });
        }
        return id;
    },
    read: readGroup,
};

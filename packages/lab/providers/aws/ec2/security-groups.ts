import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";
import { ec2Tagging, markFilter, tagList, tagMap, tagSpecifications } from "./tags.ts";

/** Rules are separate resources: inline rules are read but never changed. */
export const securityGroup: ResourceDefinition<Plain<aws.ec2.SecurityGroupArgs>, Plain<aws.ec2.SecurityGroupState>> = {
    noun: "EC2 Security Group",
    forceNew: ["name", "namePrefix", "description", "vpcId"],
    defaults: { description: "Managed by Pulumi", revokeRulesOnDelete: false },
    unreadable: ["revokeRulesOnDelete", "namePrefix"],
    autoName: "name",
    computed: ["arn", "ownerId", "ingress", "egress"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeSecurityGroups({ Filters: markFilter(context) })).SecurityGroups.map(({ GroupId }) => GroupId),
    },
    create: async (context, { name, namePrefix = "", description, vpcId = "" }) => {
        const { ec2 } = context.api;
        const { GroupId } = await ec2.createSecurityGroup({
            GroupName: name ?? `${namePrefix}${context.unique(26)}`,
            Description: description,
            VpcId: vpcId,
            ...tagSpecifications(context, "security-group"),
        });
        return GroupId;
    },
    /** AWS adds an allow-all egress rule to a new group; the provider removes it, so that only the program's rules apply. */
    reconcile: async (context, id) => {
        const { ec2 } = context.api;
        const { SecurityGroupRules } = await ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [id] }] });
        const allowAll = SecurityGroupRules.filter(
            (rule) =>
                rule.IsEgress &&
                rule.IpProtocol === "-1" &&
                rule.CidrIpv4 === "0.0.0.0/0" &&
                rule.Description === undefined &&
                !rule.Tags.length,
        );
        if (allowAll.length > 0)
            await ec2.revokeSecurityGroupEgress({
                GroupId: id,
                SecurityGroupRuleIds: allowAll.map(({ SecurityGroupRuleId }) => SecurityGroupRuleId),
            });
    },
    read: readGroup,
    delete: async ({ api }, id) => {
        await api.ec2.deleteSecurityGroup({ GroupId: id });
    },
};

/** Every VPC has this group. Create adopts it and removes its rules; delete only removes it from the state. */
export const defaultSecurityGroup: ResourceDefinition<Plain<aws.ec2.DefaultSecurityGroupArgs>, Plain<aws.ec2.DefaultSecurityGroupState>> = {
    noun: "EC2 Default Security Group",
    forceNew: ["vpcId"],
    computed: ["arn", "name", "description", "ownerId", "ingress", "egress"],
    tagging: ec2Tagging,
    unreadable: ["revokeRulesOnDelete"],
    create: async (context, { vpcId = "" }) => {
        const id = await defaultGroup(context, vpcId);
        if (!id) throw new Error(`couldn't find default security group of EC2 VPC (${vpcId})`);
        const { ec2 } = context.api;
        await ec2.createTags({ Resources: [id], Tags: tagList(context.tags) });
        const { SecurityGroupRules } = await ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [id] }] });
        for (const egress of [false, true]) {
            const SecurityGroupRuleIds = SecurityGroupRules.filter(({ IsEgress }) => IsEgress === egress).map(
                (rule) => rule.SecurityGroupRuleId,
            );
            if (SecurityGroupRuleIds.length > 0)
                await ec2[egress ? "revokeSecurityGroupEgress" : "revokeSecurityGroupIngress"]({ GroupId: id, SecurityGroupRuleIds });
        }
        return id;
    },
    read: readGroup,
};

export async function defaultGroup({ api }: Context, vpcId: string): Promise<string | undefined> {
    const { SecurityGroups } = await api.ec2.describeSecurityGroups({
        Filters: [
            { Name: "vpc-id", Values: [vpcId] },
            { Name: "group-name", Values: ["default"] },
        ],
    });
    return SecurityGroups[0]?.GroupId;
}

/** A security group's state, with its rules inline; undefined if it does not exist. */
async function readGroup({ api }: Context, id: string) {
    const { SecurityGroups } = await api.ec2.describeSecurityGroups({ GroupIds: [id] });
    const [found] = SecurityGroups;
    if (!found) return undefined;
    const rules = (permissions: typeof found.IpPermissions) =>
        permissions.map((permission) => ({
            protocol: permission.IpProtocol,
            fromPort: permission.FromPort,
            toPort: permission.ToPort,
            cidrBlocks: permission.IpRanges.map(({ CidrIp }) => CidrIp),
            securityGroups: permission.UserIdGroupPairs.map(({ GroupId }) => GroupId),
        }));
    return {
        arn: found.SecurityGroupArn,
        name: found.GroupName,
        description: found.Description,
        ownerId: found.OwnerId,
        vpcId: found.VpcId,
        ingress: rules(found.IpPermissions),
        egress: rules(found.IpPermissionsEgress),
        tags: tagMap(found.Tags),
    };
}

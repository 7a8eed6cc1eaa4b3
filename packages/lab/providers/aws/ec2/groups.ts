import type * as aws from "@pulumi/aws";
import type { Changed, Context, Kind, Plain } from "../kind.ts";
import { byMark, ec2Tagging, readGroup, tagged, tagMap } from "./common.ts";

/** Its rules are resources of their own: inline ones are told, never changed. */
export const securityGroup: Kind<Plain<aws.ec2.SecurityGroupArgs>, Plain<aws.ec2.SecurityGroupState>> = {
    noun: "EC2 Security Group",
    forceNew: ["name", "namePrefix", "description", "vpcId"],
    defaults: { description: "Managed by Pulumi", revokeRulesOnDelete: false },
    unreadable: ["revokeRulesOnDelete", "namePrefix"],
    autoName: "name",
    computed: ["arn", "ownerId", "ingress", "egress"],
    tagging: ec2Tagging,
    minutes: 10,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeSecurityGroups({ Filters: byMark(context) })).SecurityGroups.map(({ GroupId }) => GroupId),
    },
    make: async (context, { name, namePrefix = "", description, vpcId = "" }) => {
        const { ec2 } = context.api;
        const { GroupId } = await ec2.createSecurityGroup({
            GroupName: name ?? `${namePrefix}${context.unique(26)}`,
            Description: description,
            VpcId: vpcId,
            ...tagged(context, "security-group"),
        });
        return GroupId;
    },
    /** A new group of AWS lets everything out; the provider takes that rule away, so that only what the program says is let out. */
    settle: async (context, id) => {
        const { ec2 } = context.api;
        const { SecurityGroupRules } = await ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [id] }] });
        const first = SecurityGroupRules.filter(
            (one) =>
                one.IsEgress &&
                one.IpProtocol === "-1" &&
                one.CidrIpv4 === "0.0.0.0/0" &&
                one.Description === undefined &&
                !one.Tags.length,
        );
        if (first.length > 0)
            await ec2.revokeSecurityGroupEgress({ GroupId: id, SecurityGroupRuleIds: first.map((one) => one.SecurityGroupRuleId) });
    },
    read: readGroup,
    remove: async ({ api }, id) => {
        await api.ec2.deleteSecurityGroup({ GroupId: id });
    },
};

type RuleArgs = Plain<aws.vpc.SecurityGroupIngressRuleArgs>;
type RuleState = Plain<aws.vpc.SecurityGroupIngressRuleState>;

export const securityGroupIngressRule = groupRule("Ingress");
export const securityGroupEgressRule = groupRule("Egress");

function groupRule(way: "Ingress" | "Egress"): Kind<RuleArgs, RuleState> {
    return {
        noun: `VPC Security Group ${way} Rule`,
        forceNew: ["securityGroupId"],
        computed: ["arn", "securityGroupRuleId"],
        tagging: ec2Tagging,
        find: {
            marked: async (context, { securityGroupId }) => {
                const group = { Name: "group-id", Values: [securityGroupId] };
                const { SecurityGroupRules } = await context.api.ec2.describeSecurityGroupRules({ Filters: [...byMark(context), group] });
                return SecurityGroupRules.map((one) => one.SecurityGroupRuleId);
            },
        },
        make: async (context, inputs) => {
            const { securityGroupId: GroupId, cidrIpv4, cidrIpv6, referencedSecurityGroupId, description } = inputs;
            const described = description === undefined ? {} : { Description: description };
            const { SecurityGroupRules } = await context.api.ec2[`authorizeSecurityGroup${way}`]({
                GroupId,
                IpPermissions: [
                    {
                        ...ports(inputs),
                        IpRanges: cidrIpv4 ? [{ CidrIp: cidrIpv4, ...described }] : [],
                        Ipv6Ranges: cidrIpv6 ? [{ CidrIpv6: cidrIpv6, ...described }] : [],
                        UserIdGroupPairs: referencedSecurityGroupId ? [{ ...groupOf(referencedSecurityGroupId), ...described }] : [],
                    },
                ],
                ...tagged(context, "security-group-rule"),
            });
            const [made] = SecurityGroupRules;
            if (!made) throw new Error("the rule has neither a source nor a destination");
            return made.SecurityGroupRuleId;
        },
        read: async ({ api, account }, id) => {
            const { SecurityGroupRules } = await api.ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [id] });
            const [found] = SecurityGroupRules;
            if (!found) return undefined;
            const other = found.ReferencedGroupInfo;
            const isAll = found.IpProtocol === "-1";
            return {
                arn: found.SecurityGroupRuleArn,
                securityGroupRuleId: id,
                securityGroupId: found.GroupId,
                ipProtocol: found.IpProtocol,
                fromPort: isAll ? undefined : found.FromPort,
                toPort: isAll ? undefined : found.ToPort,
                cidrIpv4: found.CidrIpv4,
                cidrIpv6: found.CidrIpv6,
                referencedSecurityGroupId: other && (other.UserId === account ? other.GroupId : `${other.UserId}/${other.GroupId}`),
                description: found.Description,
                tags: tagMap(found.Tags),
            };
        },
        update: changeRule,
        remove: async ({ api }, id, { securityGroupId = "" }) => {
            await api.ec2[`revokeSecurityGroup${way}`]({ GroupId: securityGroupId, SecurityGroupRuleIds: [id] });
        },
    };
}

async function changeRule({ api }: Context, id: string, { inputs }: Changed<RuleArgs, RuleState>): Promise<void> {
    await api.ec2.modifySecurityGroupRules({
        GroupId: inputs.securityGroupId,
        SecurityGroupRules: [
            {
                SecurityGroupRuleId: id,
                SecurityGroupRule: {
                    ...ports(inputs),
                    CidrIpv4: inputs.cidrIpv4,
                    CidrIpv6: inputs.cidrIpv6,
                    ReferencedGroupId: inputs.referencedSecurityGroupId,
                    Description: inputs.description,
                },
            },
        ],
    });
}

function ports({ ipProtocol, fromPort, toPort }: RuleArgs) {
    return {
        IpProtocol: ipProtocol,
        ...(fromPort !== undefined && { FromPort: fromPort }),
        ...(toPort !== undefined && { ToPort: toPort }),
    };
}

/** A group of another account is written with that before it. */
function groupOf(text: string): { GroupId: string; UserId?: string } {
    const [account, group] = text.split("/");
    return account && group ? { UserId: account, GroupId: group } : { GroupId: text };
}

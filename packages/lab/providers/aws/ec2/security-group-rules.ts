import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition, UpdateArgs } from "../definition.ts";
import { ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

type RuleArgs = Plain<aws.vpc.SecurityGroupIngressRuleArgs>;
type RuleState = Plain<aws.vpc.SecurityGroupIngressRuleState>;

export const securityGroupIngressRule = groupRule("Ingress");
export const securityGroupEgressRule = groupRule("Egress");

function groupRule(direction: "Ingress" | "Egress"): ResourceDefinition<RuleArgs, RuleState> {
    return {
        noun: `VPC Security Group ${direction} Rule`,
        forceNew: ["securityGroupId"],
        computed: ["arn", "securityGroupRuleId"],
        tagging: ec2Tagging,
        find: {
            byMark: async (context, { securityGroupId }) => {
                const group = { Name: "group-id", Values: [securityGroupId] };
                const { SecurityGroupRules } = await context.api.ec2.describeSecurityGroupRules({
                    Filters: [...markFilter(context), group],
                });
                return SecurityGroupRules.map(({ SecurityGroupRuleId }) => SecurityGroupRuleId);
            },
        },
        create: async (context, inputs) => {
            const { securityGroupId: GroupId, cidrIpv4, cidrIpv6, referencedSecurityGroupId, description } = inputs;
            const described = description === undefined ? {} : { Description: description };
            const { SecurityGroupRules } = await context.api.ec2[`authorizeSecurityGroup${direction}`]({
                GroupId,
                IpPermissions: [
                    {
                        ...ports(inputs),
                        IpRanges: cidrIpv4 ? [{ CidrIp: cidrIpv4, ...described }] : [],
                        Ipv6Ranges: cidrIpv6 ? [{ CidrIpv6: cidrIpv6, ...described }] : [],
                        UserIdGroupPairs: referencedSecurityGroupId ? [{ ...groupOf(referencedSecurityGroupId), ...described }] : [],
                    },
                ],
                ...tagSpecifications(context, "security-group-rule"),
            });
            const [created] = SecurityGroupRules;
            if (!created) throw new Error("the rule has no source or destination: set cidrIpv4, cidrIpv6 or referencedSecurityGroupId");
            return created.SecurityGroupRuleId;
        },
        read: readRule,
        update: changeRule,
        delete: async ({ api }, id, { securityGroupId = "" }) => {
            await api.ec2[`revokeSecurityGroup${direction}`]({ GroupId: securityGroupId, SecurityGroupRuleIds: [id] });
        },
    };
}

async function readRule({ api, account }: Context, id: string) {
    const { SecurityGroupRules } = await api.ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [id] });
    const [found] = SecurityGroupRules;
    if (!found) return undefined;
    const peerGroup = found.ReferencedGroupInfo;
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
        referencedSecurityGroupId:
            peerGroup && (peerGroup.UserId === account ? peerGroup.GroupId : `${peerGroup.UserId}/${peerGroup.GroupId}`),
        description: found.Description,
        tags: tagMap(found.Tags),
    };
}

async function changeRule({ api }: Context, id: string, { inputs }: UpdateArgs<RuleArgs, RuleState>): Promise<void> {
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

/** A security group of another account is written as `account/group`. */
function groupOf(text: string): { GroupId: string; UserId?: string } {
    const [account, group] = text.split("/");
    return account && group ? { UserId: account, GroupId: group } : { GroupId: text };
}

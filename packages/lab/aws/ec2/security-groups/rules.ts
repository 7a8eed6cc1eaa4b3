import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { invalidValue, missing } from "../errors.ts";
import { securityGroupRules, securityGroups, shown } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { describeRule, type IpPermission, identity, type RuleSpec, ruleSpecs } from "./permissions.ts";

/** Rules of a group, separately for each direction. */
export const RULES_PER_GROUP: Quota = { code: "L-0EA8095F", default: 60 };

interface RulesRequest {
    GroupId: string;
    IpPermissions?: IpPermission[];
    SecurityGroupRuleIds?: string[];
    TagSpecifications?: TagSpecification[];
    DryRun?: boolean;
}
/** Adds rules to a group, for EC2's callers and for other services. */
export function authorize(scope: Scope, IsEgress: boolean, { GroupId, IpPermissions = [], TagSpecifications }: RulesRequest) {
    const group = securityGroups.in(scope).need(GroupId, () => missing("securityGroup", GroupId));
    const rules = securityGroupRules.in(scope);
    const created = IpPermissions.flatMap((permission) => ruleSpecs(scope, group, permission)).map((spec) => {
        const existing = rules.list().filter((rule) => rule.GroupId === GroupId && rule.IsEgress === IsEgress);
        if (existing.some((rule) => identity(rule) === identity(spec)))
            throw new AwsError("InvalidPermission.Duplicate", `the specified rule "${describeRule(spec)}" already exists`);
        if (existing.length >= scope.quota(RULES_PER_GROUP))
            throw new AwsError("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.");
        const SecurityGroupRuleId = scope.id("sgr");
        tagNew(scope, "security-group-rule", SecurityGroupRuleId, TagSpecifications);
        return rules.put(SecurityGroupRuleId, {
            SecurityGroupRuleId,
            SecurityGroupRuleArn: scope.arn("ec2", `security-group-rule/${SecurityGroupRuleId}`),
            GroupId,
            GroupOwnerId: scope.account,
            IsEgress,
            ...spec,
        });
    });
    return { Return: true, SecurityGroupRules: created.map((rule) => shown(rule, tagsOf(scope, rule.SecurityGroupRuleId))) };
}

function revoke(scope: Scope, IsEgress: boolean, { GroupId, IpPermissions = [], SecurityGroupRuleIds = [] }: RulesRequest) {
    const group = securityGroups.in(scope).need(GroupId, () => missing("securityGroup", GroupId));
    const own = securityGroupRules
        .in(scope)
        .list()
        .filter((rule) => rule.GroupId === GroupId && rule.IsEgress === IsEgress);
    const byId = SecurityGroupRuleIds.map((id) => {
        const rule = own.find(({ SecurityGroupRuleId }) => SecurityGroupRuleId === id);
        if (!rule) throw missing("securityGroupRule", id);
        return rule;
    });
    const byValue = IpPermissions.flatMap((permission) => ruleSpecs(scope, group, permission)).map((spec) => {
        const rule = own.find((existing) => identity(existing) === identity(spec));
        if (!rule) throw new AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
        return rule;
    });
    for (const { SecurityGroupRuleId } of [...byId, ...byValue]) {
        securityGroupRules.in(scope).delete(SecurityGroupRuleId);
        deleteTagsOf(scope, SecurityGroupRuleId);
    }
    return { Return: true };
}

/** The actions on rules of security groups. */
export const groupRuleActions = (scope: Scope) => ({
    authorizeSecurityGroupIngress: (request: RulesRequest) => authorize(scope, false, request),
    authorizeSecurityGroupEgress: (request: RulesRequest) => authorize(scope, true, request),
    revokeSecurityGroupIngress: (request: RulesRequest) => revoke(scope, false, request),
    revokeSecurityGroupEgress: (request: RulesRequest) => revoke(scope, true, request),

    describeSecurityGroupRules: ({ SecurityGroupRuleIds, Filters }: { SecurityGroupRuleIds?: string[]; Filters?: Filter[] } = {}) => {
        const rules = securityGroupRules.in(scope);
        const requested = SecurityGroupRuleIds?.map((id) => rules.need(id, () => missing("securityGroupRule", id))) ?? rules.list();
        const withTags = requested.map((rule) => shown(rule, tagsOf(scope, rule.SecurityGroupRuleId)));
        return {
            SecurityGroupRules: filtered(withTags, Filters, {
                "group-id": ({ GroupId }) => GroupId,
                "security-group-rule-id": (rule) => rule.SecurityGroupRuleId,
            }),
        };
    },

    modifySecurityGroupRules: (request: {
        GroupId: string;
        SecurityGroupRules: {
            SecurityGroupRuleId: string;
            SecurityGroupRule: Omit<RuleSpec, "ReferencedGroupInfo" | "FromPort" | "ToPort"> & {
                FromPort?: number;
                ToPort?: number;
                ReferencedGroupId?: string;
            };
        }[];
    }) => {
        const group = securityGroups.in(scope).need(request.GroupId, () => missing("securityGroup", request.GroupId));
        for (const { SecurityGroupRuleId: id, SecurityGroupRule: wanted } of request.SecurityGroupRules) {
            const rule = securityGroupRules.in(scope).get(id);
            if (rule?.GroupId !== request.GroupId) throw missing("securityGroupRule", id);
            const { IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupId, Description } = wanted;
            const described = Description === undefined ? {} : { Description };
            const [spec] = ruleSpecs(scope, group, {
                IpProtocol,
                ...(FromPort !== undefined && { FromPort }),
                ...(ToPort !== undefined && { ToPort }),
                IpRanges: CidrIpv4 ? [{ CidrIp: CidrIpv4, ...described }] : [],
                Ipv6Ranges: CidrIpv6 ? [{ CidrIpv6, ...described }] : [],
                UserIdGroupPairs: ReferencedGroupId ? [{ GroupId: ReferencedGroupId, ...described }] : [],
            });
            if (!spec) throw invalidValue("A security group rule must have a source or a destination");
            const { SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId, IsEgress } = rule;
            const others = securityGroupRules
                .in(scope)
                .list()
                .filter((other) => other.GroupId === GroupId && other.IsEgress === IsEgress && other !== rule);
            if (others.some((other) => identity(other) === identity(spec)))
                throw new AwsError("InvalidPermission.Duplicate", `the specified rule "${describeRule(spec)}" already exists`);
            securityGroupRules.in(scope).put(id, { SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId, IsEgress, ...spec });
        }
        return { Return: true };
    },
});

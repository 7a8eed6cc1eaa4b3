import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { invalidValue, missing, required } from "../errors.ts";
import { interfaces, type SecurityGroup, securityGroupRules, securityGroups, shown, type Vpc, vpcs } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { DESCRIPTION, permissionsOf } from "./permissions.ts";

export const GROUPS_PER_REGION: Quota = { code: "L-E79EC296", default: 2500 };

interface GroupArgs {
    GroupName: string;
    Description: string;
    VpcId: string;
}

/** Creates a group with the default rules: all egress, no ingress. For EC2's callers and for other services. */
export function createGroup(scope: Scope, { GroupName, Description, VpcId }: GroupArgs): Readonly<SecurityGroup> {
    const GroupId = scope.id("sg");
    const group = securityGroups.in(scope).put(GroupId, {
        GroupId,
        GroupName,
        Description,
        VpcId,
        OwnerId: scope.account,
        SecurityGroupArn: scope.arn("ec2", `security-group/${GroupId}`),
    });
    putRule(scope, GroupId, { IsEgress: true, CidrIpv4: "0.0.0.0/0" });
    return group;
}

/** Creates the default group of a VPC, whose members can reach each other. */
export function createDefaultGroup(scope: Scope, { VpcId }: Readonly<Vpc>): void {
    const { GroupId } = createGroup(scope, { GroupName: "default", Description: "default VPC security group", VpcId });
    putRule(scope, GroupId, { IsEgress: false, ReferencedGroupInfo: { GroupId, UserId: scope.account } });
}

function putRule(
    scope: Scope,
    GroupId: string,
    peer: { IsEgress: boolean; CidrIpv4?: string; ReferencedGroupInfo?: { GroupId: string; UserId: string } },
) {
    const SecurityGroupRuleId = scope.id("sgr");
    securityGroupRules.in(scope).put(SecurityGroupRuleId, {
        SecurityGroupRuleId,
        SecurityGroupRuleArn: scope.arn("ec2", `security-group-rule/${SecurityGroupRuleId}`),
        GroupId,
        GroupOwnerId: scope.account,
        IpProtocol: "-1",
        FromPort: -1,
        ToPort: -1,
        ...peer,
    });
}

/** Deletes a group and its rules, regardless of what depends on it. */
export function deleteGroup(scope: Scope, GroupId: string): void {
    for (const rule of securityGroupRules.in(scope).list())
        if (rule.GroupId === GroupId) {
            securityGroupRules.in(scope).delete(rule.SecurityGroupRuleId);
            deleteTagsOf(scope, rule.SecurityGroupRuleId);
        }
    securityGroups.in(scope).delete(GroupId);
    deleteTagsOf(scope, GroupId);
}

/** The actions on security groups; `rules.ts` has those on their rules. */
export const groupActions = (scope: Scope) => {
    const rows = securityGroups.in(scope);
    const need = (id: string) => rows.need(id, () => missing("securityGroup", id));
    const show = (group: Readonly<SecurityGroup>) => {
        const rules = securityGroupRules
            .in(scope)
            .list()
            .filter(({ GroupId }) => GroupId === group.GroupId);
        return {
            ...shown(group, tagsOf(scope, group.GroupId)),
            IpPermissions: permissionsOf(rules.filter(({ IsEgress }) => !IsEgress)),
            IpPermissionsEgress: permissionsOf(rules.filter(({ IsEgress }) => IsEgress)),
        };
    };

    return {
        createSecurityGroup: (request: {
            GroupName: string;
            Description?: string;
            VpcId: string;
            TagSpecifications?: TagSpecification[];
            DryRun?: boolean;
        }) => {
            const { GroupName, Description, VpcId } = request;
            if (Description === undefined) throw required("GroupDescription");
            if (!DESCRIPTION.test(Description))
                throw invalidValue(
                    `Value (${Description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.`,
                );
            vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            if (GroupName.startsWith("sg-"))
                throw invalidValue(`Value (${GroupName}) for parameter GroupName is invalid. Group names may not be in the format sg-*`);
            if (GroupName === "default") throw new AwsError("InvalidGroup.Reserved", "Cannot use reserved security group name: default");
            if (rows.list().some((group) => group.GroupName === GroupName && group.VpcId === VpcId))
                throw new AwsError("InvalidGroup.Duplicate", `The security group '${GroupName}' already exists for VPC '${VpcId}'`);
            if (rows.list().length >= scope.quota(GROUPS_PER_REGION))
                throw new AwsError("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.");
            const { GroupId, SecurityGroupArn } = createGroup(scope, { GroupName, Description, VpcId });
            tagNew(scope, "security-group", GroupId, request.TagSpecifications);
            return { GroupId, SecurityGroupArn, Tags: tagsOf(scope, GroupId) };
        },

        describeSecurityGroups: ({ GroupIds, Filters }: { GroupIds?: string[]; Filters?: Filter[] } = {}) => ({
            SecurityGroups: filtered((GroupIds?.map(need) ?? rows.list()).map(show), Filters, {
                "group-id": (group) => group.GroupId,
                "group-name": (group) => group.GroupName,
                "vpc-id": (group) => group.VpcId,
                description: (group) => group.Description,
                "owner-id": (group) => group.OwnerId,
            }),
        }),

        deleteSecurityGroup: ({ GroupId }: { GroupId: string }) => {
            const { GroupName } = need(GroupId);
            if (GroupName === "default")
                throw new AwsError("CannotDelete", `the specified group: "${GroupId}" name: "default" cannot be deleted by a user`);
            const referenced = securityGroupRules
                .in(scope)
                .list()
                .some((rule) => rule.ReferencedGroupInfo?.GroupId === GroupId && rule.GroupId !== GroupId);
            const attached = interfaces
                .in(scope)
                .list()
                .some(({ Groups }) => Groups.some((group) => group.GroupId === GroupId));
            if (referenced || attached) throw new AwsError("DependencyViolation", `resource ${GroupId} has a dependent object`);
            deleteGroup(scope, GroupId);
            return { GroupId, Return: true };
        },
    };
};

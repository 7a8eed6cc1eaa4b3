import { parseCidr } from "../../cidr.ts";
import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { invalidValue, missing } from "../errors.ts";
import { findPeeringBetween } from "../peering/peering-tables.ts";
import { type SecurityGroup, type SecurityGroupRule, securityGroupRules, securityGroups, shown } from "../tables.ts";
import { forgetTags, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { DESCRIPTION, DESCRIPTION_TEXT } from "./groups.ts";

/** In each direction. */
export const RULES_PER_GROUP: Quota = { code: "L-0EA8095F", default: 60 };

/** Rules of one protocol and range of ports, as EC2's older actions hold them. */
export interface IpPermission {
    IpProtocol: string;
    FromPort?: number;
    ToPort?: number;
    IpRanges?: { CidrIp: string; Description?: string }[];
    Ipv6Ranges?: { CidrIpv6: string; Description?: string }[];
    UserIdGroupPairs?: { GroupId: string; UserId?: string; VpcId?: string; VpcPeeringConnectionId?: string; Description?: string }[];
}
export interface RulesRequest {
    GroupId: string;
    IpPermissions?: IpPermission[];
    SecurityGroupRuleIds?: string[];
    TagSpecifications?: TagSpecification[];
    DryRun?: boolean;
}
/** What a rule says, without whose it is. */
type Saying = Pick<
    SecurityGroupRule,
    "IpProtocol" | "FromPort" | "ToPort" | "CidrIpv4" | "CidrIpv6" | "ReferencedGroupInfo" | "Description"
>;

const NUMBERS: Record<string, string> = { "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6" };

/** Rules in the older form: one element for each protocol and range of ports. */
export function permissionsOf(rules: readonly Readonly<SecurityGroupRule>[]): Required<IpPermission>[] {
    const key = ({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>) => `${IpProtocol} ${FromPort} ${ToPort}`;
    return [...Map.groupBy(rules, key).values()].map((same) => {
        const { IpProtocol = "-1", FromPort = -1, ToPort = -1 } = same[0] ?? {};
        const described = ({ Description }: Readonly<SecurityGroupRule>) => (Description === undefined ? {} : { Description });
        return {
            IpProtocol,
            FromPort,
            ToPort,
            IpRanges: same.flatMap((one) => (one.CidrIpv4 ? [{ CidrIp: one.CidrIpv4, ...described(one) }] : [])),
            Ipv6Ranges: same.flatMap((one) => (one.CidrIpv6 ? [{ CidrIpv6: one.CidrIpv6, ...described(one) }] : [])),
            UserIdGroupPairs: same.flatMap((one) => (one.ReferencedGroupInfo ? [{ ...one.ReferencedGroupInfo, ...described(one) }] : [])),
        };
    });
}

/** Adds rules to a group: for a caller of EC2, or for another service. */
export function authorize(scope: Scope, IsEgress: boolean, { GroupId, IpPermissions = [], TagSpecifications }: RulesRequest) {
    const group = securityGroups.in(scope).need(GroupId, () => missing("securityGroup", GroupId));
    const rules = securityGroupRules.in(scope);
    const made = IpPermissions.flatMap((one) => sayings(scope, group, one)).map((saying) => {
        const same = rules.list().filter((one) => one.GroupId === GroupId && one.IsEgress === IsEgress);
        if (same.some((one) => identity(one) === identity(saying)))
            throw new AwsError("InvalidPermission.Duplicate", `the specified rule "${describe(saying)}" already exists`);
        if (same.length >= scope.quota(RULES_PER_GROUP))
            throw new AwsError("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.");
        const SecurityGroupRuleId = scope.id("sgr");
        tagNew(scope, "security-group-rule", SecurityGroupRuleId, TagSpecifications);
        return rules.put(SecurityGroupRuleId, {
            SecurityGroupRuleId,
            SecurityGroupRuleArn: scope.arn("ec2", `security-group-rule/${SecurityGroupRuleId}`),
            GroupId,
            GroupOwnerId: scope.account,
            IsEgress,
            ...saying,
        });
    });
    return { Return: true, SecurityGroupRules: made.map((rule) => shown(rule, tagsOf(scope, rule.SecurityGroupRuleId))) };
}

function revoke(scope: Scope, IsEgress: boolean, { GroupId, IpPermissions = [], SecurityGroupRuleIds = [] }: RulesRequest) {
    const group = securityGroups.in(scope).need(GroupId, () => missing("securityGroup", GroupId));
    const own = securityGroupRules
        .in(scope)
        .list()
        .filter((one) => one.GroupId === GroupId && one.IsEgress === IsEgress);
    const byId = SecurityGroupRuleIds.map((id) => {
        const rule = own.find((one) => one.SecurityGroupRuleId === id);
        if (!rule) throw missing("securityGroupRule", id);
        return rule;
    });
    const byValue = IpPermissions.flatMap((one) => sayings(scope, group, one)).map((saying) => {
        const rule = own.find((one) => identity(one) === identity(saying));
        if (!rule) throw new AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
        return rule;
    });
    for (const { SecurityGroupRuleId } of [...byId, ...byValue]) {
        securityGroupRules.in(scope).delete(SecurityGroupRuleId);
        forgetTags(scope, SecurityGroupRuleId);
    }
    return { Return: true };
}

/** Rules of security groups. */
export const groupRuleActions = (scope: Scope) => ({
    authorizeSecurityGroupIngress: (request: RulesRequest) => authorize(scope, false, request),
    authorizeSecurityGroupEgress: (request: RulesRequest) => authorize(scope, true, request),
    revokeSecurityGroupIngress: (request: RulesRequest) => revoke(scope, false, request),
    revokeSecurityGroupEgress: (request: RulesRequest) => revoke(scope, true, request),

    describeSecurityGroupRules: ({ SecurityGroupRuleIds, Filters }: { SecurityGroupRuleIds?: string[]; Filters?: Filter[] } = {}) => {
        const rules = securityGroupRules.in(scope);
        const asked = SecurityGroupRuleIds?.map((id) => rules.need(id, () => missing("securityGroupRule", id))) ?? rules.list();
        const withTags = asked.map((rule) => shown(rule, tagsOf(scope, rule.SecurityGroupRuleId)));
        return {
            SecurityGroupRules: filtered(withTags, Filters, {
                "group-id": ({ GroupId }) => GroupId,
                "security-group-rule-id": (one) => one.SecurityGroupRuleId,
            }),
        };
    },

    modifySecurityGroupRules: (request: {
        GroupId: string;
        SecurityGroupRules: {
            SecurityGroupRuleId: string;
            SecurityGroupRule: Omit<Saying, "ReferencedGroupInfo" | "FromPort" | "ToPort"> & {
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
            const [saying] = sayings(scope, group, {
                IpProtocol,
                ...(FromPort !== undefined && { FromPort }),
                ...(ToPort !== undefined && { ToPort }),
                IpRanges: CidrIpv4 ? [{ CidrIp: CidrIpv4, ...described }] : [],
                Ipv6Ranges: CidrIpv6 ? [{ CidrIpv6, ...described }] : [],
                UserIdGroupPairs: ReferencedGroupId ? [{ GroupId: ReferencedGroupId, ...described }] : [],
            });
            if (!saying) throw invalidValue("A security group rule must have a source or a destination");
            const { SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId, IsEgress } = rule;
            const others = securityGroupRules
                .in(scope)
                .list()
                .filter((one) => one.GroupId === GroupId && one.IsEgress === IsEgress && one !== rule);
            if (others.some((one) => identity(one) === identity(saying)))
                throw new AwsError("InvalidPermission.Duplicate", `the specified rule "${describe(saying)}" already exists`);
            securityGroupRules.in(scope).put(id, { SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId, IsEgress, ...saying });
        }
        return { Return: true };
    },
});

/** The single rules of a permission. */
function sayings(scope: Scope, group: Readonly<SecurityGroup>, permission: IpPermission): Saying[] {
    const IpProtocol = NUMBERS[permission.IpProtocol] ?? permission.IpProtocol.toLowerCase();
    const any = IpProtocol === "-1";
    const { FromPort = -1, ToPort = -1 } = any ? {} : permission;
    const isPort = (port: number) => Number.isInteger(port) && port >= 0 && port <= 65_535;
    if (["tcp", "udp"].includes(IpProtocol) && !(isPort(FromPort) && isPort(ToPort) && FromPort <= ToPort))
        throw invalidValue(`Invalid TCP/UDP port range (${FromPort}:${ToPort})`);
    if (!any && !Object.values(NUMBERS).includes(IpProtocol) && !/^\d{1,3}$/.test(IpProtocol))
        throw invalidValue(`Invalid value '${permission.IpProtocol}' for IP protocol. Unknown protocol.`);
    const base = ({ Description }: { Description?: string | undefined }) => {
        if (Description !== undefined && !DESCRIPTION.test(Description))
            throw invalidValue(`Invalid rule description. ${DESCRIPTION_TEXT}`);
        return { IpProtocol, FromPort, ToPort, ...(Description !== undefined && { Description }) };
    };
    return [
        ...(permission.IpRanges ?? []).map((one) => {
            const CidrIpv4 = parseCidr(one.CidrIp);
            if (!CidrIpv4) throw invalidValue(`CIDR block ${one.CidrIp} is malformed`);
            return { ...base(one), CidrIpv4 };
        }),
        ...(permission.Ipv6Ranges ?? []).map((one) => ({ ...base(one), CidrIpv6: one.CidrIpv6 })),
        ...(permission.UserIdGroupPairs ?? []).map((one) => ({ ...base(one), ReferencedGroupInfo: referenced(scope, group, one) })),
    ];
}

/** A group named in a rule: of the same VPC, or of one that it has an active peering with in the same region. */
function referenced(scope: Scope, group: Readonly<SecurityGroup>, pair: { GroupId: string; UserId?: string }) {
    const UserId = pair.UserId ?? scope.account;
    const other = securityGroups
        .in(scope.at({ account: UserId, region: scope.region }))
        .need(pair.GroupId, () => missing("securityGroup", pair.GroupId));
    if (other.VpcId === group.VpcId) return { GroupId: pair.GroupId, UserId };
    const peering = findPeeringBetween(scope, group.VpcId, other.VpcId);
    if (!peering) throw new AwsError("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.");
    return { GroupId: pair.GroupId, UserId, VpcId: other.VpcId, VpcPeeringConnectionId: peering };
}

/** What makes two rules the same: all but the description. */
function identity({ IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupInfo }: Readonly<Saying>): string {
    return [IpProtocol, FromPort, ToPort, CidrIpv4 ?? CidrIpv6 ?? ReferencedGroupInfo?.GroupId].join(" ");
}

function describe({ IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupInfo }: Readonly<Saying>): string {
    const peer = `peer: ${CidrIpv4 ?? CidrIpv6 ?? ReferencedGroupInfo?.GroupId}`;
    if (IpProtocol === "-1") return `${peer}, ALL, ALLOW`;
    return `${peer}, ${IpProtocol.toUpperCase()}, from port: ${FromPort}, to port: ${ToPort}, ALLOW`;
}

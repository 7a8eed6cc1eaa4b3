import { parseCidr } from "../../cidr.ts";
import { AwsError } from "../../error.ts";
import type { Scope } from "../../scope.ts";
import { invalidValue, missing } from "../errors.ts";
import { findPeeringBetween } from "../peering/tables.ts";
import { type SecurityGroup, type SecurityGroupRule, securityGroups } from "../tables.ts";

/** What a description of a group or a rule must match. */
export const DESCRIPTION = /^[\w. \-:/()#,@[\]+=&;{}!$*]{0,255}$/;

/** Rules that share a protocol and a port range: the form that EC2's older actions use. */
export interface IpPermission {
    IpProtocol: string;
    FromPort?: number;
    ToPort?: number;
    IpRanges?: { CidrIp: string; Description?: string }[];
    Ipv6Ranges?: { CidrIpv6: string; Description?: string }[];
    UserIdGroupPairs?: { GroupId: string; UserId?: string; VpcId?: string; VpcPeeringConnectionId?: string; Description?: string }[];
}

/** The content of a rule, without its ID and its group. */
export type RuleSpec = Pick<
    SecurityGroupRule,
    "IpProtocol" | "FromPort" | "ToPort" | "CidrIpv4" | "CidrIpv6" | "ReferencedGroupInfo" | "Description"
>;

/** Protocol numbers that EC2 shows by name. */
const PROTOCOLS: Record<string, string> = { "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6" };

/** Converts rules to permissions: one for each protocol and port range. */
export function permissionsOf(rules: readonly Readonly<SecurityGroupRule>[]): Required<IpPermission>[] {
    const key = ({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>) => `${IpProtocol} ${FromPort} ${ToPort}`;
    return [...Map.groupBy(rules, key).values()].map((group) => {
        const { IpProtocol = "-1", FromPort = -1, ToPort = -1 } = group[0] ?? {};
        const described = ({ Description }: Readonly<SecurityGroupRule>) => (Description === undefined ? {} : { Description });
        return {
            IpProtocol,
            FromPort,
            ToPort,
            IpRanges: group.flatMap((rule) => (rule.CidrIpv4 ? [{ CidrIp: rule.CidrIpv4, ...described(rule) }] : [])),
            Ipv6Ranges: group.flatMap((rule) => (rule.CidrIpv6 ? [{ CidrIpv6: rule.CidrIpv6, ...described(rule) }] : [])),
            UserIdGroupPairs: group.flatMap((rule) =>
                rule.ReferencedGroupInfo ? [{ ...rule.ReferencedGroupInfo, ...described(rule) }] : [],
            ),
        };
    });
}

/**
 * Converts a permission to the rules that it stands for.
 *
 * @throws AwsError if the protocol, ports, description, CIDR or referenced group is not valid for `group`
 */
export function ruleSpecs(scope: Scope, group: Readonly<SecurityGroup>, permission: IpPermission): RuleSpec[] {
    const IpProtocol = PROTOCOLS[permission.IpProtocol] ?? permission.IpProtocol.toLowerCase();
    const any = IpProtocol === "-1";
    const { FromPort = -1, ToPort = -1 } = any ? {} : permission;
    const isPort = (port: number) => Number.isInteger(port) && port >= 0 && port <= 65_535;
    if (["tcp", "udp"].includes(IpProtocol) && !(isPort(FromPort) && isPort(ToPort) && FromPort <= ToPort))
        throw invalidValue(`Invalid TCP/UDP port range (${FromPort}:${ToPort})`);
    if (!any && !Object.values(PROTOCOLS).includes(IpProtocol) && !/^\d{1,3}$/.test(IpProtocol))
        throw invalidValue(`Invalid value '${permission.IpProtocol}' for IP protocol. Unknown protocol.`);
    const base = ({ Description }: { Description?: string | undefined }) => {
        if (Description !== undefined && !DESCRIPTION.test(Description))
            throw invalidValue(
                "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
            );
        return { IpProtocol, FromPort, ToPort, ...(Description !== undefined && { Description }) };
    };
    return [
        ...(permission.IpRanges ?? []).map((range) => {
            const CidrIpv4 = parseCidr(range.CidrIp);
            if (!CidrIpv4) throw invalidValue(`CIDR block ${range.CidrIp} is malformed`);
            return { ...base(range), CidrIpv4 };
        }),
        ...(permission.Ipv6Ranges ?? []).map((range) => ({ ...base(range), CidrIpv6: range.CidrIpv6 })),
        ...(permission.UserIdGroupPairs ?? []).map((pair) => ({ ...base(pair), ReferencedGroupInfo: referencedGroup(scope, group, pair) })),
    ];
}

/** A group that a rule refers to must be in the same VPC, or in a VPC with an active peering in the same region. */
function referencedGroup(scope: Scope, group: Readonly<SecurityGroup>, pair: { GroupId: string; UserId?: string }) {
    const UserId = pair.UserId ?? scope.account;
    const other = securityGroups
        .in(scope.at({ account: UserId, region: scope.region }))
        .need(pair.GroupId, () => missing("securityGroup", pair.GroupId));
    if (other.VpcId === group.VpcId) return { GroupId: pair.GroupId, UserId };
    const peering = findPeeringBetween(scope, group.VpcId, other.VpcId);
    if (!peering) throw new AwsError("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.");
    return { GroupId: pair.GroupId, UserId, VpcId: other.VpcId, VpcPeeringConnectionId: peering };
}

/** Equal for two rules that differ at most in their description. */
export function identity({ IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupInfo }: Readonly<RuleSpec>): string {
    return [IpProtocol, FromPort, ToPort, CidrIpv4 ?? CidrIpv6 ?? ReferencedGroupInfo?.GroupId].join(" ");
}

/** The rule in the words of EC2's error messages. */
export function describeRule({ IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupInfo }: Readonly<RuleSpec>): string {
    const peer = `peer: ${CidrIpv4 ?? CidrIpv6 ?? ReferencedGroupInfo?.GroupId}`;
    if (IpProtocol === "-1") return `${peer}, ALL, ALLOW`;
    return `${peer}, ${IpProtocol.toUpperCase()}, from port: ${FromPort}, to port: ${ToPort}, ALLOW`;
}

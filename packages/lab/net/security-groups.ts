import { peerings } from "../aws/ec2/peering/tables.ts";
import { interfaces, type NetworkInterface, type SecurityGroupRule, securityGroupRules, type Vpc } from "../aws/ec2/tables.ts";
import type { Scope } from "../aws/scope.ts";
import { isAttached, linkName } from "./plan.ts";

/**
 * The security groups of a VPC's interfaces, as the table of its router that sees every packet between them.
 *
 * Established connections go on when a rule is taken away, as AWS lets tracked connections. AWS does not track a few (all traffic from and to everywhere);
 * here every connection is tracked.
 */
export function securityGroupTable(scope: Scope, { VpcId }: Readonly<Vpc>, attached: readonly Readonly<NetworkInterface>[]): string {
    const verdicts = (way: "from" | "to", verdict: "jump" | "goto") =>
        attached.map(({ NetworkInterfaceId: eni }) => `"${linkName(eni)}" : ${verdict} ${way}-${linkName(eni)}`).join(", ");
    const dispatch =
        attached.length > 0 ? [`iifname vmap { ${verdicts("from", "jump")} }`, `oifname vmap { ${verdicts("to", "goto")} }`] : [];
    return [
        ...attached.flatMap((eni) => [...outgoing(scope, VpcId, eni), ...incoming(scope, VpcId, eni)]),
        "chain forward {",
        "    type filter hook forward priority filter; policy drop",
        "    ct state established,related accept",
        ...dispatch.map((line) => `    ${line}`),
        // Into a link: the router at its other end has the groups of whom it is for.
        "    accept",
        "}",
    ].join("\n");
}

function outgoing(scope: Scope, vpcId: string, eni: Readonly<NetworkInterface>): string[] {
    const own = [...eni.PrivateIpAddresses.map((one) => one.PrivateIpAddress), ...eni.Ipv4Prefixes.map((one) => one.Ipv4Prefix)];
    const sourceCheck = eni.SourceDestCheck ? [`    ip saddr != { ${own.join(", ")} } drop`] : [];
    const admitted = isUnguarded(eni) ? [""] : matches(scope, vpcId, eni, true);
    return [
        `chain from-${linkName(eni.NetworkInterfaceId)} {`,
        ...sourceCheck,
        ...admitted.map((one) => `    ${one}return`),
        "    drop",
        "}",
    ];
}

function incoming(scope: Scope, vpcId: string, eni: Readonly<NetworkInterface>): string[] {
    const admitted = isUnguarded(eni) ? [""] : matches(scope, vpcId, eni, false);
    return [`chain to-${linkName(eni.NetworkInterfaceId)} {`, ...admitted.map((one) => `    ${one}accept`), "    drop", "}"];
}

/** A load balancer or a NAT gateway without groups lets everything through; anything else without groups, nothing. */
function isUnguarded({ Groups, RequesterManaged }: Readonly<NetworkInterface>): boolean {
    return Groups.length === 0 && RequesterManaged;
}

/** What each rule of an interface's groups in one direction matches, each ending with a space. */
function matches(scope: Scope, vpcId: string, { Groups }: Readonly<NetworkInterface>, isEgress: boolean): string[] {
    const found = securityGroupRules
        .in(scope)
        .list()
        .filter(({ GroupId, IsEgress }) => IsEgress === isEgress && Groups.some((one) => one.GroupId === GroupId))
        .flatMap((rule) => {
            const [peer, protocol] = [peerMatch(scope, vpcId, rule), protocolMatch(rule)];
            return peer === undefined || protocol === undefined ? [] : `${peer}${protocol}`;
        });
    return [...new Set(found)];
}

/** Undefined: no packet of IPv4 has it. One such rule would make nftables refuse all the others. */
function protocolMatch({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>): string | undefined {
    if (IpProtocol === "-1") return "";
    if (IpProtocol === "tcp" || IpProtocol === "udp") return `${IpProtocol} dport ${FromPort}-${ToPort} `;
    // The two fields are a type and a code then; -1 means every one.
    if (IpProtocol === "icmp")
        return FromPort < 0 ? "ip protocol icmp " : `icmp type ${FromPort} ${ToPort < 0 ? "" : `icmp code ${ToPort} `}`;
    return Number(IpProtocol) <= 255 ? `ip protocol ${IpProtocol} ` : undefined;
}

/** Matches whom a rule names; undefined: nobody who is there. */
function peerMatch(scope: Scope, vpcId: string, { IsEgress, CidrIpv4, ReferencedGroupInfo: named }: Readonly<SecurityGroupRule>) {
    const field = IsEgress ? "ip daddr" : "ip saddr";
    if (CidrIpv4) return CidrIpv4 === "0.0.0.0/0" ? "" : `${field} ${CidrIpv4} `;
    if (!named) return undefined;
    const across = named.VpcPeeringConnectionId;
    const members = across ? membersAcross(scope, vpcId, across, named.GroupId) : membersOf(scope, vpcId, named.GroupId);
    if (members.length === 0) return undefined;
    // A group across a peering is meant only for what comes through that one.
    const link = across ? `${IsEgress ? "oifname" : "iifname"} "${linkName(across)}" ` : "";
    return `${link}${field} { ${members.join(", ")} } `;
}

function membersAcross(scope: Scope, vpcId: string, peeringId: string, groupId: string): string[] {
    const peering = peerings.in(scope).get(peeringId);
    const far = [peering?.RequesterVpcInfo, peering?.AccepterVpcInfo].find((side) => side && side.VpcId !== vpcId);
    return far ? membersOf(scope.at({ account: far.OwnerId, region: far.Region }), far.VpcId, groupId) : [];
}

/** The addresses of a group's members in a VPC, those of their pods included. */
function membersOf(scope: Scope, vpcId: string, groupId: string): string[] {
    return interfaces
        .in(scope)
        .list()
        .filter((one) => one.VpcId === vpcId && isAttached(one) && one.Groups.some(({ GroupId }) => GroupId === groupId))
        .flatMap((one) => [
            ...one.PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress),
            ...one.Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix),
        ]);
}

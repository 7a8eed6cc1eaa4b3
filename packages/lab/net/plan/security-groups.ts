import { peerings } from "../../aws/ec2/peering/tables.ts";
import { interfaces, type NetworkInterface, type SecurityGroupRule, securityGroupRules, type Vpc } from "../../aws/ec2/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { isAttached, linkName } from "./plan.ts";

/**
 * The security groups of a VPC's interfaces as an nftables table of the VPC's router, which sees every packet between them.
 *
 * Established connections continue when a rule is revoked, as tracked connections do on AWS. AWS does not track a few kinds (all traffic from and to
 * everywhere); here every connection is tracked.
 */
export function securityGroupTable(scope: Scope, { VpcId }: Readonly<Vpc>, attached: readonly Readonly<NetworkInterface>[]): string {
    const verdicts = (direction: "from" | "to", verdict: "jump" | "goto") =>
        attached.map(({ NetworkInterfaceId: eni }) => `"${linkName(eni)}" : ${verdict} ${direction}-${linkName(eni)}`).join(", ");
    const dispatch =
        attached.length > 0 ? [`iifname vmap { ${verdicts("from", "jump")} }`, `oifname vmap { ${verdicts("to", "goto")} }`] : [];
    return [
        ...attached.flatMap((eni) => [...outgoing(scope, VpcId, eni), ...incoming(scope, VpcId, eni)]),
        "chain forward {",
        "    type filter hook forward priority filter; policy drop",
        "    ct state established,related accept",
        ...dispatch.map((line) => `    ${line}`),
        // Packets into a link between routers: the router at the other end enforces the receiver's groups.
        "    accept",
        "}",
    ].join("\n");
}

function outgoing(scope: Scope, vpcId: string, eni: Readonly<NetworkInterface>): string[] {
    const sources = addressesOf(eni);
    const sourceCheck = eni.SourceDestCheck ? [`    ip saddr != { ${sources.join(", ")} } drop`] : [];
    const admitted = isUnguarded(eni) ? [""] : matches(scope, vpcId, eni, true);
    return [
        `chain from-${linkName(eni.NetworkInterfaceId)} {`,
        ...sourceCheck,
        ...admitted.map((match) => `    ${match}return`),
        "    drop",
        "}",
    ];
}

function incoming(scope: Scope, vpcId: string, eni: Readonly<NetworkInterface>): string[] {
    const admitted = isUnguarded(eni) ? [""] : matches(scope, vpcId, eni, false);
    return [`chain to-${linkName(eni.NetworkInterfaceId)} {`, ...admitted.map((match) => `    ${match}accept`), "    drop", "}"];
}

/** Without groups, a load balancer or a NAT gateway allows all traffic, and every other interface none. */
function isUnguarded({ Groups, RequesterManaged }: Readonly<NetworkInterface>): boolean {
    return Groups.length === 0 && RequesterManaged;
}

/** The nftables matches of an interface's group rules in one direction. Each ends with a space unless it is empty. */
function matches(scope: Scope, vpcId: string, { Groups }: Readonly<NetworkInterface>, isEgress: boolean): string[] {
    const found = securityGroupRules
        .in(scope)
        .list()
        .filter(({ GroupId, IsEgress }) => IsEgress === isEgress && Groups.some((group) => group.GroupId === GroupId))
        .flatMap((rule) => {
            const [peer, protocol] = [peerMatch(scope, vpcId, rule), protocolMatch(rule)];
            return peer === undefined || protocol === undefined ? [] : `${peer}${protocol}`;
        });
    return [...new Set(found)];
}

/** @returns undefined when no IPv4 packet has the protocol; nftables would reject the whole table because of such a rule */
function protocolMatch({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>): string | undefined {
    if (IpProtocol === "-1") return "";
    if (IpProtocol === "tcp" || IpProtocol === "udp") return `${IpProtocol} dport ${FromPort}-${ToPort} `;
    // For ICMP the port fields hold a type and a code; -1 means all.
    if (IpProtocol === "icmp")
        return FromPort < 0 ? "ip protocol icmp " : `icmp type ${FromPort} ${ToPort < 0 ? "" : `icmp code ${ToPort} `}`;
    return Number(IpProtocol) <= 255 ? `ip protocol ${IpProtocol} ` : undefined;
}

/** The match for a rule's source or destination. @returns undefined when the rule refers to a group without members */
function peerMatch(scope: Scope, vpcId: string, { IsEgress, CidrIpv4, ReferencedGroupInfo: named }: Readonly<SecurityGroupRule>) {
    const field = IsEgress ? "ip daddr" : "ip saddr";
    if (CidrIpv4) return CidrIpv4 === "0.0.0.0/0" ? "" : `${field} ${CidrIpv4} `;
    if (!named) return undefined;
    const across = named.VpcPeeringConnectionId;
    const members = across ? membersAcross(scope, vpcId, across, named.GroupId) : membersOf(scope, vpcId, named.GroupId);
    if (members.length === 0) return undefined;
    // A group across a peering matches only packets that come through that peering.
    const link = across ? `${IsEgress ? "oifname" : "iifname"} "${linkName(across)}" ` : "";
    return `${link}${field} { ${members.join(", ")} } `;
}

function membersAcross(scope: Scope, vpcId: string, peeringId: string, groupId: string): string[] {
    const peering = peerings.in(scope).get(peeringId);
    const far = [peering?.RequesterVpcInfo, peering?.AccepterVpcInfo].find((side) => side && side.VpcId !== vpcId);
    return far ? membersOf(scope.at({ account: far.OwnerId, region: far.Region }), far.VpcId, groupId) : [];
}

/** The addresses of a group's members in a VPC, including those of their pods. */
function membersOf(scope: Scope, vpcId: string, groupId: string): string[] {
    return interfaces
        .in(scope)
        .list()
        .filter((eni) => eni.VpcId === vpcId && isAttached(eni) && eni.Groups.some(({ GroupId }) => GroupId === groupId))
        .flatMap(addressesOf);
}

/** The addresses of an interface and the prefixes of its pods. */
function addressesOf({ PrivateIpAddresses, Ipv4Prefixes }: Readonly<NetworkInterface>): string[] {
    return [...PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress), ...Ipv4Prefixes.map(({ Ipv4Prefix }) => Ipv4Prefix)];
}

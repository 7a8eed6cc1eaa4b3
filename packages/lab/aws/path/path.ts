import { holds } from "../cidr.ts";
import { interfaces, type NetworkInterface, type SecurityGroupRule, type Subnet, securityGroupRules } from "../ec2/tables.ts";
import type { Scope } from "../scope.ts";
import { type Drop, subnetOf, travel, type VpcAt } from "./routes.ts";

/** An address in a VPC. */
export interface Endpoint extends VpcAt {
    address: string;
    /** Its security groups; none given: those of the interface that has the address. */
    securityGroupIds?: string[];
}

export interface Traffic {
    protocol: "tcp" | "udp" | "icmp";
    /** Of the destination. */
    port?: number;
}

/** What a connection from one address to another meets: open both ways, or dropped somewhere. */
export interface Path {
    open: boolean;
    /** The NAT gateway that puts its own address in place of the sender's: a packet that a table has no better route for may go that way. */
    nat?: string;
    /** The ids of all that the packet passes there, and its answer on the way back. */
    there: string[];
    back: string[];
    drop?: Drop & { way: "there" | "back" };
    /** All of it in a sentence. */
    said: string;
}

/** Something behind a load balancer that a packet may be handed on to, from the balancer's own address: clients' addresses are not preserved. */
export interface Target {
    endpoint: Endpoint;
    port: number;
    healthy: boolean;
}

/** The targets behind an interface, if it is a load balancer's that listens there. Given by whoever simulates load balancers. */
export type Behind = (scope: Scope, balancer: Readonly<NetworkInterface>, traffic: Traffic) => Target[] | undefined;

/**
 * Follows a connection's first packet and its answer.
 *
 *     from ── its groups' egress ── its subnet's table ── local │ peering │ transit gateways │ NAT ── to's groups' ingress ── to
 *     from ◄───────────────────── whatever to's subnet's table leads to (groups are stateful) ─────────────────────────────── to
 *
 * Network ACLs are those that VPCs begin with, which let everything through.
 *
 * @param to without a VPC: an address on the internet
 */
export function pathBetween(world: Scope, from: Endpoint, to: Endpoint | { address: string }, traffic: Traffic, behind?: Behind): Path {
    const what = `${from.address} → ${to.address} ${traffic.protocol}${traffic.port === undefined ? "" : `/${traffic.port}`}`;
    const legs: Pick<Path, "there" | "back" | "nat"> = { there: [], back: [] };
    const dropped = (drop: Drop, way: "there" | "back"): Path => ({
        ...legs,
        open: false,
        drop: { ...drop, way },
        said: `${what} is dropped${way === "back" ? " on the way back" : ""} at ${drop.at}: ${drop.because}`,
    });
    const far = "vpcId" in to ? to : undefined;

    const source = locate(world, from);
    if ("reason" in source) return dropped(source, "there");
    const groups = { from: source.groups, to: [] as string[] };
    const destination = far && locate(world, far);
    if (destination && !("reason" in destination)) groups.to = destination.groups;

    const there = travel(world, source, to.address, far);
    legs.there = there.hops;
    if (there.nat) legs.nat = there.nat.id;
    // Whoever comes through a NAT gateway is nobody but the gateway to the other end.
    const seen = there.nat ? { address: there.nat.address, groups: [] } : { address: from.address, groups: groups.from };
    // Routes are looked at before rules only for what a rule says of the peering that the packet comes through.
    const rules = (at: Endpoint, ids: string[], IsEgress: boolean, peer: Pick<Peer, "address" | "groups">) =>
        admits(world.at(at), ids, IsEgress, { ...peer, sameVpc: from.vpcId === far?.vpcId, peering: there.peering }, traffic);
    if (!source.unguarded && !rules(from, groups.from, true, { address: to.address, groups: groups.to }))
        return dropped(closed("egress-rule", groups.from, to.address, traffic), "there");
    if (there.drop) return dropped(there.drop, "there");
    if (!far || !destination) return { ...legs, open: true, said: `${what} is open: ${legs.there.join(", ")}` };
    if ("reason" in destination) return dropped(destination, "there");
    if (!destination.unguarded && !rules(far, groups.to, false, seen))
        return dropped(closed("ingress-rule", groups.to, seen.address, traffic), "there");

    const back = travel(world, destination, seen.address, from);
    legs.back = back.hops;
    if (back.drop) return dropped(back.drop, "back");
    if (back.nat)
        return dropped({ reason: "nat-answer", at: back.nat.id, because: "it gives the answer an address that nobody waits for" }, "back");

    const targets = destination.interface && behind?.(world.at(far), destination.interface, traffic);
    if (targets) {
        const healthy = targets.filter((one) => one.healthy);
        const onward = healthy.map((one) => pathBetween(world, far, one.endpoint, { ...traffic, port: one.port }));
        const works = onward.find((one) => one.open);
        if (!works) {
            const why = onward[0]?.said ?? `none of its ${targets.length} targets is healthy`;
            return dropped({ reason: "no-target", at: destination.interface?.NetworkInterfaceId ?? far.address, because: why }, "there");
        }
        legs.there = [...legs.there, ...works.there];
    }
    return { ...legs, open: true, said: `${what} is open: ${legs.there.join(", ")}; back: ${legs.back.join(", ")}` };
}

/** The interface that has an address: its own, or one of a prefix of pods'. */
export function interfaceAt(scope: Scope, vpcId: string, address: string): Readonly<NetworkInterface> | undefined {
    return interfaces
        .in(scope)
        .list()
        .find(
            (one) =>
                one.VpcId === vpcId &&
                (one.PrivateIpAddresses.some(({ PrivateIpAddress }) => PrivateIpAddress === address) ||
                    one.Ipv4Prefixes.some(({ Ipv4Prefix }) => holds(Ipv4Prefix, address))),
        );
}

interface Located extends VpcAt {
    subnet: Readonly<Subnet>;
    groups: string[];
    interface: Readonly<NetworkInterface> | undefined;
    public: boolean;
    /** A load balancer or a NAT gateway without groups lets everything through; anything else without groups, nothing. */
    unguarded: boolean;
}

function locate(world: Scope, { account, region, vpcId, address, securityGroupIds }: Endpoint): Located | Drop {
    const scope = world.at({ account, region });
    const subnet = subnetOf(scope, vpcId, address);
    if (!subnet) return { reason: "no-subnet", at: vpcId, because: `no subnet of it holds ${address}` };
    const found = interfaceAt(scope, vpcId, address);
    if (!found && !securityGroupIds) return { reason: "no-interface", at: subnet.SubnetId, because: `nothing in it has ${address}` };
    const groups = securityGroupIds ?? found?.Groups.map(({ GroupId }) => GroupId) ?? [];
    return {
        account,
        region,
        vpcId,
        subnet,
        groups,
        interface: found,
        public: found?.Association !== undefined,
        unguarded: groups.length === 0 && found?.RequesterManaged === true,
    };
}

interface Peer {
    address: string;
    groups: string[];
    sameVpc: boolean;
    peering: string | undefined;
}

function admits(scope: Scope, groupIds: string[], IsEgress: boolean, peer: Peer, traffic: Traffic): boolean {
    return securityGroupRules
        .in(scope)
        .list()
        .some((rule) => groupIds.includes(rule.GroupId) && rule.IsEgress === IsEgress && concerns(rule, traffic) && names(rule, peer));
}

function concerns({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>, { protocol, port }: Traffic): boolean {
    if (IpProtocol === "-1") return true;
    return IpProtocol === protocol && (protocol === "icmp" || port === undefined || (FromPort <= port && port <= ToPort));
}

/** Whether a rule names a peer: by its address, or by a group of it in the same VPC or across the peering that the rule was made for. */
function names(
    { CidrIpv4, ReferencedGroupInfo: named }: Readonly<SecurityGroupRule>,
    { address, groups, sameVpc, peering }: Peer,
): boolean {
    if (CidrIpv4) return holds(CidrIpv4, address);
    if (!named || !groups.includes(named.GroupId)) return false;
    return named.VpcPeeringConnectionId ? named.VpcPeeringConnectionId === peering : sameVpc;
}

function closed(reason: "egress-rule" | "ingress-rule", groups: string[], address: string, { protocol, port }: Traffic): Drop {
    const what = port === undefined ? protocol : `${protocol}/${port}`;
    const because =
        reason === "egress-rule" ? `no egress rule lets ${what} out to ${address}` : `no ingress rule lets ${what} in from ${address}`;
    return { reason, at: groups.join(", ") || "no security group", because };
}

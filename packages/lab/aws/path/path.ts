import { holds } from "../cidr.ts";
import { interfaces, type NetworkInterface, type SecurityGroupRule, type Subnet, securityGroupRules } from "../ec2/tables.ts";
import type { Scope } from "../scope.ts";
import { type Drop, followRoutes, subnetOf, type VpcAt } from "./routes.ts";

/** An address in a VPC. */
export interface Endpoint extends VpcAt {
    address: string;
    /** Its security groups. Default: those of the interface that has the address. */
    securityGroupIds?: string[];
}

export interface Traffic {
    protocol: "tcp" | "udp" | "icmp";
    /** Destination port. */
    port?: number;
}

/** The result of following a connection: open in both directions, or dropped somewhere. */
export interface Path {
    open: boolean;
    /** The NAT gateway that replaces the source address, if the packet passes one: a table without a more specific route may lead there. */
    nat?: string;
    /** IDs of the resources that the first packet passes. */
    forward: string[];
    /** IDs of the resources that the answer passes. */
    return: string[];
    drop?: Drop & { direction: "forward" | "return" };
    /** The result in one sentence. */
    summary: string;
}

/** A target of a load balancer. The packet reaches it from the load balancer's own address: client addresses are not preserved. */
interface Target {
    endpoint: Endpoint;
    port: number;
    healthy: boolean;
}

/** Finds the targets behind an interface; undefined if it does not belong to a load balancer. The simulated ELB provides it. */
export type FindTargets = (scope: Scope, balancer: Readonly<NetworkInterface>, traffic: Traffic) => Target[] | undefined;

/**
 * Follows the first packet of a connection and its answer.
 *
 *     from ── egress rules of its groups ── route table of its subnet ── local │ peering │ transit gateways │ NAT ── ingress rules of to's groups ── to
 *     from ◄────────────────────────── by the route table of to's subnet (security groups are stateful) ──────────────────────────────────────────── to
 *
 * Network ACLs are not followed: only the default ones exist, which allow everything.
 *
 * @param to an address without a VPC is on the internet
 */
export function pathBetween(
    world: Scope,
    from: Endpoint,
    to: Endpoint | { address: string },
    traffic: Traffic,
    findTargets?: FindTargets,
): Path {
    const connection = `${from.address} → ${to.address} ${traffic.protocol}${traffic.port === undefined ? "" : `/${traffic.port}`}`;
    const legs: Pick<Path, "forward" | "return" | "nat"> = { forward: [], return: [] };
    const dropped = (drop: Drop, direction: "forward" | "return"): Path => ({
        ...legs,
        open: false,
        drop: { ...drop, direction },
        summary: `${connection} is dropped${direction === "return" ? " on the return path" : ""} at ${drop.at}: ${drop.because}`,
    });
    const far = "vpcId" in to ? to : undefined;

    const source = locate(world, from);
    if ("reason" in source) return dropped(source, "forward");
    const groups = { from: source.groups, to: [] as string[] };
    const destination = far && locate(world, far);
    if (destination && !("reason" in destination)) groups.to = destination.groups;

    const forward = followRoutes(world, source, to.address, far);
    legs.forward = forward.hops;
    if (forward.nat) legs.nat = forward.nat.id;
    // Behind a NAT gateway, the destination sees the gateway's address and none of the sender's groups.
    const sender = forward.nat ? { address: forward.nat.address, groups: [] } : { address: from.address, groups: groups.from };
    // The rules come after the routes only because a rule can refer to a group across the peering that the packet passes.
    const rules = (at: Endpoint, ids: string[], IsEgress: boolean, peer: Pick<Peer, "address" | "groups">) =>
        admits(world.at(at), ids, IsEgress, { ...peer, sameVpc: from.vpcId === far?.vpcId, peering: forward.peering }, traffic);
    if (!source.unguarded && !rules(from, groups.from, true, { address: to.address, groups: groups.to }))
        return dropped(closed("egress-rule", groups.from, to.address, traffic), "forward");
    if (forward.drop) return dropped(forward.drop, "forward");
    if (!far || !destination) return { ...legs, open: true, summary: `${connection} is open: ${legs.forward.join(", ")}` };
    if ("reason" in destination) return dropped(destination, "forward");
    if (!destination.unguarded && !rules(far, groups.to, false, sender))
        return dropped(closed("ingress-rule", groups.to, sender.address, traffic), "forward");

    const answer = followRoutes(world, destination, sender.address, from);
    legs.return = answer.hops;
    if (answer.drop) return dropped(answer.drop, "return");
    if (answer.nat)
        return dropped(
            {
                reason: "nat-answer",
                at: answer.nat.id,
                because: "it replaces the source address of the answer, which the sender does not expect",
            },
            "return",
        );

    const targets = destination.interface && findTargets?.(world.at(far), destination.interface, traffic);
    if (targets) {
        const onward = pathToTarget(world, far, targets, traffic);
        if ("because" in onward)
            return dropped({ reason: "no-target", at: destination.interface?.NetworkInterfaceId ?? far.address, ...onward }, "forward");
        legs.forward = [...legs.forward, ...onward.forward];
    }
    return { ...legs, open: true, summary: `${connection} is open: ${legs.forward.join(", ")}; return path: ${legs.return.join(", ")}` };
}

/** The path from a load balancer to the first healthy target that it can reach, or why there is none. */
function pathToTarget(world: Scope, balancer: Endpoint, targets: readonly Target[], traffic: Traffic): Path | { because: string } {
    const healthy = targets.filter((target) => target.healthy);
    const paths = healthy.map((target) => pathBetween(world, balancer, target.endpoint, { ...traffic, port: target.port }));
    const open = paths.find((path) => path.open);
    return open ?? { because: paths[0]?.summary ?? `none of its ${targets.length} targets is healthy` };
}

/** The interface that has an address, as its own or in one of its pod prefixes. */
export function interfaceAt(scope: Scope, vpcId: string, address: string): Readonly<NetworkInterface> | undefined {
    return interfaces
        .in(scope)
        .list()
        .find(
            (eni) =>
                eni.VpcId === vpcId &&
                (eni.PrivateIpAddresses.some(({ PrivateIpAddress }) => PrivateIpAddress === address) ||
                    eni.Ipv4Prefixes.some(({ Ipv4Prefix }) => holds(Ipv4Prefix, address))),
        );
}

interface Located extends VpcAt {
    subnet: Readonly<Subnet>;
    groups: string[];
    interface: Readonly<NetworkInterface> | undefined;
    public: boolean;
    /** Has no security groups and allows everything: a load balancer or a NAT gateway. Anything else without groups allows nothing. */
    unguarded: boolean;
}

function locate(world: Scope, { account, region, vpcId, address, securityGroupIds }: Endpoint): Located | Drop {
    const scope = world.at({ account, region });
    const subnet = subnetOf(scope, vpcId, address);
    if (!subnet) return { reason: "no-subnet", at: vpcId, because: `none of its subnets contains ${address}` };
    const found = interfaceAt(scope, vpcId, address);
    if (!found && !securityGroupIds)
        return { reason: "no-interface", at: subnet.SubnetId, because: `none of its interfaces has ${address}` };
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
        .some(
            (rule) =>
                groupIds.includes(rule.GroupId) && rule.IsEgress === IsEgress && coversTraffic(rule, traffic) && coversPeer(rule, peer),
        );
}

function coversTraffic({ IpProtocol, FromPort, ToPort }: Readonly<SecurityGroupRule>, { protocol, port }: Traffic): boolean {
    if (IpProtocol === "-1") return true;
    return IpProtocol === protocol && (protocol === "icmp" || port === undefined || (FromPort <= port && port <= ToPort));
}

/** Whether a rule covers a peer: by its address, or by one of its groups in the same VPC or across the peering that the rule refers to. */
function coversPeer(
    { CidrIpv4, ReferencedGroupInfo: referenced }: Readonly<SecurityGroupRule>,
    { address, groups, sameVpc, peering }: Peer,
): boolean {
    if (CidrIpv4) return holds(CidrIpv4, address);
    if (!referenced || !groups.includes(referenced.GroupId)) return false;
    return referenced.VpcPeeringConnectionId ? referenced.VpcPeeringConnectionId === peering : sameVpc;
}

function closed(reason: "egress-rule" | "ingress-rule", groups: string[], address: string, { protocol, port }: Traffic): Drop {
    const traffic = port === undefined ? protocol : `${protocol}/${port}`;
    const because =
        reason === "egress-rule" ? `no egress rule allows ${traffic} to ${address}` : `no ingress rule allows ${traffic} from ${address}`;
    return { reason, at: groups.join(", ") || "no security group", because };
}

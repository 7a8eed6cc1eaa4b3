import { holds, prefixOf } from "../cidr.ts";
import { peerings } from "../ec2/peering/tables.ts";
import { tableOf } from "../ec2/routes/route-tables.ts";
import { routeState } from "../ec2/routes/routes.ts";
import { type NatGateway, natGateways, type Route, type Subnet, subnets } from "../ec2/tables.ts";
import { transitHop } from "../ec2/transit/routes.ts";
import { attachmentOf, peeringAttachments, vpcAttachments } from "../ec2/transit/tables.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";

/** Where a packet is dropped, and why. */
export interface Drop {
    reason:
        | "no-interface"
        | "no-subnet"
        | "no-route"
        | "blackhole"
        | "wrong-vpc"
        | "no-attachment-in-zone"
        | "no-association"
        | "no-gateway-route"
        | "gateway-blackhole"
        | "no-public-address"
        | "nat-unusable"
        | "nat-answer"
        | "internet"
        | "not-simulated"
        | "egress-rule"
        | "ingress-rule"
        | "no-target";
    /** ID of the resource that drops it. */
    at: string;
    /** The reason, as the end of a sentence about `at`. */
    because: string;
}

/** A VPC in an account and region. */
export interface VpcAt extends Place {
    vpcId: string;
}

/** The path of a packet along routes, up to where it arrives or is dropped. */
interface Journey {
    /** IDs of the resources that it passes. */
    hops: string[];
    drop?: Drop;
    /** The peering that it came through: a security group rule can refer to a group across a peering. */
    peering?: string | undefined;
    /** The last NAT gateway that it came through, and the source address from there on. */
    nat?: { id: string; address: string } | undefined;
}

/** The subnet of a VPC that contains an address. */
export function subnetOf(scope: Scope, vpcId: string, address: string): Readonly<Subnet> | undefined {
    return subnets
        .in(scope)
        .list()
        .find((subnet) => subnet.VpcId === vpcId && holds(subnet.CidrBlock, address));
}

/**
 * Follows routes from a subnet to `address`.
 *
 * @param to the VPC that contains `address`; undefined: it is on the internet
 */
export function followRoutes(
    world: Scope,
    from: VpcAt & { subnet: Readonly<Subnet>; public: boolean },
    address: string,
    to: VpcAt | undefined,
): Journey {
    const scope = world.at(from);
    const table = tableOf(scope, from.subnet);
    const hops = [from.subnet.SubnetId];
    if (!table) return { hops, drop: { reason: "no-route", at: from.subnet.SubnetId, because: "it has no route table" } };
    hops.push(table.RouteTableId);
    const drop = (reason: Drop["reason"], at: string, because: string): Journey => ({ hops, drop: { reason, at, because } });

    const route = longestMatch(table.Routes, address);
    if (!route) return drop("no-route", table.RouteTableId, `it has no route to ${address}`);
    const target = targetOf(route);
    if (routeState(scope, table, route) === "blackhole")
        return drop(
            "blackhole",
            table.RouteTableId,
            `its route for ${route.DestinationCidrBlock} leads to ${target}, which takes no packets`,
        );
    hops.push(target);

    if (route.GatewayId === "local") return arrive({ ...from }, hops);
    if (route.VpcPeeringConnectionId) {
        const peering = peerings.in(scope).get(route.VpcPeeringConnectionId);
        const far = [peering?.RequesterVpcInfo, peering?.AccepterVpcInfo].find((side) => side && side.VpcId !== from.vpcId);
        return arrive(
            { account: far?.OwnerId ?? "", region: far?.Region ?? "", vpcId: far?.VpcId ?? "" },
            hops,
            route.VpcPeeringConnectionId,
        );
    }
    if (route.TransitGatewayId) return throughGateway(route.TransitGatewayId);
    if (route.NatGatewayId) return throughNat(natGateways.in(scope).get(route.NatGatewayId));
    if (route.GatewayId) {
        if (!from.public)
            return drop("no-public-address", from.subnet.SubnetId, `${target} carries only packets of interfaces with a public address`);
        return to ? drop("internet", target, `${address} is routed to the internet, where it does not exist`) : { hops };
    }
    return drop("not-simulated", target, "routes to interfaces are not followed");

    /** Peerings and transit gateways are not transitive: the packet must be for this VPC. */
    function arrive(at: VpcAt, passed: string[], peering?: string): Journey {
        if (!to || at.vpcId !== to.vpcId)
            return { hops: passed, drop: { reason: "wrong-vpc", at: at.vpcId, because: `${address} is not one of its addresses` } };
        return { hops: [...passed, to.vpcId], peering };
    }

    function throughGateway(gatewayId: string): Journey {
        const first = attachmentOf(scope, gatewayId, from.vpcId);
        const zones = first?.SubnetIds.map((id) => subnets.in(scope).get(id)?.AvailabilityZone) ?? [];
        if (!first || !zones.includes(from.subnet.AvailabilityZone))
            return drop("no-attachment-in-zone", gatewayId, `the VPC's attachment has no subnet in ${from.subnet.AvailabilityZone}`);
        let [gateway, attachment] = [gatewayId, first.TransitGatewayAttachmentId];
        const visited = new Set<string>();
        // A peering can lead back to a gateway that the packet has visited: such a packet loops until its hop limit drops it.
        while (!visited.has(gateway)) {
            visited.add(gateway);
            const { table: gatewayTable, route: hop } = transitHop(scope, attachment, address, gateway);
            if (!gatewayTable) return drop("no-association", attachment, `${gateway} has no route table associated with it`);
            hops.push(gatewayTable.TransitGatewayRouteTableId);
            if (!hop) return drop("no-gateway-route", gatewayTable.TransitGatewayRouteTableId, `it has no route to ${address}`);
            const [next] = hop.TransitGatewayAttachments;
            if (hop.State === "blackhole" || !next)
                return drop(
                    "gateway-blackhole",
                    gatewayTable.TransitGatewayRouteTableId,
                    `its route for ${hop.DestinationCidrBlock} leads nowhere`,
                );
            attachment = next.TransitGatewayAttachmentId;
            hops.push(attachment);
            const out = vpcAttachments.in(scope).get(attachment);
            if (out) return arrive({ account: out.VpcOwnerId, region: out.region, vpcId: out.VpcId }, hops);
            const peering = peeringAttachments.in(scope).get(attachment);
            gateway =
                [peering?.RequesterTgwInfo, peering?.AccepterTgwInfo].find((side) => side && side.TransitGatewayId !== gateway)
                    ?.TransitGatewayId ?? gateway;
            hops.push(gateway);
        }
        return drop("gateway-blackhole", gateway, "the packet loops between transit gateways");
    }

    function throughNat(nat: Readonly<NatGateway> | undefined): Journey {
        const subnet = subnets.in(scope).get(nat?.SubnetId ?? "");
        if (nat?.State !== "available" || !subnet) return drop("nat-unusable", target, `its state is ${nat?.State ?? "deleted"}`);
        // The packet goes on by the table of the gateway's own subnet, which must not lead back to a NAT gateway.
        const natTable = tableOf(scope, subnet);
        if (natTable && longestMatch(natTable.Routes, address)?.NatGatewayId)
            return drop("nat-unusable", target, "its own subnet routes to a NAT gateway");
        const rest = followRoutes(world, { ...from, subnet, public: nat.ConnectivityType === "public" }, address, to);
        const translation = { id: nat.NatGatewayId, address: nat.NatGatewayAddresses[0]?.PrivateIp ?? "" };
        return { nat: translation, ...rest, hops: [...hops, ...rest.hops] };
    }
}

function longestMatch(routes: readonly Route[], address: string): Route | undefined {
    return routes
        .filter(({ DestinationCidrBlock }) => holds(DestinationCidrBlock, address))
        .toSorted((a, b) => prefixOf(b.DestinationCidrBlock) - prefixOf(a.DestinationCidrBlock))[0];
}

function targetOf({ GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId }: Route): string {
    return GatewayId ?? NatGatewayId ?? VpcPeeringConnectionId ?? TransitGatewayId ?? NetworkInterfaceId ?? "";
}

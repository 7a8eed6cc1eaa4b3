import { holds, prefixOf } from "../cidr.ts";
import { peerings } from "../ec2/peering/tables.ts";
import { tableOf } from "../ec2/routes/route-tables.ts";
import { routeState } from "../ec2/routes/routes.ts";
import { type NatGateway, natGateways, type Route, type Subnet, subnets } from "../ec2/tables.ts";
import { transitHop } from "../ec2/transit/routes.ts";
import { attachmentOf, peeringAttachments, vpcAttachments } from "../ec2/transit/tables.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";

/** Why a packet goes no further, `at` which thing. */
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
    at: string;
    /** What is wrong there, as the end of a sentence. */
    because: string;
}

/** A VPC somewhere. */
export interface VpcAt extends Place {
    vpcId: string;
}

/** How far routes carry a packet: the ids of all that it passes, and where it arrives or is dropped. */
export interface Journey {
    hops: string[];
    drop?: Drop;
    /** The peering that it came through: a rule may name a group across one. */
    peering?: string | undefined;
    /** The last NAT gateway that it came through, and as whose address it goes on from there. */
    nat?: { id: string; address: string } | undefined;
}

/** The subnet of a VPC that an address lies in. */
export function subnetOf(scope: Scope, vpcId: string, address: string): Readonly<Subnet> | undefined {
    return subnets
        .in(scope)
        .list()
        .find((one) => one.VpcId === vpcId && holds(one.CidrBlock, address));
}

/** Carries a packet from a subnet to `address`, which lies in `to`, or on the internet when that is undefined. */
export function travel(
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

    const route = longest(table.Routes, address);
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
        return to ? drop("internet", target, `${address} is then sought on the internet`) : { hops };
    }
    return drop("not-simulated", target, "routes to interfaces are not followed");

    /** A peering or a gateway leads into a VPC and no further: neither is transitive. */
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
        const passed = new Set<string>();
        // A peering may lead back to a gateway that was passed: such a packet goes round until its hops are used up.
        while (!passed.has(gateway)) {
            passed.add(gateway);
            const { table: gatewayTable, route: hop } = transitHop(scope, attachment, address, gateway);
            if (!gatewayTable) return drop("no-association", attachment, `${gateway} associates no route table with it`);
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
            const link = peeringAttachments.in(scope).get(attachment);
            gateway =
                [link?.RequesterTgwInfo, link?.AccepterTgwInfo].find((side) => side && side.TransitGatewayId !== gateway)
                    ?.TransitGatewayId ?? gateway;
            hops.push(gateway);
        }
        return drop("gateway-blackhole", gateway, "gateways send the packet round in a circle");
    }

    function throughNat(nat: Readonly<NatGateway> | undefined): Journey {
        const subnet = subnets.in(scope).get(nat?.SubnetId ?? "");
        if (nat?.State !== "available" || !subnet) return drop("nat-unusable", target, `its state is ${nat?.State ?? "gone"}`);
        // Its own subnet's table says how it goes on, and must not lead back to it.
        const natTable = tableOf(scope, subnet);
        if (natTable && longest(natTable.Routes, address)?.NatGatewayId)
            return drop("nat-unusable", target, "its own subnet routes to a NAT gateway");
        const rest = travel(world, { ...from, subnet, public: nat.ConnectivityType === "public" }, address, to);
        const own = { id: nat.NatGatewayId, address: nat.NatGatewayAddresses[0]?.PrivateIp ?? "" };
        return { nat: own, ...rest, hops: [...hops, ...rest.hops] };
    }
}

function longest(routes: readonly Route[], address: string): Route | undefined {
    return routes
        .filter(({ DestinationCidrBlock }) => holds(DestinationCidrBlock, address))
        .toSorted((a, b) => prefixOf(b.DestinationCidrBlock) - prefixOf(a.DestinationCidrBlock))[0];
}

function targetOf({ GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId }: Route): string {
    return GatewayId ?? NatGatewayId ?? VpcPeeringConnectionId ?? TransitGatewayId ?? NetworkInterfaceId ?? "";
}

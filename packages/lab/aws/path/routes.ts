import { holds, prefixOf } from "../cidr.ts";
import { peerings } from "../ec2/peering/tables.ts";
import { tableOf } from "../ec2/routes/route-tables.ts";
import { routeState } from "../ec2/routes/routes.ts";
import { natGateways, type Route, type Subnet, subnets } from "../ec2/tables.ts";
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

/** Where a packet starts. */
interface Start extends VpcAt {
    subnet: Readonly<Subnet>;
    /** Whether the sender has a public address. */
    public: boolean;
}

/**
 * Follows routes from a subnet to `address`.
 *
 * @param to the VPC that contains `address`; undefined: it is on the internet
 */
export function followRoutes(world: Scope, from: Start, address: string, to: VpcAt | undefined): Journey {
    return new Packet(world, from, address, to).followRoutes();
}

/** A packet on its way, and the resources that it has passed. */
class Packet {
    readonly #world: Scope;
    readonly #scope: Scope;
    readonly #from: Start;
    readonly #address: string;
    readonly #to: VpcAt | undefined;
    readonly #hops: string[];

    constructor(world: Scope, from: Start, address: string, to: VpcAt | undefined) {
        this.#world = world;
        this.#scope = world.at(from);
        this.#from = from;
        this.#address = address;
        this.#to = to;
        this.#hops = [from.subnet.SubnetId];
    }

    followRoutes(): Journey {
        const { subnet, vpcId } = this.#from;
        const table = tableOf(this.#scope, subnet);
        if (!table) return this.#drop("no-route", subnet.SubnetId, "it has no route table");
        this.#hops.push(table.RouteTableId);
        const route = longestMatch(table.Routes, this.#address);
        if (!route) return this.#drop("no-route", table.RouteTableId, `it has no route to ${this.#address}`);
        const target = targetOf(route);
        if (routeState(this.#scope, table, route) === "blackhole")
            return this.#drop(
                "blackhole",
                table.RouteTableId,
                `its route for ${route.DestinationCidrBlock} leads to ${target}, which takes no packets`,
            );
        this.#hops.push(target);

        if (route.GatewayId === "local") return this.#arrive(vpcId);
        if (route.VpcPeeringConnectionId) return this.#throughPeering(route.VpcPeeringConnectionId);
        if (route.TransitGatewayId) return this.#throughTransitGateways(route.TransitGatewayId);
        if (route.NatGatewayId) return this.#throughNatGateway(route.NatGatewayId);
        if (route.GatewayId) return this.#throughInternetGateway(route.GatewayId);
        return this.#drop("not-simulated", target, "routes to interfaces are not followed");
    }

    #drop(reason: Drop["reason"], at: string, because: string): Journey {
        return { hops: this.#hops, drop: { reason, at, because } };
    }

    /** Peerings and transit gateways are not transitive: the packet must be for this VPC. */
    #arrive(vpcId: string, peering?: string): Journey {
        if (vpcId !== this.#to?.vpcId) return this.#drop("wrong-vpc", vpcId, `${this.#address} is not one of its addresses`);
        return { hops: [...this.#hops, vpcId], peering };
    }

    #throughPeering(id: string): Journey {
        const peering = peerings.in(this.#scope).get(id);
        const far = [peering?.RequesterVpcInfo, peering?.AccepterVpcInfo].find((side) => side && side.VpcId !== this.#from.vpcId);
        return this.#arrive(far?.VpcId ?? "", id);
    }

    #throughTransitGateways(first: string): Journey {
        const { subnet, vpcId } = this.#from;
        const entry = attachmentOf(this.#scope, first, vpcId);
        const zones = entry?.SubnetIds.map((id) => subnets.in(this.#scope).get(id)?.AvailabilityZone) ?? [];
        if (!entry || !zones.includes(subnet.AvailabilityZone))
            return this.#drop("no-attachment-in-zone", first, `the VPC's attachment has no subnet in ${subnet.AvailabilityZone}`);
        let [gateway, attachment] = [first, entry.TransitGatewayAttachmentId];
        const visited = new Set<string>();
        // A peering can lead back to a gateway that the packet has visited: such a packet loops until its hop limit drops it.
        while (!visited.has(gateway)) {
            visited.add(gateway);
            const { table, route } = transitHop(this.#scope, attachment, this.#address, gateway);
            if (!table) return this.#drop("no-association", attachment, `${gateway} has no route table associated with it`);
            const tableId = table.TransitGatewayRouteTableId;
            this.#hops.push(tableId);
            if (!route) return this.#drop("no-gateway-route", tableId, `it has no route to ${this.#address}`);
            const [next] = route.TransitGatewayAttachments;
            if (route.State === "blackhole" || !next)
                return this.#drop("gateway-blackhole", tableId, `its route for ${route.DestinationCidrBlock} leads nowhere`);
            attachment = next.TransitGatewayAttachmentId;
            this.#hops.push(attachment);
            const exit = vpcAttachments.in(this.#scope).get(attachment);
            if (exit) return this.#arrive(exit.VpcId);
            const peering = peeringAttachments.in(this.#scope).get(attachment);
            gateway =
                [peering?.RequesterTgwInfo, peering?.AccepterTgwInfo].find((side) => side && side.TransitGatewayId !== gateway)
                    ?.TransitGatewayId ?? gateway;
            this.#hops.push(gateway);
        }
        return this.#drop("gateway-blackhole", gateway, "the packet loops between transit gateways");
    }

    #throughNatGateway(id: string): Journey {
        const nat = natGateways.in(this.#scope).get(id);
        const subnet = subnets.in(this.#scope).get(nat?.SubnetId ?? "");
        if (nat?.State !== "available" || !subnet) return this.#drop("nat-unusable", id, `its state is ${nat?.State ?? "deleted"}`);
        // The packet goes on by the table of the gateway's own subnet, which must not lead back to a NAT gateway.
        const table = tableOf(this.#scope, subnet);
        if (table && longestMatch(table.Routes, this.#address)?.NatGatewayId)
            return this.#drop("nat-unusable", id, "its own subnet routes to a NAT gateway");
        const start = { ...this.#from, subnet, public: nat.ConnectivityType === "public" };
        const rest = followRoutes(this.#world, start, this.#address, this.#to);
        const translation = { id: nat.NatGatewayId, address: nat.NatGatewayAddresses[0]?.PrivateIp ?? "" };
        return { nat: translation, ...rest, hops: [...this.#hops, ...rest.hops] };
    }

    #throughInternetGateway(id: string): Journey {
        if (!this.#from.public)
            return this.#drop(
                "no-public-address",
                this.#from.subnet.SubnetId,
                `${id} carries only packets of interfaces with a public address`,
            );
        if (this.#to) return this.#drop("internet", id, `${this.#address} is routed to the internet, where it does not exist`);
        return { hops: this.#hops };
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

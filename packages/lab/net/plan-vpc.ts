import { addressAt } from "../../../core/network/cidr.ts";
import { prefixOf } from "../aws/cidr.ts";
import { type Peering, peerings } from "../aws/ec2/peering/tables.ts";
import { tableOf } from "../aws/ec2/routes/route-tables.ts";
import { routeState } from "../aws/ec2/routes/routes.ts";
import { interfaces, type NetworkInterface, natGateways, type Route, type Subnet, subnets, type Vpc, vpcs } from "../aws/ec2/tables.ts";
import { attachmentOf } from "../aws/ec2/transit/tables.ts";
import type { Scope } from "../aws/scope.ts";
import { address, attachedIn, LONG_PATH_MTU, linkName, namespaceName, type Part, route, rule, tableNumber, VPC_MTU } from "./plan.ts";
import { securityGroupTable } from "./security-groups.ts";

/**
 * A VPC's router with its interfaces.
 *
 * The table `main` holds the VPC's own addresses and nothing else. Each subnet has a table of its own rather than each route table, because a transit
 * gateway takes packets only from zones that it has a subnet in; its local route hands on to `main`.
 */
export function planVpc(scope: Scope, id: string, vpc: Readonly<Vpc>): Part[] {
    const attached = attachedIn(scope, vpc.VpcId);
    const own = subnets
        .in(scope)
        .list()
        .filter(({ VpcId }) => VpcId === vpc.VpcId);
    const router = {
        name: namespaceName(id, vpc.VpcId),
        statements: [
            route("0.0.0.0/0", "blackhole"),
            ...attached.flatMap(addressesOf),
            ...own.flatMap((subnet) => [
                address(`${gatewayOf(subnet)}/32`, "lo"),
                rule(20, `from ${subnet.CidrBlock}`, tableNumber(subnet.SubnetId)),
                ...subnetRoutes(scope, subnet),
            ]),
        ],
        tables: { "security-groups": securityGroupTable(scope, vpc, attached) },
    };
    return [{ namespace: router }, ...attached.flatMap((one) => planInterface(scope, id, one))];
}

/** How packets get to an interface: to its addresses, and through it to those of its pods. */
function addressesOf({ NetworkInterfaceId, PrivateIpAddress, PrivateIpAddresses, Ipv4Prefixes }: Readonly<NetworkInterface>) {
    const link = linkName(NetworkInterfaceId);
    return [
        ...PrivateIpAddresses.map((one) => route(one.PrivateIpAddress, `dev ${link}`)),
        ...Ipv4Prefixes.map(({ Ipv4Prefix }) => route(Ipv4Prefix, `via ${PrivateIpAddress} dev ${link} onlink`)),
    ];
}

function planInterface(scope: Scope, id: string, eni: Readonly<NetworkInterface>): Part[] {
    const subnet = subnets.in(scope).get(eni.SubnetId);
    if (!subnet) return [];
    const name = namespaceName(id, eni.NetworkInterfaceId);
    const gateway = gatewayOf(subnet);
    const statements = [
        // Without a route to the subnet: its other addresses are reached through the router too, which has the security groups and the prefixes of pods.
        ...eni.PrivateIpAddresses.map((one) => address(`${one.PrivateIpAddress}/${prefixOf(subnet.CidrBlock)} noprefixroute`, "eth0")),
        route(gateway, `dev eth0 scope link src ${eni.PrivateIpAddress}`),
        route("0.0.0.0/0", `via ${gateway} dev eth0 src ${eni.PrivateIpAddress}`),
    ];
    const near = { namespace: namespaceName(id, eni.VpcId), name: linkName(eni.NetworkInterfaceId) };
    const link = { ends: [near, { namespace: name, name: "eth0", mac: eni.MacAddress }], mtu: VPC_MTU } as const;
    return [{ namespace: { name, statements }, link }];
}

/** The router's address in a subnet: its first one after the network's own. */
function gatewayOf({ CidrBlock }: Readonly<Subnet>): string {
    return addressAt(CidrBlock, 1);
}

function subnetRoutes(scope: Scope, subnet: Readonly<Subnet>) {
    const table = tableOf(scope, subnet);
    const to = (one: Readonly<Route>) => (table && routeState(scope, table, one) === "active" ? targetOf(scope, subnet, one) : undefined);
    return [
        ...(table?.Routes ?? []).map((one) => route(one.DestinationCidrBlock, to(one) ?? "blackhole", tableNumber(subnet.SubnetId))),
        route("0.0.0.0/0", "blackhole", tableNumber(subnet.SubnetId)),
    ];
}

/** Where a route of a subnet leads; undefined: nowhere. There is no internet, and routes to interfaces are not followed. */
function targetOf(scope: Scope, subnet: Readonly<Subnet>, target: Readonly<Route>): string | undefined {
    if (target.GatewayId === "local") return "throw";
    if (target.VpcPeeringConnectionId)
        return usablePeering(scope, target.VpcPeeringConnectionId) && `dev ${linkName(target.VpcPeeringConnectionId)}`;
    if (target.TransitGatewayId) {
        const attachment = attachmentOf(scope, target.TransitGatewayId, subnet.VpcId);
        const zones = attachment?.SubnetIds.map((one) => subnets.in(scope).get(one)?.AvailabilityZone) ?? [];
        return attachment && zones.includes(subnet.AvailabilityZone) ? `dev ${linkName(attachment.TransitGatewayAttachmentId)}` : undefined;
    }
    const nat = natGateways.in(scope).get(target.NatGatewayId ?? "");
    const eni = interfaces.in(scope).get(nat?.NatGatewayAddresses[0]?.NetworkInterfaceId ?? "");
    if (nat?.State !== "available" || !eni) return undefined;
    return `via ${eni.PrivateIpAddress} dev ${linkName(eni.NetworkInterfaceId)} onlink`;
}

/** An active peering, if both its VPCs are there. */
function usablePeering(scope: Scope, id: string): Readonly<Peering> | undefined {
    const peering = peerings.in(scope).get(id);
    const sides = peering ? [peering.RequesterVpcInfo, peering.AccepterVpcInfo] : [];
    const exist = sides.every(({ OwnerId, Region, VpcId }) => vpcs.in(scope.at({ account: OwnerId, region: Region })).get(VpcId));
    return peering?.Status.Code === "active" && exist ? peering : undefined;
}

/** Links between routers, one for each active peering. What comes over one may only go to the VPC's own addresses: peering is not transitive. */
export function planPeerings(world: Scope, id: string): Part[] {
    const active = peerings
        .in(world)
        .list()
        .flatMap((one) => usablePeering(world, one.VpcPeeringConnectionId) ?? []);
    return active.flatMap(({ VpcPeeringConnectionId, RequesterVpcInfo: a, AccepterVpcInfo: b }) => {
        const mtu = a.Region === b.Region ? VPC_MTU : LONG_PATH_MTU;
        return routerLink(VpcPeeringConnectionId, namespaceName(id, a.VpcId), namespaceName(id, b.VpcId), mtu).concat(
            [a, b].map(({ VpcId }) => arrivals(namespaceName(id, VpcId), VpcPeeringConnectionId)),
        );
    });
}

/** What arrives at a VPC's router by a link is for the VPC's own addresses. */
export function arrivals(router: string, resourceId: string): Part {
    return { namespace: { name: router, statements: [rule(10, `iif ${linkName(resourceId)}`, "main")] } };
}

/** A link between two routers, named after the same thing at both ends. */
export function routerLink(resourceId: string, a: string, b: string, mtu: number): Part[] {
    const name = linkName(resourceId);
    const mac = `02:${(resourceId.slice(-10).match(/../g) ?? []).join(":")}`;
    const end = (namespace: string) => ({ namespace, name, mac, withoutArp: true }) as const;
    return [{ link: { ends: [end(a), end(b)], mtu } }];
}

import { addressAt } from "../../../../core/network/cidr.ts";
import { prefixOf } from "../../aws/cidr.ts";
import { tableOf } from "../../aws/ec2/routes/route-tables.ts";
import { routeState } from "../../aws/ec2/routes/routes.ts";
import { interfaces, type NetworkInterface, natGateways, type Route, type Subnet, subnets, type Vpc } from "../../aws/ec2/tables.ts";
import { attachmentOf } from "../../aws/ec2/transit/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { usablePeering } from "./peerings.ts";
import { address, attachedIn, linkName, namespaceName, type Part, route, rule, tableNumber, VPC_MTU } from "./plan.ts";
import { securityGroupTable } from "./security-groups.ts";

/**
 * A VPC's router with its interfaces.
 *
 * The table `main` holds only the VPC's own addresses. There is one table for each subnet, not for each route table, because a transit gateway accepts packets
 * only from availability zones in which it has a subnet. A subnet's local route continues in `main`.
 */
export function planVpc(scope: Scope, id: string, vpc: Readonly<Vpc>): Part[] {
    const attached = attachedIn(scope, vpc.VpcId);
    const vpcSubnets = subnets
        .in(scope)
        .list()
        .filter(({ VpcId }) => VpcId === vpc.VpcId);
    const router = {
        name: namespaceName(id, vpc.VpcId),
        statements: [
            route("0.0.0.0/0", "blackhole"),
            ...attached.flatMap(routesToInterface),
            ...vpcSubnets.flatMap((subnet) => [
                address(`${gatewayOf(subnet)}/32`, "lo"),
                rule(20, `from ${subnet.CidrBlock}`, tableNumber(subnet.SubnetId)),
                ...subnetRoutes(scope, subnet),
            ]),
        ],
        tables: { "security-groups": securityGroupTable(scope, vpc, attached) },
    };
    return [{ namespace: router }, ...attached.flatMap((eni) => planInterface(scope, id, eni))];
}

/** Routes to an interface's addresses, and through it to those of its pods. */
function routesToInterface({ NetworkInterfaceId, PrivateIpAddress, PrivateIpAddresses, Ipv4Prefixes }: Readonly<NetworkInterface>) {
    const link = linkName(NetworkInterfaceId);
    return [
        ...PrivateIpAddresses.map(({ PrivateIpAddress }) => route(PrivateIpAddress, `dev ${link}`)),
        ...Ipv4Prefixes.map(({ Ipv4Prefix }) => route(Ipv4Prefix, `via ${PrivateIpAddress} dev ${link} onlink`)),
    ];
}

function planInterface(scope: Scope, id: string, eni: Readonly<NetworkInterface>): Part[] {
    const subnet = subnets.in(scope).get(eni.SubnetId);
    if (!subnet) return [];
    const name = namespaceName(id, eni.NetworkInterfaceId);
    const gateway = gatewayOf(subnet);
    const statements = [
        // noprefixroute: the subnet's other addresses too are reached through the router, which has the security groups and the prefixes of pods.
        ...eni.PrivateIpAddresses.map(({ PrivateIpAddress }) =>
            address(`${PrivateIpAddress}/${prefixOf(subnet.CidrBlock)} noprefixroute`, "eth0"),
        ),
        route(gateway, `dev eth0 scope link src ${eni.PrivateIpAddress}`),
        route("0.0.0.0/0", `via ${gateway} dev eth0 src ${eni.PrivateIpAddress}`),
    ];
    const routerEnd = { namespace: namespaceName(id, eni.VpcId), name: linkName(eni.NetworkInterfaceId) };
    const link = { ends: [routerEnd, { namespace: name, name: "eth0", mac: eni.MacAddress }], mtu: VPC_MTU } as const;
    return [{ namespace: { name, statements }, link }];
}

/** The router's address in a subnet: the first one after the network address. */
function gatewayOf({ CidrBlock }: Readonly<Subnet>): string {
    return addressAt(CidrBlock, 1);
}

function subnetRoutes(scope: Scope, subnet: Readonly<Subnet>) {
    const table = tableOf(scope, subnet);
    const nextHop = (candidate: Readonly<Route>) =>
        table && routeState(scope, table, candidate) === "active" ? nextHopOf(scope, subnet, candidate) : undefined;
    return [
        ...(table?.Routes ?? []).map((candidate) =>
            route(candidate.DestinationCidrBlock, nextHop(candidate) ?? "blackhole", tableNumber(subnet.SubnetId)),
        ),
        route("0.0.0.0/0", "blackhole", tableNumber(subnet.SubnetId)),
    ];
}

/**
 * The next hop of a subnet's route.
 *
 * @returns undefined when there is none: the lab has no internet, and does not support routes to interfaces
 */
function nextHopOf(scope: Scope, subnet: Readonly<Subnet>, target: Readonly<Route>): string | undefined {
    if (target.GatewayId === "local") return "throw";
    if (target.VpcPeeringConnectionId)
        return usablePeering(scope, target.VpcPeeringConnectionId) && `dev ${linkName(target.VpcPeeringConnectionId)}`;
    if (target.TransitGatewayId) {
        const attachment = attachmentOf(scope, target.TransitGatewayId, subnet.VpcId);
        const zones = attachment?.SubnetIds.map((subnetId) => subnets.in(scope).get(subnetId)?.AvailabilityZone) ?? [];
        return attachment && zones.includes(subnet.AvailabilityZone) ? `dev ${linkName(attachment.TransitGatewayAttachmentId)}` : undefined;
    }
    const nat = natGateways.in(scope).get(target.NatGatewayId ?? "");
    const eni = interfaces.in(scope).get(nat?.NatGatewayAddresses[0]?.NetworkInterfaceId ?? "");
    if (nat?.State !== "available" || !eni) return undefined;
    return `via ${eni.PrivateIpAddress} dev ${linkName(eni.NetworkInterfaceId)} onlink`;
}

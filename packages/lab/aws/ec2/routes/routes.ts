import { contains } from "../../../../../core/network/cidr.ts";
import { parseCidr } from "../../cidr.ts";
import { AwsError } from "../../error.ts";
import type { Quota, Scope } from "../../scope.ts";
import { invalidCidr, invalidValue, missing, required } from "../errors.ts";
import { peerings, peeringsOf } from "../peering/tables.ts";
import {
    cidrBlocksOf,
    interfaces,
    internetGateways,
    natGateways,
    type Route,
    type RouteTable,
    type RouteTarget,
    routeTables,
    vpcs,
} from "../tables.ts";
import { attachmentOf } from "../transit/tables.ts";

export const ROUTES_PER_TABLE: Quota = { code: "L-93826ACB", default: 500, max: 1000 };

interface RouteRequest extends RouteTarget {
    RouteTableId: string;
    DestinationCidrBlock?: string;
    DryRun?: boolean;
}

/** Whether the target of a route can take packets. Computed on every call, since AWS updates it when the target changes. */
export function routeState(scope: Scope, { VpcId }: Readonly<RouteTable>, route: Readonly<Route>): "active" | "blackhole" {
    const { GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId } = route;
    const works =
        GatewayId === "local" ||
        (GatewayId &&
            internetGateways
                .in(scope)
                .get(GatewayId)
                ?.Attachments.some((attachment) => attachment.VpcId === VpcId)) ||
        (NatGatewayId && ["pending", "available"].includes(natGateways.in(scope).get(NatGatewayId)?.State ?? "")) ||
        (VpcPeeringConnectionId && peerings.in(scope).get(VpcPeeringConnectionId)?.Status.Code === "active") ||
        (TransitGatewayId && attachmentOf(scope, TransitGatewayId, VpcId)?.State === "available") ||
        (NetworkInterfaceId && interfaces.in(scope).get(NetworkInterfaceId)?.Status === "in-use");
    return works ? "active" : "blackhole";
}

/** The actions on routes. */
export const routeActions = (scope: Scope) => {
    const rows = routeTables.in(scope);
    const need = (id: string) => rows.need(id, () => missing("routeTable", id));

    return {
        createRoute: (request: RouteRequest) => {
            const table = need(request.RouteTableId);
            const destination = destinationOf(request);
            if (table.Routes.some((route) => route.DestinationCidrBlock === destination && route.Origin === "CreateRoute"))
                throw new AwsError("RouteAlreadyExists", `The route identified by ${destination} already exists.`);
            refuseLocalDestination(scope, table, destination);
            const target = targetOf(scope, table, request);
            if (table.Routes.length >= scope.quota(ROUTES_PER_TABLE))
                throw new AwsError("RouteLimitExceeded", "The maximum number of routes has been reached.");
            rows.update(table.RouteTableId, {
                Routes: [...table.Routes, { DestinationCidrBlock: destination, ...target, Origin: "CreateRoute" }],
            });
            return { Return: true };
        },

        replaceRoute: (request: RouteRequest) => {
            const table = need(request.RouteTableId);
            const destination = destinationOf(request);
            if (!table.Routes.some((route) => route.DestinationCidrBlock === destination && route.Origin === "CreateRoute"))
                throw invalidValue(`There is no route defined for '${destination}' in the route table. Use CreateRoute instead.`);
            const target = targetOf(scope, table, request);
            rows.update(table.RouteTableId, {
                Routes: table.Routes.map((route) =>
                    route.DestinationCidrBlock === destination
                        ? { DestinationCidrBlock: destination, ...target, Origin: route.Origin }
                        : route,
                ),
            });
        },

        deleteRoute: (request: { RouteTableId: string; DestinationCidrBlock?: string }) => {
            const table = need(request.RouteTableId);
            const destination = destinationOf(request);
            const route = table.Routes.find((candidate) => candidate.DestinationCidrBlock === destination);
            if (!route)
                throw new AwsError(
                    "InvalidRoute.NotFound",
                    `no route with destination-cidr-block ${destination} in route table ${table.RouteTableId}`,
                );
            if (route.Origin === "CreateRouteTable")
                throw invalidValue(`cannot remove local route ${destination} in route table ${table.RouteTableId}`);
            rows.update(table.RouteTableId, { Routes: table.Routes.filter((other) => other !== route) });
        },
    };
};

function destinationOf({ DestinationCidrBlock }: { DestinationCidrBlock?: string }): string {
    const destination = parseCidr(DestinationCidrBlock);
    if (!destination) throw invalidCidr(DestinationCidrBlock, "destinationCidrBlock");
    return destination;
}

function refuseLocalDestination(scope: Scope, { VpcId }: Readonly<RouteTable>, destination: string): void {
    const vpc = vpcs.in(scope).get(VpcId);
    if (vpc && cidrBlocksOf(vpc).some((block) => contains(block, destination)))
        throw invalidValue(
            `The destination CIDR block ${destination} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.`,
        );
}

/**
 * Returns the target of a request.
 *
 * @throws AwsError unless there is exactly one and it belongs to the table's VPC
 */
function targetOf(scope: Scope, { RouteTableId, VpcId }: Readonly<RouteTable>, request: RouteRequest): RouteTarget {
    const { GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId } = request;
    const given = Object.entries({ GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId }).filter(
        ([, id]) => id,
    );
    const [target] = given;
    if (!target) throw required("gatewayId, natGatewayId, networkInterfaceId, transitGatewayId or vpcPeeringConnectionId");
    if (given.length > 1)
        throw new AwsError(
            "InvalidParameterCombination",
            `The parameters ${given.map(([name]) => name).join(" and ")} cannot be used together`,
        );
    const foreign = (kind: string, id: string) =>
        invalidValue(`route table ${RouteTableId} and ${kind} ${id} belong to different networks`);

    if (GatewayId) {
        const gateway = internetGateways.in(scope).need(GatewayId, () => missing("gateway", GatewayId));
        if (!gateway.Attachments.some((attachment) => attachment.VpcId === VpcId)) throw foreign("network gateway", GatewayId);
    }
    if (NatGatewayId) {
        const nat = natGateways.in(scope).get(NatGatewayId);
        if (!nat || natGateways.gone(nat))
            throw new AwsError("InvalidNatGatewayID.NotFound", `The natGateway ID '${NatGatewayId}' does not exist`);
        if (nat.VpcId !== VpcId) throw foreign("nat gateway", NatGatewayId);
    }
    if (VpcPeeringConnectionId) {
        const peering = peeringsOf(scope).find((candidate) => candidate.VpcPeeringConnectionId === VpcPeeringConnectionId);
        if (!peering || peerings.gone(peering)) throw missing("peering", VpcPeeringConnectionId);
        if (![peering.RequesterVpcInfo.VpcId, peering.AccepterVpcInfo.VpcId].includes(VpcId))
            throw foreign("vpc peering connection", VpcPeeringConnectionId);
    }
    // If the VPC is not attached to a transit gateway, AWS reports that the gateway does not exist, even to its owner.
    if (TransitGatewayId && attachmentOf(scope, TransitGatewayId, VpcId)?.State !== "available")
        throw new AwsError("InvalidTransitGatewayID.NotFound", `The transitGateway ID '${TransitGatewayId}' does not exist.`);
    if (NetworkInterfaceId) {
        const eni = interfaces.in(scope).need(NetworkInterfaceId, () => missing("interface", NetworkInterfaceId));
        if (eni.VpcId !== VpcId) throw foreign("interface", NetworkInterfaceId);
    }
    return Object.fromEntries([target]);
}

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

export interface RouteRequest extends RouteTarget {
    RouteTableId: string;
    DestinationCidrBlock?: string;
    DryRun?: boolean;
}

/** Whether what a route leads to takes packets: decided at each look, since AWS changes it when the target changes. */
export function routeState(scope: Scope, { VpcId }: Readonly<RouteTable>, route: Readonly<Route>): "active" | "blackhole" {
    const { GatewayId, NatGatewayId, VpcPeeringConnectionId, TransitGatewayId, NetworkInterfaceId } = route;
    const works =
        GatewayId === "local" ||
        (GatewayId &&
            internetGateways
                .in(scope)
                .get(GatewayId)
                ?.Attachments.some((one) => one.VpcId === VpcId)) ||
        (NatGatewayId && ["pending", "available"].includes(natGateways.in(scope).get(NatGatewayId)?.State ?? "")) ||
        (VpcPeeringConnectionId && peerings.in(scope).get(VpcPeeringConnectionId)?.Status.Code === "active") ||
        (TransitGatewayId && attachmentOf(scope, TransitGatewayId, VpcId)?.State === "available") ||
        (NetworkInterfaceId && interfaces.in(scope).get(NetworkInterfaceId)?.Status === "in-use");
    return works ? "active" : "blackhole";
}

/** Routes of route tables. */
export const routeActions = (scope: Scope) => {
    const rows = routeTables.in(scope);
    const need = (id: string) => rows.need(id, () => missing("routeTable", id));

    return {
        createRoute: (request: RouteRequest) => {
            const table = need(request.RouteTableId);
            const destination = destinationOf(request);
            if (table.Routes.some((one) => one.DestinationCidrBlock === destination && one.Origin === "CreateRoute"))
                throw new AwsError("RouteAlreadyExists", `The route identified by ${destination} already exists.`);
            refuseLocal(scope, table, destination);
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
            if (!table.Routes.some((one) => one.DestinationCidrBlock === destination && one.Origin === "CreateRoute"))
                throw invalidValue(`There is no route defined for '${destination}' in the route table. Use CreateRoute instead.`);
            const target = targetOf(scope, table, request);
            rows.update(table.RouteTableId, {
                Routes: table.Routes.map((one) =>
                    one.DestinationCidrBlock === destination ? { DestinationCidrBlock: destination, ...target, Origin: one.Origin } : one,
                ),
            });
        },

        deleteRoute: (request: { RouteTableId: string; DestinationCidrBlock?: string }) => {
            const table = need(request.RouteTableId);
            const destination = destinationOf(request);
            const route = table.Routes.find((one) => one.DestinationCidrBlock === destination);
            if (!route)
                throw new AwsError(
                    "InvalidRoute.NotFound",
                    `no route with destination-cidr-block ${destination} in route table ${table.RouteTableId}`,
                );
            if (route.Origin === "CreateRouteTable")
                throw invalidValue(`cannot remove local route ${destination} in route table ${table.RouteTableId}`);
            rows.update(table.RouteTableId, { Routes: table.Routes.filter((one) => one !== route) });
        },
    };
};

function destinationOf({ DestinationCidrBlock }: { DestinationCidrBlock?: string }): string {
    const destination = parseCidr(DestinationCidrBlock);
    if (!destination) throw invalidCidr(DestinationCidrBlock, "destinationCidrBlock");
    return destination;
}

function refuseLocal(scope: Scope, { VpcId }: Readonly<RouteTable>, destination: string): void {
    const vpc = vpcs.in(scope).get(VpcId);
    if (vpc && cidrBlocksOf(vpc).some((block) => contains(block, destination)))
        throw invalidValue(
            `The destination CIDR block ${destination} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.`,
        );
}

/** The one target of a request, if it belongs to the table's VPC. */
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
        if (!gateway.Attachments.some((one) => one.VpcId === VpcId)) throw foreign("network gateway", GatewayId);
    }
    if (NatGatewayId) {
        const nat = natGateways.in(scope).get(NatGatewayId);
        if (!nat || natGateways.gone(nat))
            throw new AwsError("InvalidNatGatewayID.NotFound", `The natGateway ID '${NatGatewayId}' does not exist`);
        if (nat.VpcId !== VpcId) throw foreign("nat gateway", NatGatewayId);
    }
    if (VpcPeeringConnectionId) {
        const peering = peeringsOf(scope).find((one) => one.VpcPeeringConnectionId === VpcPeeringConnectionId);
        if (!peering || peerings.gone(peering)) throw missing("peering", VpcPeeringConnectionId);
        if (![peering.RequesterVpcInfo.VpcId, peering.AccepterVpcInfo.VpcId].includes(VpcId))
            throw foreign("vpc peering connection", VpcPeeringConnectionId);
    }
    // AWS calls a gateway that the VPC is not attached to unknown, even where the caller owns it.
    if (TransitGatewayId && attachmentOf(scope, TransitGatewayId, VpcId)?.State !== "available")
        throw new AwsError("InvalidTransitGatewayID.NotFound", `The transitGateway ID '${TransitGatewayId}' does not exist.`);
    if (NetworkInterfaceId) {
        const eni = interfaces.in(scope).need(NetworkInterfaceId, () => missing("interface", NetworkInterfaceId));
        if (eni.VpcId !== VpcId) throw foreign("interface", NetworkInterfaceId);
    }
    return Object.fromEntries([target]);
}

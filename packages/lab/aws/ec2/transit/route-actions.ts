import { parseCidr } from "../../cidr.ts";
import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Scope } from "../../scope.ts";
import { invalidCidr } from "../errors.ts";
import { needAvailableAttachment, needTransitTable, transitRoutes } from "./routes.ts";
import { transitRouteTables } from "./tables.ts";

/** The actions on routes of transit gateways. */
export const transitRouteActions = (scope: Scope) => {
    const rows = transitRouteTables.in(scope);

    return {
        createTransitGatewayRoute: (request: {
            TransitGatewayRouteTableId: string;
            DestinationCidrBlock: string;
            TransitGatewayAttachmentId?: string;
            Blackhole?: boolean;
        }) => {
            const table = needTransitTable(scope, request.TransitGatewayRouteTableId);
            const DestinationCidrBlock = parseCidr(request.DestinationCidrBlock);
            if (!DestinationCidrBlock) throw invalidCidr(request.DestinationCidrBlock, "destinationCidrBlock");
            if (table.routes.some((route) => route.DestinationCidrBlock === DestinationCidrBlock))
                throw new AwsError(
                    "RouteAlreadyExists",
                    `Route ${DestinationCidrBlock} already exists in Transit Gateway Route Table ${table.TransitGatewayRouteTableId}`,
                );
            const attachmentId = request.Blackhole ? undefined : request.TransitGatewayAttachmentId;
            if (!request.Blackhole) needAvailableAttachment(scope, table, attachmentId ?? "");
            const changed = rows.update(table.TransitGatewayRouteTableId, {
                routes: [...table.routes, { DestinationCidrBlock, attachmentId }],
            });
            return { Route: transitRoutes(scope, changed).find((route) => route.DestinationCidrBlock === DestinationCidrBlock) };
        },

        deleteTransitGatewayRoute: (request: { TransitGatewayRouteTableId: string; DestinationCidrBlock: string }) => {
            const table = needTransitTable(scope, request.TransitGatewayRouteTableId);
            const kept = table.routes.filter((route) => route.DestinationCidrBlock !== request.DestinationCidrBlock);
            if (kept.length === table.routes.length)
                throw new AwsError(
                    "InvalidRoute.NotFound",
                    `Static route ${request.DestinationCidrBlock} was not found in route table ${table.TransitGatewayRouteTableId}.`,
                );
            rows.update(table.TransitGatewayRouteTableId, { routes: kept });
            return { Route: { DestinationCidrBlock: request.DestinationCidrBlock, Type: "static", State: "deleted" } };
        },

        searchTransitGatewayRoutes: (request: { TransitGatewayRouteTableId: string; Filters: Filter[] }) => {
            const table = needTransitTable(scope, request.TransitGatewayRouteTableId);
            const Routes = filtered(transitRoutes(scope, table), request.Filters, {
                type: ({ Type }) => Type,
                state: ({ State }) => State,
                "route-search.exact-match": ({ DestinationCidrBlock }) => DestinationCidrBlock,
                "attachment.transit-gateway-attachment-id": (route) =>
                    route.TransitGatewayAttachments.map((attachment) => attachment.TransitGatewayAttachmentId),
                "attachment.resource-id": (route) => route.TransitGatewayAttachments.map((attachment) => attachment.ResourceId),
            });
            return { Routes, AdditionalRoutesAvailable: false };
        },
    };
};

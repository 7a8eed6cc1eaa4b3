import { parseCidr } from "../../cidr.ts";
import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Scope } from "../../scope.ts";
import { invalidCidr, missing } from "../errors.ts";
import { shown } from "../tables.ts";
import { forgetTags, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { makeTransitTable, transitRoutes } from "./routes.ts";
import {
    invalidState,
    peeringAttachments,
    type TransitRouteTable,
    transitGateways,
    transitRouteTables,
    usableGateway,
    vpcAttachments,
} from "./tables.ts";

/** The actions on route tables of transit gateways and on their routes. */
export const transitRouteTableActions = (scope: Scope) => {
    const rows = transitRouteTables.in(scope);
    const visible = () =>
        rows.list().filter(({ TransitGatewayId }) => {
            const gateway = transitGateways.in(scope).get(TransitGatewayId);
            return gateway?.OwnerId === scope.account && gateway.region === scope.region;
        });
    const need = (id: string) => {
        const row = visible().find((table) => table.TransitGatewayRouteTableId === id);
        if (!row) throw missing("transitGatewayRouteTable", id);
        return row;
    };
    const show = (row: Readonly<TransitRouteTable>) => shown(row, tagsOf(scope, row.TransitGatewayRouteTableId));
    /** Describes the resource of an attachment. Throws unless it is an available attachment of the table's gateway. */
    const needAvailable = (table: Readonly<TransitRouteTable>, id: string) => {
        const vpc = vpcAttachments.in(scope).get(id);
        const peering = peeringAttachments.in(scope).get(id);
        const gateways = [vpc?.TransitGatewayId, peering?.RequesterTgwInfo.TransitGatewayId, peering?.AccepterTgwInfo.TransitGatewayId];
        const found = vpc ?? peering;
        if (!found || !gateways.includes(table.TransitGatewayId)) throw missing("transitGatewayAttachment", id);
        if (found.State !== "available") throw invalidState(id);
        return {
            ResourceId: vpc?.VpcId ?? gateways.find((gateway) => gateway !== undefined && gateway !== table.TransitGatewayId) ?? "",
            ResourceType: vpc ? "vpc" : "peering",
        };
    };
    interface Pair {
        TransitGatewayRouteTableId: string;
        TransitGatewayAttachmentId: string;
    }

    return {
        createTransitGatewayRouteTable: (request: { TransitGatewayId: string; TagSpecifications?: TagSpecification[] }) => {
            usableGateway(scope, request.TransitGatewayId);
            const made = makeTransitTable(scope, request.TransitGatewayId);
            tagNew(scope, "transit-gateway-route-table", made.TransitGatewayRouteTableId, request.TagSpecifications);
            return { TransitGatewayRouteTable: show(made) };
        },

        describeTransitGatewayRouteTables: (request: { TransitGatewayRouteTableIds?: string[]; Filters?: Filter[] } = {}) => ({
            TransitGatewayRouteTables: filtered((request.TransitGatewayRouteTableIds?.map(need) ?? visible()).map(show), request.Filters, {
                "transit-gateway-id": (table) => table.TransitGatewayId,
                "transit-gateway-route-table-id": (table) => table.TransitGatewayRouteTableId,
                "default-association-route-table": (table) => table.DefaultAssociationRouteTable,
                state: (table) => table.State,
            }),
        }),

        deleteTransitGatewayRouteTable: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => {
            const table = need(id);
            if (table.associations.length > 0)
                throw new AwsError("IncorrectState", `Cannot delete Transit Gateway Route Table ${id}: it has associated attachments`);
            rows.delete(id);
            forgetTags(scope, id);
            return { TransitGatewayRouteTable: show({ ...table, State: "deleting" }) };
        },

        associateTransitGatewayRouteTable: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = need(id);
            const resource = needAvailable(table, attachment);
            if (visible().some((other) => other.TransitGatewayId === table.TransitGatewayId && other.associations.includes(attachment)))
                throw new AwsError(
                    "Resource.AlreadyAssociated",
                    `Transit Gateway Attachment ${attachment} is already associated to a route table.`,
                );
            rows.update(id, { associations: [...table.associations, attachment] });
            return {
                Association: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, ...resource, State: "associating" },
            };
        },

        disassociateTransitGatewayRouteTable: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = need(id);
            if (!table.associations.includes(attachment)) throw missing("association", attachment);
            rows.update(id, { associations: table.associations.filter((associated) => associated !== attachment) });
            return { Association: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "disassociating" } };
        },

        getTransitGatewayRouteTableAssociations: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => ({
            Associations: need(id).associations.map((TransitGatewayAttachmentId) => ({ TransitGatewayAttachmentId, State: "associated" })),
        }),

        enableTransitGatewayRouteTablePropagation: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = need(id);
            needAvailable(table, attachment);
            if (table.propagations.includes(attachment))
                throw new AwsError(
                    "TransitGatewayRouteTablePropagation.Duplicate",
                    `Propagation already exists between ${attachment} and ${id}`,
                );
            rows.update(id, { propagations: [...table.propagations, attachment] });
            return { Propagation: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "enabled" } };
        },

        disableTransitGatewayRouteTablePropagation: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = need(id);
            rows.update(id, { propagations: table.propagations.filter((propagating) => propagating !== attachment) });
            return { Propagation: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "disabled" } };
        },

        getTransitGatewayRouteTablePropagations: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => ({
            TransitGatewayRouteTablePropagations: need(id).propagations.map((TransitGatewayAttachmentId) => ({
                TransitGatewayAttachmentId,
                State: "enabled",
            })),
        }),

        createTransitGatewayRoute: (request: {
            TransitGatewayRouteTableId: string;
            DestinationCidrBlock: string;
            TransitGatewayAttachmentId?: string;
            Blackhole?: boolean;
        }) => {
            const table = need(request.TransitGatewayRouteTableId);
            const DestinationCidrBlock = parseCidr(request.DestinationCidrBlock);
            if (!DestinationCidrBlock) throw invalidCidr(request.DestinationCidrBlock, "destinationCidrBlock");
            if (table.routes.some((route) => route.DestinationCidrBlock === DestinationCidrBlock))
                throw new AwsError(
                    "RouteAlreadyExists",
                    `Route ${DestinationCidrBlock} already exists in Transit Gateway Route Table ${table.TransitGatewayRouteTableId}`,
                );
            const attachmentId = request.Blackhole ? undefined : request.TransitGatewayAttachmentId;
            if (!request.Blackhole) needAvailable(table, attachmentId ?? "");
            const changed = rows.update(table.TransitGatewayRouteTableId, {
                routes: [...table.routes, { DestinationCidrBlock, attachmentId }],
            });
            return { Route: transitRoutes(scope, changed).find((route) => route.DestinationCidrBlock === DestinationCidrBlock) };
        },

        deleteTransitGatewayRoute: (request: { TransitGatewayRouteTableId: string; DestinationCidrBlock: string }) => {
            const table = need(request.TransitGatewayRouteTableId);
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
            const table = need(request.TransitGatewayRouteTableId);
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

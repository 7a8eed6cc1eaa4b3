import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { shown } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { createTransitTable, needAvailableAttachment, needTransitTable, transitTablesOf } from "./routes.ts";
import { type TransitRouteTable, transitRouteTables, usableGateway } from "./tables.ts";

/** The actions on route tables of transit gateways, their associations and propagations. */
export const transitRouteTableActions = (scope: Scope) => {
    const rows = transitRouteTables.in(scope);
    const show = (row: Readonly<TransitRouteTable>) => shown(row, tagsOf(scope, row.TransitGatewayRouteTableId));
    interface Pair {
        TransitGatewayRouteTableId: string;
        TransitGatewayAttachmentId: string;
    }

    return {
        createTransitGatewayRouteTable: (request: { TransitGatewayId: string; TagSpecifications?: TagSpecification[] }) => {
            usableGateway(scope, request.TransitGatewayId);
            const created = createTransitTable(scope, request.TransitGatewayId);
            tagNew(scope, "transit-gateway-route-table", created.TransitGatewayRouteTableId, request.TagSpecifications);
            return { TransitGatewayRouteTable: show(created) };
        },

        describeTransitGatewayRouteTables: (request: { TransitGatewayRouteTableIds?: string[]; Filters?: Filter[] } = {}) => ({
            TransitGatewayRouteTables: filtered(
                (request.TransitGatewayRouteTableIds?.map((id) => needTransitTable(scope, id)) ?? transitTablesOf(scope)).map(show),
                request.Filters,
                {
                    "transit-gateway-id": (table) => table.TransitGatewayId,
                    "transit-gateway-route-table-id": (table) => table.TransitGatewayRouteTableId,
                    "default-association-route-table": (table) => table.DefaultAssociationRouteTable,
                    state: (table) => table.State,
                },
            ),
        }),

        deleteTransitGatewayRouteTable: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => {
            const table = needTransitTable(scope, id);
            if (table.associations.length > 0)
                throw new AwsError("IncorrectState", `Cannot delete Transit Gateway Route Table ${id}: it has associated attachments`);
            rows.delete(id);
            deleteTagsOf(scope, id);
            return { TransitGatewayRouteTable: show({ ...table, State: "deleting" }) };
        },

        associateTransitGatewayRouteTable: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = needTransitTable(scope, id);
            const resource = needAvailableAttachment(scope, table, attachment);
            if (
                transitTablesOf(scope).some(
                    (other) => other.TransitGatewayId === table.TransitGatewayId && other.associations.includes(attachment),
                )
            )
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
            const table = needTransitTable(scope, id);
            if (!table.associations.includes(attachment)) throw missing("association", attachment);
            rows.update(id, { associations: table.associations.filter((associated) => associated !== attachment) });
            return { Association: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "disassociating" } };
        },

        getTransitGatewayRouteTableAssociations: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => ({
            Associations: needTransitTable(scope, id).associations.map((TransitGatewayAttachmentId) => ({
                TransitGatewayAttachmentId,
                State: "associated",
            })),
        }),

        enableTransitGatewayRouteTablePropagation: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = needTransitTable(scope, id);
            needAvailableAttachment(scope, table, attachment);
            if (table.propagations.includes(attachment))
                throw new AwsError(
                    "TransitGatewayRouteTablePropagation.Duplicate",
                    `Propagation already exists between ${attachment} and ${id}`,
                );
            rows.update(id, { propagations: [...table.propagations, attachment] });
            return { Propagation: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "enabled" } };
        },

        disableTransitGatewayRouteTablePropagation: ({ TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment }: Pair) => {
            const table = needTransitTable(scope, id);
            rows.update(id, { propagations: table.propagations.filter((propagating) => propagating !== attachment) });
            return { Propagation: { TransitGatewayRouteTableId: id, TransitGatewayAttachmentId: attachment, State: "disabled" } };
        },

        getTransitGatewayRouteTablePropagations: ({ TransitGatewayRouteTableId: id }: { TransitGatewayRouteTableId: string }) => ({
            TransitGatewayRouteTablePropagations: needTransitTable(scope, id).propagations.map((TransitGatewayAttachmentId) => ({
                TransitGatewayAttachmentId,
                State: "enabled",
            })),
        }),
    };
};

import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { shown } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { createTransitTable } from "./routes.ts";
import {
    FORGET_DELETED,
    gatewaysOf,
    invalidState,
    peeringAttachments,
    type TransitGateway,
    transitGateways,
    transitRouteTables,
    vpcAttachments,
} from "./tables.ts";

export const TRANSIT_GATEWAYS: Quota = { code: "L-A2478D36", default: 5 };

/** The actions on transit gateways. */
export const transitGatewayActions = (scope: Scope) => {
    const rows = transitGateways.in(scope);
    const need = (id: string) => {
        const row = gatewaysOf(scope).find((gateway) => gateway.TransitGatewayId === id);
        if (!row) throw missing("transitGateway", id);
        return row;
    };
    const own = (id: string) => {
        const row = need(id);
        if (row.OwnerId !== scope.account || row.State === "deleted") throw missing("transitGateway", id);
        return row;
    };
    const show = (row: Readonly<TransitGateway>) => shown(row, tagsOf(scope, row.TransitGatewayId));

    return {
        createTransitGateway: (
            request: { Description?: string; Options?: Partial<TransitGateway["Options"]>; TagSpecifications?: TagSpecification[] } = {},
        ) => {
            const existing = rows
                .list()
                .filter(
                    (gateway) => gateway.OwnerId === scope.account && gateway.region === scope.region && !transitGateways.gone(gateway),
                );
            if (existing.length >= scope.quota(TRANSIT_GATEWAYS))
                throw new AwsError(
                    "TransitGatewayLimitExceeded",
                    "You've reached the limit on the number of transit gateways for your account.",
                );
            const TransitGatewayId = scope.id("tgw");
            const CreationTime = scope.now.toISOString();
            const Options: TransitGateway["Options"] = {
                AmazonSideAsn: 64512,
                AutoAcceptSharedAttachments: "disable",
                DefaultRouteTableAssociation: "enable",
                DefaultRouteTablePropagation: "enable",
                DnsSupport: "enable",
                MulticastSupport: "disable",
                SecurityGroupReferencingSupport: "disable",
                VpnEcmpSupport: "enable",
                ...request.Options,
            };
            const byDefault = {
                DefaultAssociationRouteTable: Options.DefaultRouteTableAssociation === "enable",
                DefaultPropagationRouteTable: Options.DefaultRouteTablePropagation === "enable",
            };
            if (byDefault.DefaultAssociationRouteTable || byDefault.DefaultPropagationRouteTable) {
                const { TransitGatewayRouteTableId: id } = createTransitTable(scope, TransitGatewayId, byDefault);
                if (byDefault.DefaultAssociationRouteTable) Options.AssociationDefaultRouteTableId = id;
                if (byDefault.DefaultPropagationRouteTable) Options.PropagationDefaultRouteTableId = id;
            }
            const created = rows.put(TransitGatewayId, {
                TransitGatewayId,
                TransitGatewayArn: scope.arn("ec2", `transit-gateway/${TransitGatewayId}`),
                State: "pending",
                OwnerId: scope.account,
                Description: request.Description ?? "",
                CreationTime,
                Options,
                region: scope.region,
            });
            scope.schedule(transitGateways, TransitGatewayId, [{ after: 120_000, set: { State: "available" } }]);
            tagNew(scope, "transit-gateway", TransitGatewayId, request.TagSpecifications);
            return { TransitGateway: show(created) };
        },

        describeTransitGateways: ({ TransitGatewayIds, Filters }: { TransitGatewayIds?: string[]; Filters?: Filter[] } = {}) => ({
            TransitGateways: filtered((TransitGatewayIds?.map(need) ?? gatewaysOf(scope)).map(show), Filters, {
                "transit-gateway-id": (gateway) => gateway.TransitGatewayId,
                state: (gateway) => gateway.State,
                "owner-id": (gateway) => gateway.OwnerId,
            }),
        }),

        modifyTransitGateway: (request: {
            TransitGatewayId: string;
            Description?: string;
            Options?: Partial<TransitGateway["Options"]>;
        }) => {
            const { State, Description, Options, TransitGatewayId } = own(request.TransitGatewayId);
            if (State !== "available") throw invalidState(TransitGatewayId);
            const changed = rows.update(TransitGatewayId, {
                Description: request.Description ?? Description,
                Options: { ...Options, ...request.Options },
            });
            return { TransitGateway: show(changed) };
        },

        deleteTransitGateway: ({ TransitGatewayId: id }: { TransitGatewayId: string }) => {
            own(id);
            const attachments = vpcAttachments
                .in(scope)
                .list()
                .filter((attachment) => attachment.TransitGatewayId === id && !vpcAttachments.gone(attachment));
            refuseIfAny(
                "VPC",
                attachments.map((attachment) => attachment.TransitGatewayAttachmentId),
            );
            const peerings = peeringAttachments
                .in(scope)
                .list()
                .filter(
                    (attachment) =>
                        [attachment.RequesterTgwInfo, attachment.AccepterTgwInfo].some((side) => side.TransitGatewayId === id) &&
                        !peeringAttachments.gone(attachment),
                );
            refuseIfAny(
                "Transit Gateway Cross Region Peering",
                peerings.map((attachment) => attachment.TransitGatewayAttachmentId),
            );
            scope.schedule(transitGateways, id, [{ after: 60_000, set: { State: "deleted" } }, FORGET_DELETED]);
            for (const table of transitRouteTables.in(scope).list())
                if (table.TransitGatewayId === id)
                    scope.schedule(transitRouteTables, table.TransitGatewayRouteTableId, [{ after: 60_000, set: null }]);
            deleteTagsOf(scope, id);
            return { TransitGateway: show(rows.update(id, { State: "deleting" })) };

            function refuseIfAny(kind: string, ids: string[]) {
                if (ids.length > 0) throw new AwsError("IncorrectState", `${id} has non-deleted ${kind} Attachments: ${ids.join(", ")}.`);
            }
        },
    };
};

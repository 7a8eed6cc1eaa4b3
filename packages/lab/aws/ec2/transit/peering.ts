import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { shown } from "../tables.ts";
import { type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { addToDefaultTables, removeFromTables } from "./routes.ts";
import { FORGET_DELETED, invalidState, type PeeringAttachment, peeringAttachments, transitGateways, usableGateway } from "./tables.ts";

const status = (Code: string) => ({ Code, Message: Code });

/** The actions on peerings of transit gateways. */
export const transitPeeringActions = (scope: Scope) => {
    const rows = peeringAttachments.in(scope);
    const isHere = (side: { OwnerId: string; Region: string }) => side.OwnerId === scope.account && side.Region === scope.region;
    const visible = () => rows.list().filter((attachment) => isHere(attachment.RequesterTgwInfo) || isHere(attachment.AccepterTgwInfo));
    const need = (id: string) => {
        const row = visible().find((attachment) => attachment.TransitGatewayAttachmentId === id);
        if (!row) throw missing("transitGatewayAttachment", id);
        return row;
    };
    const show = (row: Readonly<PeeringAttachment>) => shown(row, tagsOf(scope, row.TransitGatewayAttachmentId));

    return {
        createTransitGatewayPeeringAttachment: (request: {
            TransitGatewayId: string;
            PeerTransitGatewayId: string;
            PeerAccountId: string;
            PeerRegion: string;
            TagSpecifications?: TagSpecification[];
        }) => {
            usableGateway(scope, request.TransitGatewayId);
            const peer = transitGateways.in(scope).get(request.PeerTransitGatewayId);
            if (peer?.OwnerId !== request.PeerAccountId || peer.region !== request.PeerRegion || transitGateways.gone(peer))
                throw missing("transitGateway", request.PeerTransitGatewayId);
            const ends = [request.TransitGatewayId, request.PeerTransitGatewayId];
            const same = rows
                .list()
                .some(
                    (attachment) =>
                        !peeringAttachments.gone(attachment) &&
                        [attachment.RequesterTgwInfo, attachment.AccepterTgwInfo].every((side) => ends.includes(side.TransitGatewayId)),
                );
            if (same)
                throw new AwsError(
                    "DuplicateTransitGatewayAttachment",
                    `${request.TransitGatewayId} has non-deleted Transit Gateway Peering Attachments with ${request.PeerTransitGatewayId}.`,
                );
            const id = scope.id("tgw-attach");
            const created = rows.put(id, {
                TransitGatewayAttachmentId: id,
                RequesterTgwInfo: { TransitGatewayId: request.TransitGatewayId, OwnerId: scope.account, Region: scope.region },
                AccepterTgwInfo: {
                    TransitGatewayId: request.PeerTransitGatewayId,
                    OwnerId: request.PeerAccountId,
                    Region: request.PeerRegion,
                },
                State: "initiatingRequest",
                Status: status("initiatingRequest"),
                CreationTime: scope.now.toISOString(),
            });
            scope.schedule(peeringAttachments, id, [
                { after: 10_000, set: { State: "pendingAcceptance", Status: status("pendingAcceptance") } },
            ]);
            tagNew(scope, "transit-gateway-attachment", id, request.TagSpecifications);
            return { TransitGatewayPeeringAttachment: show(created) };
        },

        acceptTransitGatewayPeeringAttachment: ({ TransitGatewayAttachmentId: id }: { TransitGatewayAttachmentId: string }) => {
            const row = need(id);
            if (!isHere(row.AccepterTgwInfo))
                throw new AwsError("InvalidParameterValue", `Cannot accept ${id} as the source of the peering request.`);
            if (row.State !== "pendingAcceptance") throw invalidState(id);
            for (const side of [row.RequesterTgwInfo, row.AccepterTgwInfo]) addToDefaultTables(scope, id, side.TransitGatewayId, false);
            scope.schedule(peeringAttachments, id, [{ after: 60_000, set: { State: "available", Status: status("available") } }]);
            return { TransitGatewayPeeringAttachment: show(rows.update(id, { State: "pending", Status: status("pending") })) };
        },

        describeTransitGatewayPeeringAttachments: (request: { TransitGatewayAttachmentIds?: string[]; Filters?: Filter[] } = {}) => ({
            TransitGatewayPeeringAttachments: filtered(
                (request.TransitGatewayAttachmentIds?.map(need) ?? visible()).map(show),
                request.Filters,
                {
                    "transit-gateway-attachment-id": (attachment) => attachment.TransitGatewayAttachmentId,
                    "local-owner-id": () => scope.account,
                    "transit-gateway-id": ({ RequesterTgwInfo, AccepterTgwInfo }) => [
                        RequesterTgwInfo.TransitGatewayId,
                        AccepterTgwInfo.TransitGatewayId,
                    ],
                    state: (attachment) => attachment.State,
                },
            ),
        }),

        deleteTransitGatewayPeeringAttachment: ({ TransitGatewayAttachmentId: id }: { TransitGatewayAttachmentId: string }) => {
            if (!["available", "pendingAcceptance", "initiatingRequest"].includes(need(id).State)) throw invalidState(id);
            removeFromTables(scope, id);
            scope.schedule(peeringAttachments, id, [
                { after: 60_000, set: { State: "deleted", Status: status("deleted") } },
                FORGET_DELETED,
            ]);
            return { TransitGatewayPeeringAttachment: show(rows.update(id, { State: "deleting", Status: status("deleting") })) };
        },
    };
};

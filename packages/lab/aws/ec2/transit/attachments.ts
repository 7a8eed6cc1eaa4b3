import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { createInterface } from "../interfaces.ts";
import { interfaces, shown, subnets, vpcs } from "../tables.ts";
import { type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { addToDefaultTables, removeFromTables } from "./routes.ts";
import { FORGET_DELETED, invalidState, transitGateways, usableGateway, type VpcAttachment, vpcAttachments } from "./tables.ts";

/** The actions on attachments of VPCs to transit gateways. */
export const vpcAttachmentActions = (scope: Scope) => {
    const rows = vpcAttachments.in(scope);
    const isOwner = (row: Readonly<VpcAttachment>) => transitGateways.in(scope).get(row.TransitGatewayId)?.OwnerId === scope.account;
    const visible = () =>
        rows
            .list()
            .filter((attachment) => attachment.region === scope.region && (attachment.VpcOwnerId === scope.account || isOwner(attachment)));
    const need = (id: string) => {
        const row = visible().find((attachment) => attachment.TransitGatewayAttachmentId === id);
        if (!row) throw missing("transitGatewayAttachment", id);
        return row;
    };
    const show = (row: Readonly<VpcAttachment>) => shown(row, tagsOf(scope, row.TransitGatewayAttachmentId));

    return {
        createTransitGatewayVpcAttachment: (request: {
            TransitGatewayId: string;
            VpcId: string;
            SubnetIds: string[];
            Options?: Partial<VpcAttachment["Options"]>;
            TagSpecifications?: TagSpecification[];
        }) => {
            const { TransitGatewayId, VpcId, SubnetIds } = request;
            const gateway = usableGateway(scope, TransitGatewayId);
            vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            const attachedSubnets = SubnetIds.map((id) => subnets.in(scope).need(id, () => missing("subnet", id)));
            const foreign = attachedSubnets.find((subnet) => subnet.VpcId !== VpcId);
            if (foreign) throw missing("subnet", foreign.SubnetId);
            if (new Set(attachedSubnets.map(({ AvailabilityZone }) => AvailabilityZone)).size < attachedSubnets.length)
                throw new AwsError("DuplicateSubnetsInSameZone", "Duplicate Subnets for same AZ");
            if (
                rows
                    .list()
                    .some(
                        (attachment) =>
                            attachment.TransitGatewayId === TransitGatewayId &&
                            attachment.VpcId === VpcId &&
                            !vpcAttachments.gone(attachment),
                    )
            )
                throw new AwsError(
                    "DuplicateTransitGatewayAttachment",
                    `${TransitGatewayId} has non-deleted Transit Gateway Attachments with same VPC ID.`,
                );
            const id = scope.id("tgw-attach");
            const interfaceIds = SubnetIds.map((SubnetId) => createTransitInterface(scope, SubnetId, id));
            const accepted = gateway.OwnerId === scope.account || gateway.Options.AutoAcceptSharedAttachments === "enable";
            const created = rows.put(id, {
                TransitGatewayAttachmentId: id,
                TransitGatewayId,
                VpcId,
                VpcOwnerId: scope.account,
                State: accepted ? "pending" : "pendingAcceptance",
                SubnetIds,
                CreationTime: scope.now.toISOString(),
                Options: {
                    DnsSupport: "enable",
                    SecurityGroupReferencingSupport: "enable",
                    Ipv6Support: "disable",
                    ApplianceModeSupport: "disable",
                    ...request.Options,
                },
                region: scope.region,
                interfaceIds,
            });
            tagNew(scope, "transit-gateway-attachment", id, request.TagSpecifications);
            if (accepted) activate(scope, created);
            return { TransitGatewayVpcAttachment: show(created) };
        },

        acceptTransitGatewayVpcAttachment: ({ TransitGatewayAttachmentId: id }: { TransitGatewayAttachmentId: string }) => {
            const row = need(id);
            if (!isOwner(row)) throw new AwsError("OperationNotPermitted", `User ${scope.account} cannot accept attachment ${id}`);
            if (row.State !== "pendingAcceptance") throw invalidState(id);
            activate(scope, row);
            return { TransitGatewayVpcAttachment: show(rows.update(id, { State: "pending" })) };
        },

        describeTransitGatewayVpcAttachments: (request: { TransitGatewayAttachmentIds?: string[]; Filters?: Filter[] } = {}) => ({
            TransitGatewayVpcAttachments: filtered(
                (request.TransitGatewayAttachmentIds?.map(need) ?? visible()).map(show),
                request.Filters,
                {
                    "transit-gateway-attachment-id": (attachment) => attachment.TransitGatewayAttachmentId,
                    "transit-gateway-id": (attachment) => attachment.TransitGatewayId,
                    "vpc-id": (attachment) => attachment.VpcId,
                    state: (attachment) => attachment.State,
                },
            ),
        }),

        modifyTransitGatewayVpcAttachment: (request: {
            TransitGatewayAttachmentId: string;
            AddSubnetIds?: string[];
            RemoveSubnetIds?: string[];
            Options?: Partial<VpcAttachment["Options"]>;
        }) => {
            const { TransitGatewayAttachmentId: id, AddSubnetIds = [], RemoveSubnetIds = [] } = request;
            const row = need(id);
            if (row.State !== "available") throw invalidState(id);
            const removed = row.interfaceIds.filter((eni) => RemoveSubnetIds.includes(interfaces.in(scope).get(eni)?.SubnetId ?? ""));
            for (const eni of removed) interfaces.in(scope).delete(eni);
            const changed = rows.update(id, {
                SubnetIds: [...row.SubnetIds.filter((subnetId) => !RemoveSubnetIds.includes(subnetId)), ...AddSubnetIds],
                interfaceIds: [
                    ...row.interfaceIds.filter((eni) => !removed.includes(eni)),
                    ...AddSubnetIds.map((subnet) => createTransitInterface(scope, subnet, id)),
                ],
                Options: { ...row.Options, ...request.Options },
            });
            return { TransitGatewayVpcAttachment: show(changed) };
        },

        /** The interfaces stay in the subnets until the attachment is deleted. */
        deleteTransitGatewayVpcAttachment: ({ TransitGatewayAttachmentId: id }: { TransitGatewayAttachmentId: string }) => {
            const row = need(id);
            if (!["available", "pendingAcceptance"].includes(row.State)) throw invalidState(id);
            removeFromTables(scope, id);
            scope.schedule(vpcAttachments, id, [{ after: 60_000, set: { State: "deleted" } }, FORGET_DELETED]);
            const owner = scope.at({ account: row.VpcOwnerId, region: row.region });
            for (const eni of row.interfaceIds) owner.schedule(interfaces, eni, [{ after: 60_000, set: null }]);
            return { TransitGatewayVpcAttachment: show(rows.update(id, { State: "deleting" })) };
        },
    };
};

function createTransitInterface(scope: Scope, SubnetId: string, attachmentId: string): string {
    const Description = `Network Interface for Transit Gateway Attachment ${attachmentId}`;
    return createInterface(scope, { SubnetId, Description, InterfaceType: "transit_gateway", RequesterId: "amazon-transit-gateway" })
        .NetworkInterfaceId;
}

function activate(scope: Scope, { TransitGatewayAttachmentId: id, TransitGatewayId }: Readonly<VpcAttachment>): void {
    addToDefaultTables(scope, id, TransitGatewayId, true);
    scope.schedule(vpcAttachments, id, [{ after: 60_000, set: { State: "available" } }]);
}

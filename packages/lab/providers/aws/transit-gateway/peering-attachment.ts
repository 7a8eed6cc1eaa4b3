import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "../ec2/tags.ts";
import { deleteAttachment, ENDING, ready } from "./attachment-state.ts";

async function findPeering({ api }: Context, id: string) {
    const { TransitGatewayPeeringAttachments } = await api.ec2.describeTransitGatewayPeeringAttachments({
        TransitGatewayAttachmentIds: [id],
    });
    return TransitGatewayPeeringAttachments[0];
}

function removePeering(context: Context, id: string): Promise<void> {
    return deleteAttachment(context, id, findPeering, () =>
        context.api.ec2.deleteTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId: id }),
    );
}

export const peeringAttachment: ResourceDefinition<
    Plain<aws.ec2transitgateway.PeeringAttachmentArgs>,
    Plain<aws.ec2transitgateway.PeeringAttachmentState>
> = {
    noun: "EC2 Transit Gateway Peering Attachment",
    forceNew: ["transitGatewayId", "peerTransitGatewayId", "peerRegion", "peerAccountId"],
    computed: ["arn", "peerAccountId", "state"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) => {
            const { TransitGatewayPeeringAttachments } = await context.api.ec2.describeTransitGatewayPeeringAttachments({
                Filters: markFilter(context),
            });
            return TransitGatewayPeeringAttachments.filter(({ State }) => !ENDING.includes(State)).map(
                ({ TransitGatewayAttachmentId }) => TransitGatewayAttachmentId,
            );
        },
    },
    create: async (context, inputs) => {
        const { TransitGatewayPeeringAttachment } = await context.api.ec2.createTransitGatewayPeeringAttachment({
            TransitGatewayId: inputs.transitGatewayId,
            PeerTransitGatewayId: inputs.peerTransitGatewayId,
            PeerAccountId: inputs.peerAccountId ?? context.account,
            PeerRegion: inputs.peerRegion,
            ...tagSpecifications(context, "transit-gateway-attachment"),
        });
        return TransitGatewayPeeringAttachment.TransitGatewayAttachmentId;
    },
    reconcile: (context, id) => ready(context, id, findPeering, ["pendingAcceptance", "available"]),
    read: async (context, id) => {
        const found = await findPeering(context, id);
        if (!found || ENDING.includes(found.State)) return undefined;
        return {
            arn: ec2Arn(context, `transit-gateway-attachment/${id}`),
            state: found.State,
            transitGatewayId: found.RequesterTgwInfo.TransitGatewayId,
            peerTransitGatewayId: found.AccepterTgwInfo.TransitGatewayId,
            peerAccountId: found.AccepterTgwInfo.OwnerId,
            peerRegion: found.AccepterTgwInfo.Region,
            tags: tagMap(found.Tags),
        };
    },
    delete: removePeering,
};

/** The accepter's side of a transit gateway peering. Either side may delete the attachment. */
export const peeringAttachmentAccepter: ResourceDefinition<
    Plain<aws.ec2transitgateway.PeeringAttachmentAccepterArgs>,
    Plain<aws.ec2transitgateway.PeeringAttachmentAccepterState>
> = {
    noun: "EC2 Transit Gateway Peering Attachment Accepter",
    forceNew: ["transitGatewayAttachmentId"],
    computed: ["peerAccountId", "peerRegion", "peerTransitGatewayId", "transitGatewayId"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    create: async (context, { transitGatewayAttachmentId: id }) => {
        await ready(context, id, findPeering, ["pendingAcceptance", "pending", "available"]);
        if ((await findPeering(context, id))?.State === "pendingAcceptance")
            await context.api.ec2.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId: id });
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    reconcile: (context, id) => ready(context, id, findPeering, ["available"]),
    read: async (context, id) => {
        const found = await findPeering(context, id);
        if (!found || ENDING.includes(found.State)) return undefined;
        return {
            transitGatewayAttachmentId: id,
            // From the accepter's point of view the requester is the peer.
            transitGatewayId: found.AccepterTgwInfo.TransitGatewayId,
            peerTransitGatewayId: found.RequesterTgwInfo.TransitGatewayId,
            peerAccountId: found.RequesterTgwInfo.OwnerId,
            peerRegion: found.RequesterTgwInfo.Region,
            tags: tagMap(found.Tags),
        };
    },
    delete: removePeering,
};

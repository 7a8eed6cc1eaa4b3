import type * as aws from "@pulumi/aws";
import { awaited, type Context, type Kind, type Plain, untilGone } from "../kind.ts";
import { byMark, ec2Arn, ec2Tagging, tagged, tagMap } from "./common.ts";

type Switch = "enable" | "disable";
const OVER = ["deleted", "failed", "rejected"];
const ENDING = [...OVER, "deleting"];
const PENDING = ["initiatingRequest", "pending", "modifying"];

async function findVpc({ api }: Context, id: string) {
    const { TransitGatewayVpcAttachments } = await api.ec2.describeTransitGatewayVpcAttachments({ TransitGatewayAttachmentIds: [id] });
    return TransitGatewayVpcAttachments[0];
}

async function findPeering({ api }: Context, id: string) {
    const { TransitGatewayPeeringAttachments } = await api.ec2.describeTransitGatewayPeeringAttachments({
        TransitGatewayAttachmentIds: [id],
    });
    return TransitGatewayPeeringAttachments[0];
}

type Find = (context: Context, id: string) => Promise<{ State: string } | undefined>;

function ready(context: Context, id: string, find: Find, wanted: readonly string[]): Promise<void> {
    return context.until(`EC2 Transit Gateway Attachment (${id})`, wanted[0] ?? "", async () =>
        awaited((await find(context, id))?.State, wanted, [...PENDING, "pendingAcceptance"]),
    );
}

/** Both sides may delete an attachment: whoever comes second finds it going or gone. */
async function end(context: Context, id: string, find: Find, remove: () => Promise<unknown>): Promise<void> {
    const state = (await find(context, id))?.State;
    if (state !== undefined && !ENDING.includes(state)) await remove();
    await untilGone(context, `EC2 Transit Gateway Attachment (${id})`, OVER, async () => (await find(context, id))?.State);
}

function removeVpc(context: Context, id: string): Promise<void> {
    return end(context, id, findVpc, () => context.api.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id }));
}

function removePeering(context: Context, id: string): Promise<void> {
    return end(context, id, findPeering, () => context.api.ec2.deleteTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId: id }));
}

async function readVpc(context: Context, id: string) {
    const found = await findVpc(context, id);
    if (!found || ENDING.includes(found.State)) return undefined;
    return {
        transitGatewayId: found.TransitGatewayId,
        vpcId: found.VpcId,
        vpcOwnerId: found.VpcOwnerId,
        subnetIds: found.SubnetIds,
        dnsSupport: found.Options.DnsSupport,
        ipv6Support: found.Options.Ipv6Support,
        applianceModeSupport: found.Options.ApplianceModeSupport,
        securityGroupReferencingSupport: found.Options.SecurityGroupReferencingSupport,
        tags: tagMap(found.Tags),
    };
}

export const vpcAttachment: Kind<Plain<aws.ec2transitgateway.VpcAttachmentArgs>, Plain<aws.ec2transitgateway.VpcAttachmentState>> = {
    noun: "EC2 Transit Gateway VPC Attachment",
    forceNew: ["transitGatewayId", "vpcId"],
    defaults: { dnsSupport: "enable", ipv6Support: "disable", applianceModeSupport: "disable" },
    unreadable: ["transitGatewayDefaultRouteTableAssociation", "transitGatewayDefaultRouteTablePropagation"],
    computed: ["arn", "vpcOwnerId", "securityGroupReferencingSupport"],
    tagging: ec2Tagging,
    minutes: 10,
    find: {
        marked: async (context) => {
            const { TransitGatewayVpcAttachments } = await context.api.ec2.describeTransitGatewayVpcAttachments({
                Filters: byMark(context),
            });
            return TransitGatewayVpcAttachments.filter(({ State }) => !ENDING.includes(State)).map((one) => one.TransitGatewayAttachmentId);
        },
    },
    make: async (context, inputs) => {
        const { TransitGatewayVpcAttachment } = await context.api.ec2.createTransitGatewayVpcAttachment({
            TransitGatewayId: inputs.transitGatewayId,
            VpcId: inputs.vpcId,
            SubnetIds: inputs.subnetIds,
            Options: {
                DnsSupport: inputs.dnsSupport as Switch,
                Ipv6Support: inputs.ipv6Support as Switch,
                ApplianceModeSupport: inputs.applianceModeSupport as Switch,
                ...(inputs.securityGroupReferencingSupport && {
                    SecurityGroupReferencingSupport: inputs.securityGroupReferencingSupport as Switch,
                }),
            },
            ...tagged(context, "transit-gateway-attachment"),
        });
        return TransitGatewayVpcAttachment.TransitGatewayAttachmentId;
    },
    // A gateway of another account has to accept it first: its accepter waits on.
    settle: (context, id) => ready(context, id, findVpc, ["available", "pendingAcceptance"]),
    read: async (context, id) => {
        const state = await readVpc(context, id);
        return state && { arn: ec2Arn(context, `transit-gateway-attachment/${id}`), ...state };
    },
    update: async ({ api }, id, { inputs, olds }) => {
        const had = olds.subnetIds ?? [];
        await api.ec2.modifyTransitGatewayVpcAttachment({
            TransitGatewayAttachmentId: id,
            AddSubnetIds: inputs.subnetIds.filter((one) => !had.includes(one)),
            RemoveSubnetIds: had.filter((one) => !inputs.subnetIds.includes(one)),
            Options: {
                DnsSupport: inputs.dnsSupport as Switch,
                Ipv6Support: inputs.ipv6Support as Switch,
                ApplianceModeSupport: inputs.applianceModeSupport as Switch,
            },
        });
    },
    remove: removeVpc,
};

/** The gateway's side of an attachment that another account has asked for. */
export const vpcAttachmentAccepter: Kind<
    Plain<aws.ec2transitgateway.VpcAttachmentAccepterArgs>,
    Plain<aws.ec2transitgateway.VpcAttachmentAccepterState>
> = {
    noun: "EC2 Transit Gateway VPC Attachment Accepter",
    forceNew: ["transitGatewayAttachmentId"],
    defaults: { transitGatewayDefaultRouteTableAssociation: true, transitGatewayDefaultRouteTablePropagation: true },
    unreadable: ["transitGatewayDefaultRouteTableAssociation", "transitGatewayDefaultRouteTablePropagation"],
    computed: [
        "applianceModeSupport",
        "dnsSupport",
        "ipv6Support",
        "securityGroupReferencingSupport",
        "subnetIds",
        "transitGatewayId",
        "vpcId",
        "vpcOwnerId",
    ],
    tagging: ec2Tagging,
    minutes: 10,
    make: async (context, { transitGatewayAttachmentId: id }) => {
        const found = await findVpc(context, id);
        if (found?.State === "pendingAcceptance")
            await context.api.ec2.acceptTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id });
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    settle: (context, id) => ready(context, id, findVpc, ["available"]),
    read: async (context, id) => {
        const state = await readVpc(context, id);
        return state && { transitGatewayAttachmentId: id, ...state };
    },
    remove: removeVpc,
};

export const peeringAttachment: Kind<
    Plain<aws.ec2transitgateway.PeeringAttachmentArgs>,
    Plain<aws.ec2transitgateway.PeeringAttachmentState>
> = {
    noun: "EC2 Transit Gateway Peering Attachment",
    forceNew: ["transitGatewayId", "peerTransitGatewayId", "peerRegion", "peerAccountId"],
    computed: ["arn", "peerAccountId", "state"],
    tagging: ec2Tagging,
    minutes: 10,
    find: {
        marked: async (context) => {
            const { TransitGatewayPeeringAttachments } = await context.api.ec2.describeTransitGatewayPeeringAttachments({
                Filters: byMark(context),
            });
            return TransitGatewayPeeringAttachments.filter(({ State }) => !ENDING.includes(State)).map(
                (one) => one.TransitGatewayAttachmentId,
            );
        },
    },
    make: async (context, inputs) => {
        const { TransitGatewayPeeringAttachment } = await context.api.ec2.createTransitGatewayPeeringAttachment({
            TransitGatewayId: inputs.transitGatewayId,
            PeerTransitGatewayId: inputs.peerTransitGatewayId,
            PeerAccountId: inputs.peerAccountId ?? context.account,
            PeerRegion: inputs.peerRegion,
            ...tagged(context, "transit-gateway-attachment"),
        });
        return TransitGatewayPeeringAttachment.TransitGatewayAttachmentId;
    },
    settle: (context, id) => ready(context, id, findPeering, ["pendingAcceptance", "available"]),
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
    remove: removePeering,
};

/** The other side of a peering of gateways. Each side deletes the attachment. */
export const peeringAttachmentAccepter: Kind<
    Plain<aws.ec2transitgateway.PeeringAttachmentAccepterArgs>,
    Plain<aws.ec2transitgateway.PeeringAttachmentAccepterState>
> = {
    noun: "EC2 Transit Gateway Peering Attachment Accepter",
    forceNew: ["transitGatewayAttachmentId"],
    computed: ["peerAccountId", "peerRegion", "peerTransitGatewayId", "transitGatewayId"],
    tagging: ec2Tagging,
    minutes: 10,
    make: async (context, { transitGatewayAttachmentId: id }) => {
        await ready(context, id, findPeering, ["pendingAcceptance", "pending", "available"]);
        if ((await findPeering(context, id))?.State === "pendingAcceptance")
            await context.api.ec2.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId: id });
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    settle: (context, id) => ready(context, id, findPeering, ["available"]),
    read: async (context, id) => {
        const found = await findPeering(context, id);
        if (!found || ENDING.includes(found.State)) return undefined;
        return {
            transitGatewayAttachmentId: id,
            // Seen from the accepter: the peer is who asked.
            transitGatewayId: found.AccepterTgwInfo.TransitGatewayId,
            peerTransitGatewayId: found.RequesterTgwInfo.TransitGatewayId,
            peerAccountId: found.RequesterTgwInfo.OwnerId,
            peerRegion: found.RequesterTgwInfo.Region,
            tags: tagMap(found.Tags),
        };
    },
    remove: removePeering,
};

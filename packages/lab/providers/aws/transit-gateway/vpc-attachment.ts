import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "../ec2/tags.ts";
import { deleteAttachment, ENDING, ready, type Switch } from "./attachment-state.ts";

async function findVpc({ api }: Context, id: string) {
    const { TransitGatewayVpcAttachments } = await api.ec2.describeTransitGatewayVpcAttachments({ TransitGatewayAttachmentIds: [id] });
    return TransitGatewayVpcAttachments[0];
}

function removeVpc(context: Context, id: string): Promise<void> {
    return deleteAttachment(context, id, findVpc, () =>
        context.api.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id }),
    );
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

export const vpcAttachment: ResourceDefinition<
    Plain<aws.ec2transitgateway.VpcAttachmentArgs>,
    Plain<aws.ec2transitgateway.VpcAttachmentState>
> = {
    noun: "EC2 Transit Gateway VPC Attachment",
    forceNew: ["transitGatewayId", "vpcId"],
    defaults: { dnsSupport: "enable", ipv6Support: "disable", applianceModeSupport: "disable" },
    unreadable: ["transitGatewayDefaultRouteTableAssociation", "transitGatewayDefaultRouteTablePropagation"],
    computed: ["arn", "vpcOwnerId", "securityGroupReferencingSupport"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) => {
            const { TransitGatewayVpcAttachments } = await context.api.ec2.describeTransitGatewayVpcAttachments({
                Filters: markFilter(context),
            });
            return TransitGatewayVpcAttachments.filter(({ State }) => !ENDING.includes(State)).map(
                ({ TransitGatewayAttachmentId }) => TransitGatewayAttachmentId,
            );
        },
    },
    create: async (context, inputs) => {
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
            ...tagSpecifications(context, "transit-gateway-attachment"),
        });
        return TransitGatewayVpcAttachment.TransitGatewayAttachmentId;
    },
    // If another account owns the gateway, it must accept the attachment first. Its accepter resource waits for "available".
    reconcile: (context, id) => ready(context, id, findVpc, ["available", "pendingAcceptance"]),
    read: async (context, id) => {
        const state = await readVpc(context, id);
        return state && { arn: ec2Arn(context, `transit-gateway-attachment/${id}`), ...state };
    },
    update: async ({ api }, id, { inputs, olds }) => {
        const oldSubnetIds = olds.subnetIds ?? [];
        await api.ec2.modifyTransitGatewayVpcAttachment({
            TransitGatewayAttachmentId: id,
            AddSubnetIds: inputs.subnetIds.filter((subnetId) => !oldSubnetIds.includes(subnetId)),
            RemoveSubnetIds: oldSubnetIds.filter((subnetId) => !inputs.subnetIds.includes(subnetId)),
            Options: {
                DnsSupport: inputs.dnsSupport as Switch,
                Ipv6Support: inputs.ipv6Support as Switch,
                ApplianceModeSupport: inputs.applianceModeSupport as Switch,
            },
        });
    },
    delete: removeVpc,
};

/** The gateway owner's side of an attachment that another account requested. */
export const vpcAttachmentAccepter: ResourceDefinition<
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
    timeoutMinutes: 10,
    create: async (context, { transitGatewayAttachmentId: id }) => {
        const found = await findVpc(context, id);
        if (found?.State === "pendingAcceptance")
            await context.api.ec2.acceptTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id });
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    reconcile: (context, id) => ready(context, id, findVpc, ["available"]),
    read: async (context, id) => {
        const state = await readVpc(context, id);
        return state && { transitGatewayAttachmentId: id, ...state };
    },
    delete: removeVpc,
};

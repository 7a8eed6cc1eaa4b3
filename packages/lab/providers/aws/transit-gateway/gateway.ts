import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition, waitForDeletion } from "../definition.ts";
import { ec2Tagging, markFilter, tagMap, tagSpecifications } from "../ec2/tags.ts";
import type { Switch } from "./attachment-state.ts";

type GatewayArgs = Plain<aws.ec2transitgateway.TransitGatewayArgs>;

async function findGateway({ api }: Context, id: string) {
    return (await api.ec2.describeTransitGateways({ TransitGatewayIds: [id] })).TransitGateways[0];
}

function gatewayOptions(inputs: GatewayArgs) {
    const options = {
        AutoAcceptSharedAttachments: inputs.autoAcceptSharedAttachments as Switch | undefined,
        DefaultRouteTableAssociation: inputs.defaultRouteTableAssociation as Switch | undefined,
        DefaultRouteTablePropagation: inputs.defaultRouteTablePropagation as Switch | undefined,
        DnsSupport: inputs.dnsSupport as Switch | undefined,
        MulticastSupport: inputs.multicastSupport as Switch | undefined,
        SecurityGroupReferencingSupport: inputs.securityGroupReferencingSupport as Switch | undefined,
        VpnEcmpSupport: inputs.vpnEcmpSupport as Switch | undefined,
        AmazonSideAsn: inputs.amazonSideAsn === undefined ? undefined : Number(inputs.amazonSideAsn),
    };
    return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function gatewayReady(context: Context, id: string): Promise<void> {
    return context.waitFor(`EC2 Transit Gateway (${id})`, "available", async () =>
        pendingState((await findGateway(context, id))?.State, ["available"], ["pending", "modifying"]),
    );
}

export const transitGateway: ResourceDefinition<GatewayArgs, Plain<aws.ec2transitgateway.TransitGatewayState>> = {
    noun: "EC2 Transit Gateway",
    forceNew: ["amazonSideAsn", "multicastSupport", "defaultRouteTableAssociation", "defaultRouteTablePropagation"],
    defaults: {
        autoAcceptSharedAttachments: "disable",
        defaultRouteTableAssociation: "enable",
        defaultRouteTablePropagation: "enable",
        dnsSupport: "enable",
        multicastSupport: "disable",
        securityGroupReferencingSupport: "disable",
        vpnEcmpSupport: "enable",
    },
    computed: ["arn", "associationDefaultRouteTableId", "ownerId", "propagationDefaultRouteTableId", "amazonSideAsn"],
    tagging: ec2Tagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) => {
            const { TransitGateways } = await context.api.ec2.describeTransitGateways({ Filters: markFilter(context) });
            return TransitGateways.filter(({ State }) => !State.startsWith("delet")).map(({ TransitGatewayId }) => TransitGatewayId);
        },
    },
    create: async (context, inputs) => {
        const { TransitGateway } = await context.api.ec2.createTransitGateway({
            Description: inputs.description,
            Options: gatewayOptions(inputs),
            ...tagSpecifications(context, "transit-gateway"),
        });
        return TransitGateway.TransitGatewayId;
    },
    reconcile: gatewayReady,
    read: async (context, id) => {
        const found = await findGateway(context, id);
        if (!found || found.State.startsWith("delet")) return undefined;
        const { Options } = found;
        return {
            arn: found.TransitGatewayArn,
            ownerId: found.OwnerId,
            description: found.Description || undefined,
            amazonSideAsn: Options.AmazonSideAsn,
            associationDefaultRouteTableId: Options.AssociationDefaultRouteTableId,
            propagationDefaultRouteTableId: Options.PropagationDefaultRouteTableId,
            autoAcceptSharedAttachments: Options.AutoAcceptSharedAttachments,
            defaultRouteTableAssociation: Options.DefaultRouteTableAssociation,
            defaultRouteTablePropagation: Options.DefaultRouteTablePropagation,
            dnsSupport: Options.DnsSupport,
            multicastSupport: Options.MulticastSupport,
            securityGroupReferencingSupport: Options.SecurityGroupReferencingSupport,
            vpnEcmpSupport: Options.VpnEcmpSupport,
            tags: tagMap(found.Tags),
        };
    },
    update: async (context, id, { inputs }) => {
        await gatewayReady(context, id);
        const { AmazonSideAsn: _, ...Options } = gatewayOptions(inputs);
        await context.api.ec2.modifyTransitGateway({ TransitGatewayId: id, Description: inputs.description ?? "", Options });
    },
    delete: async (context, id) => {
        if ((await findGateway(context, id))?.State === "available") await context.api.ec2.deleteTransitGateway({ TransitGatewayId: id });
        await waitForDeletion(context, `EC2 Transit Gateway (${id})`, ["deleted"], async () => (await findGateway(context, id))?.State);
    },
};

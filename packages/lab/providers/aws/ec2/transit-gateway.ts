import type * as aws from "@pulumi/aws";
import { awaited, type Context, type Kind, type Plain, untilGone } from "../kind.ts";
import { byMark, ec2Tagging, tagged, tagMap } from "./common.ts";

type Switch = "enable" | "disable";
type GatewayArgs = Plain<aws.ec2transitgateway.TransitGatewayArgs>;

async function findGateway({ api }: Context, id: string) {
    return (await api.ec2.describeTransitGateways({ TransitGatewayIds: [id] })).TransitGateways[0];
}

function gatewayOptions(inputs: GatewayArgs) {
    const given = {
        AutoAcceptSharedAttachments: inputs.autoAcceptSharedAttachments as Switch | undefined,
        DefaultRouteTableAssociation: inputs.defaultRouteTableAssociation as Switch | undefined,
        DefaultRouteTablePropagation: inputs.defaultRouteTablePropagation as Switch | undefined,
        DnsSupport: inputs.dnsSupport as Switch | undefined,
        MulticastSupport: inputs.multicastSupport as Switch | undefined,
        SecurityGroupReferencingSupport: inputs.securityGroupReferencingSupport as Switch | undefined,
        VpnEcmpSupport: inputs.vpnEcmpSupport as Switch | undefined,
        AmazonSideAsn: inputs.amazonSideAsn === undefined ? undefined : Number(inputs.amazonSideAsn),
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function gatewayReady(context: Context, id: string): Promise<void> {
    return context.until(`EC2 Transit Gateway (${id})`, "available", async () =>
        awaited((await findGateway(context, id))?.State, ["available"], ["pending", "modifying"]),
    );
}

export const transitGateway: Kind<GatewayArgs, Plain<aws.ec2transitgateway.TransitGatewayState>> = {
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
    minutes: 10,
    find: {
        marked: async (context) => {
            const { TransitGateways } = await context.api.ec2.describeTransitGateways({ Filters: byMark(context) });
            return TransitGateways.filter(({ State }) => !State.startsWith("delet")).map((one) => one.TransitGatewayId);
        },
    },
    make: async (context, inputs) => {
        const { TransitGateway } = await context.api.ec2.createTransitGateway({
            Description: inputs.description,
            Options: gatewayOptions(inputs),
            ...tagged(context, "transit-gateway"),
        });
        return TransitGateway.TransitGatewayId;
    },
    settle: gatewayReady,
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
    remove: async (context, id) => {
        if ((await findGateway(context, id))?.State === "available") await context.api.ec2.deleteTransitGateway({ TransitGatewayId: id });
        await untilGone(context, `EC2 Transit Gateway (${id})`, ["deleted"], async () => (await findGateway(context, id))?.State);
    },
};

type RouteArgs = Plain<aws.ec2transitgateway.RouteArgs>;
type RouteState = Plain<aws.ec2transitgateway.RouteState>;

async function findRoute({ api }: Context, { transitGatewayRouteTableId = "", destinationCidrBlock = "" }: RouteState) {
    const { Routes } = await api.ec2.searchTransitGatewayRoutes({
        TransitGatewayRouteTableId: transitGatewayRouteTableId,
        Filters: [
            { Name: "type", Values: ["static"] },
            { Name: "route-search.exact-match", Values: [destinationCidrBlock] },
        ],
    });
    return Routes[0];
}

function routeId({ transitGatewayRouteTableId, destinationCidrBlock }: RouteArgs): string {
    return `${transitGatewayRouteTableId}_${destinationCidrBlock}`;
}

/** A static route of a gateway's table. */
export const transitGatewayRoute: Kind<RouteArgs, RouteState> = {
    noun: "EC2 Transit Gateway Route",
    forceNew: ["transitGatewayRouteTableId", "destinationCidrBlock", "transitGatewayAttachmentId", "blackhole"],
    defaults: { blackhole: false },
    computed: [],
    find: { same: async (context, inputs) => ((await findRoute(context, inputs)) ? [routeId(inputs)] : []) },
    make: async ({ api }, inputs) => {
        await api.ec2.createTransitGatewayRoute({
            TransitGatewayRouteTableId: inputs.transitGatewayRouteTableId,
            DestinationCidrBlock: inputs.destinationCidrBlock,
            TransitGatewayAttachmentId: inputs.transitGatewayAttachmentId,
            Blackhole: inputs.blackhole,
        });
        return routeId(inputs);
    },
    read: async (context, _id, olds) => {
        const found = await findRoute(context, olds);
        if (!found) return undefined;
        const attachment = found.TransitGatewayAttachments[0]?.TransitGatewayAttachmentId;
        return {
            transitGatewayRouteTableId: olds.transitGatewayRouteTableId,
            destinationCidrBlock: found.DestinationCidrBlock,
            transitGatewayAttachmentId: attachment,
            // A route whose attachment is gone is a black hole too, but was not asked for as one.
            blackhole: olds.blackhole && attachment === undefined,
        };
    },
    remove: async ({ api }, _id, olds) => {
        await api.ec2.deleteTransitGatewayRoute({
            TransitGatewayRouteTableId: olds.transitGatewayRouteTableId ?? "",
            DestinationCidrBlock: olds.destinationCidrBlock ?? "",
        });
    },
};

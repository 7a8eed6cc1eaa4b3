import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";

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

/** A static route in a transit gateway's route table. */
export const transitGatewayRoute: ResourceDefinition<RouteArgs, RouteState> = {
    noun: "EC2 Transit Gateway Route",
    forceNew: ["transitGatewayRouteTableId", "destinationCidrBlock", "transitGatewayAttachmentId", "blackhole"],
    defaults: { blackhole: false },
    computed: [],
    find: { byKey: async (context, inputs) => ((await findRoute(context, inputs)) ? [routeId(inputs)] : []) },
    create: async ({ api }, inputs) => {
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
            // A route whose attachment was deleted is a blackhole too, but the program did not request one.
            blackhole: olds.blackhole && attachment === undefined,
        };
    },
    delete: async ({ api }, _id, olds) => {
        await api.ec2.deleteTransitGatewayRoute({
            TransitGatewayRouteTableId: olds.transitGatewayRouteTableId ?? "",
            DestinationCidrBlock: olds.destinationCidrBlock ?? "",
        });
    },
};

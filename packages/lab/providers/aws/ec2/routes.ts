import { createHash } from "node:crypto";
import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

/** Routes are separate resources: inline routes are read but never changed. */
export const routeTable: ResourceDefinition<Plain<aws.ec2.RouteTableArgs>, Plain<aws.ec2.RouteTableState>> = {
    noun: "EC2 Route Table",
    forceNew: ["vpcId"],
    computed: ["arn", "ownerId", "propagatingVgws", "routes"],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeRouteTables({ Filters: markFilter(context) })).RouteTables.map(
                ({ RouteTableId }) => RouteTableId,
            ),
    },
    create: async (context, { vpcId }) => {
        const { RouteTable } = await context.api.ec2.createRouteTable({ VpcId: vpcId, ...tagSpecifications(context, "route-table") });
        return RouteTable.RouteTableId;
    },
    read: async (context, id) => {
        const { RouteTables } = await context.api.ec2.describeRouteTables({ RouteTableIds: [id] });
        const [found] = RouteTables;
        return (
            found && {
                arn: ec2Arn(context, `route-table/${id}`, found.OwnerId),
                ownerId: found.OwnerId,
                vpcId: found.VpcId,
                propagatingVgws: [],
                routes: found.Routes.filter(({ Origin }) => Origin === "CreateRoute").map((route) => ({
                    cidrBlock: route.DestinationCidrBlock,
                    gatewayId: route.GatewayId ?? "",
                    natGatewayId: route.NatGatewayId ?? "",
                    transitGatewayId: route.TransitGatewayId ?? "",
                    vpcPeeringConnectionId: route.VpcPeeringConnectionId ?? "",
                    networkInterfaceId: route.NetworkInterfaceId ?? "",
                })),
                tags: tagMap(found.Tags),
            }
        );
    },
    delete: ({ api }, id) => api.ec2.deleteRouteTable({ RouteTableId: id }),
};

type RouteArgs = Plain<aws.ec2.RouteArgs>;

export const route: ResourceDefinition<RouteArgs, Plain<aws.ec2.RouteState>> = {
    noun: "Route",
    forceNew: ["routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"],
    computed: ["instanceId", "instanceOwnerId", "origin", "state"],
    find: {
        byKey: async (context, inputs) => ((await findRoute(context, inputs)) ? [routeId(inputs)] : []),
    },
    create: async ({ api }, inputs) => {
        await api.ec2.createRoute({ ...destination(inputs), ...target(inputs) });
        return routeId(inputs);
    },
    read: async (context, _id, olds) => {
        const found = await findRoute(context, olds);
        return (
            found && {
                routeTableId: olds.routeTableId,
                destinationCidrBlock: found.DestinationCidrBlock,
                gatewayId: found.GatewayId,
                natGatewayId: found.NatGatewayId,
                vpcPeeringConnectionId: found.VpcPeeringConnectionId,
                transitGatewayId: found.TransitGatewayId,
                networkInterfaceId: found.NetworkInterfaceId,
                origin: found.Origin,
                state: found.State,
            }
        );
    },
    update: ({ api }, _id, { inputs }) => api.ec2.replaceRoute({ ...destination(inputs), ...target(inputs) }),
    delete: ({ api }, _id, olds) => api.ec2.deleteRoute(destination(olds)),
};

type Destination = Pick<Plain<aws.ec2.RouteState>, "routeTableId" | "destinationCidrBlock">;

function destination({ routeTableId = "", destinationCidrBlock }: Destination) {
    return { RouteTableId: routeTableId, DestinationCidrBlock: destinationCidrBlock };
}

function target({ gatewayId, natGatewayId, vpcPeeringConnectionId, transitGatewayId, networkInterfaceId }: RouteArgs) {
    return {
        GatewayId: gatewayId,
        NatGatewayId: natGatewayId,
        VpcPeeringConnectionId: vpcPeeringConnectionId,
        TransitGatewayId: transitGatewayId,
        NetworkInterfaceId: networkInterfaceId,
    };
}

async function findRoute({ api }: Context, { routeTableId = "", destinationCidrBlock }: Destination) {
    const { RouteTables } = await api.ec2.describeRouteTables({ RouteTableIds: [routeTableId] });
    return RouteTables[0]?.Routes.find((route) => route.DestinationCidrBlock === destinationCidrBlock && route.Origin === "CreateRoute");
}

/** The real provider uses Terraform's hash of the destination; any hash works here. */
function routeId({ routeTableId = "", destinationCidrBlock = "" }: Destination): string {
    const hash = createHash("sha256").update(destinationCidrBlock).digest().readUInt32BE(0);
    return `r-${routeTableId}${hash}`;
}

export const routeTableAssociation: ResourceDefinition<
    Plain<aws.ec2.RouteTableAssociationArgs>,
    Plain<aws.ec2.RouteTableAssociationState>
> = {
    noun: "EC2 Route Table Association",
    forceNew: ["subnetId", "gatewayId", "routeTableId"],
    // A subnet has at most one route table association.
    deleteBeforeReplace: true,
    computed: [],
    find: {
        byKey: async (context, { subnetId = "", routeTableId }) =>
            (await associations(context, "association.subnet-id", subnetId))
                .filter((association) => association.RouteTableId === routeTableId)
                .map(({ RouteTableAssociationId }) => RouteTableAssociationId),
    },
    create: async ({ api }, { subnetId = "", routeTableId }) =>
        (await api.ec2.associateRouteTable({ SubnetId: subnetId, RouteTableId: routeTableId })).AssociationId,
    read: async (context, id) => {
        const [found] = (await associations(context, "association.route-table-association-id", id)).filter(
            ({ RouteTableAssociationId }) => RouteTableAssociationId === id,
        );
        return found && { subnetId: found.SubnetId, routeTableId: found.RouteTableId };
    },
    delete: ({ api }, id) => api.ec2.disassociateRouteTable({ AssociationId: id }),
};

async function associations({ api }: Context, filter: string, value: string) {
    const { RouteTables } = await api.ec2.describeRouteTables({ Filters: [{ Name: filter, Values: [value] }] });
    return RouteTables.flatMap(({ Associations }) => Associations).filter(({ SubnetId, RouteTableAssociationId }) =>
        [SubnetId, RouteTableAssociationId].includes(value),
    );
}

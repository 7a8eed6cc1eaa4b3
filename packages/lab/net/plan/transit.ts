import { vpcs } from "../../aws/ec2/tables.ts";
import { transitRoutes } from "../../aws/ec2/transit/routes.ts";
import { peeringAttachments, transitGateways, transitRouteTables, vpcAttachments } from "../../aws/ec2/transit/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { LONG_PATH_MTU, linkName, namespaceName, type Part, route, rule, tableNumber } from "./plan.ts";
import { arrivals, routerLink } from "./router-links.ts";

/** The transit gateways with their route tables, and the links of their attachments. */
export function planTransit(world: Scope, id: string): Part[] {
    const gateways = transitGateways
        .in(world)
        .list()
        .filter((gateway) => !transitGateways.gone(gateway));
    const links = [...vpcLinks(world, id), ...gatewayLinks(world, id)];
    return [...gateways.map(({ TransitGatewayId }) => planGateway(world, id, TransitGatewayId)), ...links];
}

function planGateway(world: Scope, id: string, gatewayId: string): Part {
    const tables = transitRouteTables
        .in(world)
        .list()
        .filter(({ TransitGatewayId }) => TransitGatewayId === gatewayId);
    const statements = tables.flatMap((table) => {
        const number = tableNumber(table.TransitGatewayRouteTableId);
        return [
            ...table.associations.map((attachmentId) => rule(10, `iif ${linkName(attachmentId)}`, number)),
            ...transitRoutes(world, table).map(({ DestinationCidrBlock, State, TransitGatewayAttachments: [target] }) => {
                const nextHop = State === "active" && target ? `dev ${linkName(target.TransitGatewayAttachmentId)}` : "blackhole";
                return route(DestinationCidrBlock, nextHop, number);
            }),
            route("0.0.0.0/0", "blackhole", number),
        ];
    });
    return { namespace: { name: namespaceName(id, gatewayId), statements: [...statements, route("0.0.0.0/0", "blackhole")] } };
}

function vpcLinks(world: Scope, id: string): Part[] {
    const attachments = vpcAttachments
        .in(world)
        .list()
        .filter(
            ({ State, VpcOwnerId, VpcId, region }) =>
                State === "available" && vpcs.in(world.at({ account: VpcOwnerId, region })).get(VpcId),
        );
    return attachments.flatMap(({ TransitGatewayAttachmentId: attachment, TransitGatewayId, VpcId }) => {
        const router = namespaceName(id, VpcId);
        return [arrivals(router, attachment), ...routerLink(attachment, router, namespaceName(id, TransitGatewayId), LONG_PATH_MTU)];
    });
}

function gatewayLinks(world: Scope, id: string): Part[] {
    return peeringAttachments
        .in(world)
        .list()
        .filter(({ State }) => State === "available")
        .flatMap(({ TransitGatewayAttachmentId, RequesterTgwInfo, AccepterTgwInfo }) => {
            const [a, b] = [RequesterTgwInfo, AccepterTgwInfo].map(({ TransitGatewayId }) => namespaceName(id, TransitGatewayId));
            return routerLink(TransitGatewayAttachmentId, a ?? "", b ?? "", LONG_PATH_MTU);
        });
}

import { holds, prefixOf } from "../../cidr.ts";
import type { Scope } from "../../scope.ts";
import { cidrBlocksOf, vpcs } from "../tables.ts";
import { peeringAttachments, type TransitRouteTable, transitRouteTables, vpcAttachments } from "./tables.ts";

/** A route as a search shows it. */
export interface TransitRoute {
    DestinationCidrBlock: string;
    Type: "static" | "propagated";
    State: "active" | "blackhole";
    TransitGatewayAttachments: { ResourceId: string; ResourceType: "vpc" | "peering"; TransitGatewayAttachmentId: string }[];
}

/** A table of a gateway. */
export function makeTransitTable(
    scope: Scope,
    TransitGatewayId: string,
    byDefault = { DefaultAssociationRouteTable: false, DefaultPropagationRouteTable: false },
): Readonly<TransitRouteTable> {
    const TransitGatewayRouteTableId = scope.id("tgw-rtb");
    const made = transitRouteTables.in(scope).put(TransitGatewayRouteTableId, {
        TransitGatewayRouteTableId,
        TransitGatewayId,
        State: "pending",
        ...byDefault,
        CreationTime: scope.now.toISOString(),
        associations: [],
        propagations: [],
        routes: [],
    });
    scope.schedule(transitRouteTables, TransitGatewayRouteTableId, [{ after: 60_000, set: { State: "available" } }]);
    return made;
}

/** Enters a new attachment where its gateway enters new ones. Peerings propagate nothing: their routes are static. */
export function joinDefaults(scope: Scope, attachmentId: string, gatewayId: string, propagates: boolean): void {
    const rows = transitRouteTables.in(scope);
    for (const table of rows.list().filter(({ TransitGatewayId }) => TransitGatewayId === gatewayId))
        rows.update(table.TransitGatewayRouteTableId, {
            associations: table.DefaultAssociationRouteTable ? [...table.associations, attachmentId] : table.associations,
            propagations: table.DefaultPropagationRouteTable && propagates ? [...table.propagations, attachmentId] : table.propagations,
        });
}

/** Takes an attachment out of every table; static routes to it stay, as black holes. */
export function leaveTables(scope: Scope, attachmentId: string): void {
    for (const table of transitRouteTables.in(scope).list())
        transitRouteTables.in(scope).update(table.TransitGatewayRouteTableId, {
            associations: table.associations.filter((one) => one !== attachmentId),
            propagations: table.propagations.filter((one) => one !== attachmentId),
        });
}

/** All routes of a table: the static ones, then the propagated ones that no static one stands before. */
export function transitRoutes(scope: Scope, table: Readonly<TransitRouteTable>): TransitRoute[] {
    const route = (DestinationCidrBlock: string, Type: TransitRoute["Type"], attachmentId: string | undefined): TransitRoute => {
        const vpc = vpcAttachments.in(scope).get(attachmentId ?? "");
        const link = peeringAttachments.in(scope).get(attachmentId ?? "");
        const sides = [link?.RequesterTgwInfo.TransitGatewayId, link?.AccepterTgwInfo.TransitGatewayId];
        const resource = vpc?.VpcId ?? sides.find((one) => one !== table.TransitGatewayId);
        return {
            DestinationCidrBlock,
            Type,
            State: (vpc ?? link)?.State === "available" ? "active" : "blackhole",
            TransitGatewayAttachments:
                attachmentId && resource
                    ? [{ ResourceId: resource, ResourceType: vpc ? "vpc" : "peering", TransitGatewayAttachmentId: attachmentId }]
                    : [],
        };
    };
    const propagated = table.propagations.flatMap((id) => {
        const attachment = vpcAttachments.in(scope).get(id);
        if (attachment?.State !== "available") return [];
        const vpc = vpcs.in(scope.at({ account: attachment.VpcOwnerId, region: attachment.region })).get(attachment.VpcId);
        return vpc ? cidrBlocksOf(vpc).map((block) => route(block, "propagated", id)) : [];
    });
    const fixed = table.routes.map((one) => route(one.DestinationCidrBlock, "static", one.attachmentId));
    return [
        ...fixed,
        ...propagated.filter((one) => !fixed.some(({ DestinationCidrBlock }) => DestinationCidrBlock === one.DestinationCidrBlock)),
    ];
}

/** Where a packet that came in through an attachment goes. */
export function transitHop(scope: Scope, attachmentId: string, address: string, gatewayId: string) {
    const table = transitRouteTables
        .in(scope)
        .list()
        .find((one) => one.TransitGatewayId === gatewayId && one.associations.includes(attachmentId));
    if (!table) return { table: undefined, route: undefined };
    const [route] = transitRoutes(scope, table)
        .filter((one) => holds(one.DestinationCidrBlock, address))
        .toSorted((a, b) => prefixOf(b.DestinationCidrBlock) - prefixOf(a.DestinationCidrBlock));
    return { table, route };
}

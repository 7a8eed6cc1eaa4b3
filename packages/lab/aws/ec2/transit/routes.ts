import { holds, prefixOf } from "../../cidr.ts";
import type { Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { cidrBlocksOf, vpcs } from "../tables.ts";
import { invalidState, peeringAttachments, type TransitRouteTable, transitGateways, transitRouteTables, vpcAttachments } from "./tables.ts";

/** A route in the form that `SearchTransitGatewayRoutes` returns. */
interface TransitRoute {
    DestinationCidrBlock: string;
    Type: "static" | "propagated";
    State: "active" | "blackhole";
    TransitGatewayAttachments: { ResourceId: string; ResourceType: "vpc" | "peering"; TransitGatewayAttachmentId: string }[];
}

/** Creates a route table of a transit gateway. */
export function createTransitTable(
    scope: Scope,
    TransitGatewayId: string,
    byDefault = { DefaultAssociationRouteTable: false, DefaultPropagationRouteTable: false },
): Readonly<TransitRouteTable> {
    const TransitGatewayRouteTableId = scope.id("tgw-rtb");
    const created = transitRouteTables.in(scope).put(TransitGatewayRouteTableId, {
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
    return created;
}

/** The route tables that the scope's account and region own. */
export function transitTablesOf(scope: Scope): Readonly<TransitRouteTable>[] {
    return transitRouteTables
        .in(scope)
        .list()
        .filter(({ TransitGatewayId }) => {
            const gateway = transitGateways.in(scope).get(TransitGatewayId);
            return gateway?.OwnerId === scope.account && gateway.region === scope.region;
        });
}

/**
 * Returns a route table that the scope's account and region own.
 *
 * @throws AwsError if it does not exist
 */
export function needTransitTable(scope: Scope, id: string): Readonly<TransitRouteTable> {
    const table = transitTablesOf(scope).find((candidate) => candidate.TransitGatewayRouteTableId === id);
    if (!table) throw missing("transitGatewayRouteTable", id);
    return table;
}

/**
 * Returns the resource behind an attachment.
 *
 * @throws AwsError unless it is an available attachment of the table's gateway
 */
export function needAvailableAttachment(scope: Scope, table: Readonly<TransitRouteTable>, id: string) {
    const vpc = vpcAttachments.in(scope).get(id);
    const peering = peeringAttachments.in(scope).get(id);
    const gateways = [vpc?.TransitGatewayId, peering?.RequesterTgwInfo.TransitGatewayId, peering?.AccepterTgwInfo.TransitGatewayId];
    const found = vpc ?? peering;
    if (!found || !gateways.includes(table.TransitGatewayId)) throw missing("transitGatewayAttachment", id);
    if (found.State !== "available") throw invalidState(id);
    return {
        ResourceId: vpc?.VpcId ?? gateways.find((gateway) => gateway !== undefined && gateway !== table.TransitGatewayId) ?? "",
        ResourceType: vpc ? "vpc" : "peering",
    };
}

/** Adds a new attachment to the default route tables of its gateway. Peerings propagate nothing: their routes are static. */
export function addToDefaultTables(scope: Scope, attachmentId: string, gatewayId: string, propagates: boolean): void {
    const rows = transitRouteTables.in(scope);
    for (const table of rows.list().filter(({ TransitGatewayId }) => TransitGatewayId === gatewayId))
        rows.update(table.TransitGatewayRouteTableId, {
            associations: table.DefaultAssociationRouteTable ? [...table.associations, attachmentId] : table.associations,
            propagations: table.DefaultPropagationRouteTable && propagates ? [...table.propagations, attachmentId] : table.propagations,
        });
}

/** Removes an attachment from every route table. Static routes to it remain, as blackholes. */
export function removeFromTables(scope: Scope, attachmentId: string): void {
    for (const table of transitRouteTables.in(scope).list())
        transitRouteTables.in(scope).update(table.TransitGatewayRouteTableId, {
            associations: table.associations.filter((id) => id !== attachmentId),
            propagations: table.propagations.filter((id) => id !== attachmentId),
        });
}

/** All routes of a table: the static ones, then the propagated ones to other destinations. */
export function transitRoutes(scope: Scope, table: Readonly<TransitRouteTable>): TransitRoute[] {
    const route = (DestinationCidrBlock: string, Type: TransitRoute["Type"], attachmentId: string | undefined): TransitRoute => {
        const vpc = vpcAttachments.in(scope).get(attachmentId ?? "");
        const peering = peeringAttachments.in(scope).get(attachmentId ?? "");
        const sides = [peering?.RequesterTgwInfo.TransitGatewayId, peering?.AccepterTgwInfo.TransitGatewayId];
        const resource = vpc?.VpcId ?? sides.find((id) => id !== table.TransitGatewayId);
        return {
            DestinationCidrBlock,
            Type,
            State: (vpc ?? peering)?.State === "available" ? "active" : "blackhole",
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
    const staticRoutes = table.routes.map(({ DestinationCidrBlock, attachmentId }) => route(DestinationCidrBlock, "static", attachmentId));
    return [
        ...staticRoutes,
        ...propagated.filter(
            (route) => !staticRoutes.some(({ DestinationCidrBlock }) => DestinationCidrBlock === route.DestinationCidrBlock),
        ),
    ];
}

/** The route that a packet from an attachment takes, and its table; each is undefined if there is none. */
export function transitHop(scope: Scope, attachmentId: string, address: string, gatewayId: string) {
    const table = transitRouteTables
        .in(scope)
        .list()
        .find((table) => table.TransitGatewayId === gatewayId && table.associations.includes(attachmentId));
    if (!table) return { table: undefined, route: undefined };
    const [route] = transitRoutes(scope, table)
        .filter((route) => holds(route.DestinationCidrBlock, address))
        .toSorted((a, b) => prefixOf(b.DestinationCidrBlock) - prefixOf(a.DestinationCidrBlock));
    return { table, route };
}

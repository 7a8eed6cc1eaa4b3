import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { dependencies, missing } from "../errors.ts";
import { cidrBlocksOf, type RouteTable, routeTables, shown, subnets, type Vpc, vpcs } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { routeState } from "./routes.ts";

export const ROUTE_TABLES_PER_VPC: Quota = { code: "L-589F43AA", default: 200 };

/** Creates the main table of a VPC, which subnets without an association use. */
export function createMainTable(scope: Scope, vpc: Readonly<Vpc>): void {
    const { RouteTableId } = putTable(scope, vpc);
    routeTables.in(scope).update(RouteTableId, {
        Associations: [
            { RouteTableAssociationId: scope.id("rtbassoc"), RouteTableId, Main: true, AssociationState: { State: "associated" } },
        ],
    });
}

/** The route table that a subnet uses. */
export function tableOf(scope: Scope, subnet: { SubnetId: string; VpcId: string }): Readonly<RouteTable> | undefined {
    const tables = routeTables
        .in(scope)
        .list()
        .filter(({ VpcId }) => VpcId === subnet.VpcId);
    return (
        tables.find(({ Associations }) => Associations.some(({ SubnetId }) => SubnetId === subnet.SubnetId)) ??
        tables.find(({ Associations }) => Associations.some(({ Main }) => Main))
    );
}

function putTable(scope: Scope, vpc: Readonly<Vpc>): Readonly<RouteTable> {
    const RouteTableId = scope.id("rtb");
    return routeTables.in(scope).put(RouteTableId, {
        RouteTableId,
        VpcId: vpc.VpcId,
        OwnerId: scope.account,
        PropagatingVgws: [],
        Associations: [],
        Routes: cidrBlocksOf(vpc).map((DestinationCidrBlock) => ({
            DestinationCidrBlock,
            GatewayId: "local",
            Origin: "CreateRouteTable" as const,
        })),
    });
}

/** The actions on route tables and their associations; `routes.ts` has those on routes. */
export const routeTableActions = (scope: Scope) => {
    const rows = routeTables.in(scope);
    const need = (id: string) => rows.need(id, () => missing("routeTable", id));
    const show = (table: Readonly<RouteTable>) => {
        const fields = shown(table, tagsOf(scope, table.RouteTableId));
        return { ...fields, Routes: table.Routes.map((route) => ({ ...route, State: routeState(scope, table, route) })) };
    };
    const findAssociation = (associationId: string) => {
        for (const table of rows.list())
            for (const association of table.Associations)
                if (association.RouteTableAssociationId === associationId) return { table, association };
        throw missing("association", associationId);
    };
    const removeAssociation = (table: Readonly<RouteTable>, associationId: string) =>
        rows.update(table.RouteTableId, {
            Associations: table.Associations.filter((association) => association.RouteTableAssociationId !== associationId),
        });

    return {
        createRouteTable: ({ VpcId, TagSpecifications }: { VpcId: string; TagSpecifications?: TagSpecification[] }) => {
            const vpc = vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            if (rows.list().filter((table) => table.VpcId === VpcId).length >= scope.quota(ROUTE_TABLES_PER_VPC))
                throw new AwsError("RouteTableLimitExceeded", "The maximum number of route tables has been reached.");
            const created = putTable(scope, vpc);
            tagNew(scope, "route-table", created.RouteTableId, TagSpecifications);
            return { RouteTable: show(created) };
        },

        describeRouteTables: ({ RouteTableIds, Filters }: { RouteTableIds?: string[]; Filters?: Filter[] } = {}) => ({
            RouteTables: filtered((RouteTableIds?.map(need) ?? rows.list()).map(show), Filters, {
                "route-table-id": (table) => table.RouteTableId,
                "vpc-id": (table) => table.VpcId,
                "association.main": ({ Associations }) => Associations.map(({ Main }) => String(Main)),
                "association.subnet-id": ({ Associations }) => Associations.map(({ SubnetId }) => SubnetId),
                "association.route-table-association-id": ({ Associations }) =>
                    Associations.map((association) => association.RouteTableAssociationId),
                "association.route-table-id": ({ Associations }) => Associations.map((association) => association.RouteTableId),
                "route.destination-cidr-block": ({ Routes }) => Routes.map((route) => route.DestinationCidrBlock),
                "route.vpc-peering-connection-id": ({ Routes }) => Routes.map((route) => route.VpcPeeringConnectionId),
                "route.transit-gateway-id": ({ Routes }) => Routes.map((route) => route.TransitGatewayId),
            }),
        }),

        associateRouteTable: ({ RouteTableId, SubnetId }: { RouteTableId: string; SubnetId: string }) => {
            const table = need(RouteTableId);
            const { VpcId } = subnets.in(scope).need(SubnetId, () => missing("subnet", SubnetId));
            if (VpcId !== table.VpcId)
                throw new AwsError(
                    "InvalidParameterValue",
                    `Route table ${RouteTableId} and subnet ${SubnetId} belong to different networks`,
                );
            if (rows.list().some(({ Associations }) => Associations.some((association) => association.SubnetId === SubnetId)))
                throw new AwsError(
                    "Resource.AlreadyAssociated",
                    `the specified association for route table ${RouteTableId} conflicts with an existing association`,
                );
            const AssociationState = { State: "associated" };
            const RouteTableAssociationId = scope.id("rtbassoc");
            const association = { RouteTableAssociationId, RouteTableId, SubnetId, Main: false, AssociationState };
            rows.update(RouteTableId, { Associations: [...table.Associations, association] });
            return { AssociationId: RouteTableAssociationId, AssociationState };
        },

        replaceRouteTableAssociation: ({ AssociationId, RouteTableId }: { AssociationId: string; RouteTableId: string }) => {
            need(RouteTableId);
            const { table, association } = findAssociation(AssociationId);
            removeAssociation(table, AssociationId);
            const created = { ...association, RouteTableId, RouteTableAssociationId: scope.id("rtbassoc") };
            rows.update(RouteTableId, { Associations: [...need(RouteTableId).Associations, created] });
            return { NewAssociationId: created.RouteTableAssociationId, AssociationState: created.AssociationState };
        },

        disassociateRouteTable: ({ AssociationId }: { AssociationId: string }) => {
            const { table, association } = findAssociation(AssociationId);
            if (association.Main)
                throw new AwsError("InvalidParameterValue", `cannot disassociate the main route table association ${AssociationId}`);
            removeAssociation(table, AssociationId);
        },

        deleteRouteTable: ({ RouteTableId }: { RouteTableId: string }) => {
            if (need(RouteTableId).Associations.length > 0) throw dependencies("routeTable", RouteTableId);
            rows.delete(RouteTableId);
            deleteTagsOf(scope, RouteTableId);
        },
    };
};

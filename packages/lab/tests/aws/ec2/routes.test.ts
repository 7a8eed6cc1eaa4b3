import { describe, expect, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { createWorld, keeps, type World } from "../world.ts";
import { createNatGateway } from "./nat-gateway.ts";

/** Creates two VPCs, a connection that is pending acceptance, and a route table of the first VPC. */
async function requestPeering({ ec2, vpc, table, pass }: World) {
    const [VpcId, PeerVpcId] = [await vpc("10.0.0.0/16"), await vpc("10.1.0.0/16")];
    const { VpcPeeringConnectionId } = (await ec2.createVpcPeeringConnection({ VpcId, PeerVpcId })).VpcPeeringConnection;
    pass(1_000);
    return { VpcId, PeerVpcId, VpcPeeringConnectionId, RouteTableId: await table(VpcId) };
}

/** Destination and state of the routes that were created in a table. */
async function createdRoutes({ ec2 }: World, RouteTableId: string) {
    const { Routes = [] } = (await ec2.describeRouteTables({ RouteTableIds: [RouteTableId] })).RouteTables[0] ?? {};
    return Routes.filter(({ Origin }) => Origin === "CreateRoute").map(({ DestinationCidrBlock, State }) => [DestinationCidrBlock, State]);
}

keeps("route tables", {
    "creates a route table with the local route": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        const { RouteTable } = await ec2.createRouteTable({ VpcId });
        expect(RouteTable).toMatchObject({
            VpcId,
            Associations: [],
            Routes: [{ DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local", State: "active", Origin: "CreateRouteTable" }],
        });
    },
    "associates it with a subnet": async ({ ec2, vpc, subnet, table }) => {
        const VpcId = await vpc();
        const [SubnetId, RouteTableId] = [await subnet(VpcId), await table(VpcId)];
        const { AssociationId } = await ec2.associateRouteTable({ SubnetId, RouteTableId });
        const Filters = [{ Name: "association.subnet-id", Values: [SubnetId] }];
        expect((await ec2.describeRouteTables({ Filters })).RouteTables[0]?.Associations).toEqual([
            { RouteTableAssociationId: AssociationId, RouteTableId, SubnetId, Main: false, AssociationState: { State: "associated" } },
        ]);
        await refused(ec2.associateRouteTable({ SubnetId: await subnet(await vpc()), RouteTableId }), "InvalidParameterValue");
    },
    "refuses a second table for the same subnet": async ({ ec2, vpc, subnet, table }) => {
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        await ec2.associateRouteTable({ SubnetId, RouteTableId: await table(VpcId) });
        const second = await table(VpcId);
        await refused(
            ec2.associateRouteTable({ SubnetId, RouteTableId: second }),
            "Resource.AlreadyAssociated",
            `the specified association for route table ${second} conflicts with an existing association`,
        );
    },
    "refuses to delete an associated table": async ({ ec2, vpc, subnet, table }) => {
        const VpcId = await vpc();
        const [SubnetId, RouteTableId] = [await subnet(VpcId), await table(VpcId)];
        const { AssociationId } = await ec2.associateRouteTable({ SubnetId, RouteTableId });
        const remove = () => ec2.deleteRouteTable({ RouteTableId });
        await refused(remove(), "DependencyViolation", `The routeTable '${RouteTableId}' has dependencies and cannot be deleted.`);
        await ec2.disassociateRouteTable({ AssociationId });
        await remove();
        const [main] = (await ec2.describeRouteTables()).RouteTables;
        await refused(ec2.deleteRouteTable({ RouteTableId: main?.RouteTableId ?? "" }), "DependencyViolation");
    },
});

keeps("routes", {
    "refuses a route to an internet gateway that is not attached": async ({ ec2, vpc, table, gateway }) => {
        const RouteTableId = await table(await vpc());
        const route = { RouteTableId, DestinationCidrBlock: "0.0.0.0/0" };
        const GatewayId = await gateway(await vpc());
        await refused(
            ec2.createRoute({ ...route, GatewayId }),
            "InvalidParameterValue",
            `route table ${RouteTableId} and network gateway ${GatewayId} belong to different networks`,
        );
        await refused(
            ec2.createRoute({ ...route, GatewayId: "igw-1" }),
            "InvalidGatewayID.NotFound",
            "The gateway ID 'igw-1' does not exist",
        );
    },
    "creates a route to an internet gateway": async (w) => {
        const VpcId = await w.vpc();
        const [RouteTableId, GatewayId] = [await w.table(VpcId), await w.gateway(VpcId)];
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "0.0.0.0/0", GatewayId });
        expect(await createdRoutes(w, RouteTableId)).toEqual([["0.0.0.0/0", "active"]]);
        await w.ec2.detachInternetGateway({ InternetGatewayId: GatewayId, VpcId });
        expect(await createdRoutes(w, RouteTableId)).toEqual([["0.0.0.0/0", "blackhole"]]);
    },
    "refuses a second route to the same destination": async (w) => {
        const { VpcId, InternetGatewayId, NatGatewayId } = await createNatGateway(w);
        const route = { RouteTableId: await w.table(VpcId), DestinationCidrBlock: "0.0.0.0/0" };
        await w.ec2.createRoute({ ...route, GatewayId: InternetGatewayId });
        await refused(
            w.ec2.createRoute({ ...route, NatGatewayId }),
            "RouteAlreadyExists",
            "The route identified by 0.0.0.0/0 already exists.",
        );
        await w.ec2.replaceRoute({ ...route, NatGatewayId });
        expect((await w.ec2.describeRouteTables({ RouteTableIds: [route.RouteTableId] })).RouteTables[0]?.Routes[1]).toMatchObject({
            NatGatewayId,
        });
    },
    "refuses a destination within the VPC's CIDR": async ({ ec2, vpc, table, gateway }) => {
        const VpcId = await vpc();
        const [RouteTableId, GatewayId] = [await table(VpcId), await gateway(VpcId)];
        for (const DestinationCidrBlock of ["10.0.0.0/16", "10.0.1.0/24"])
            await refused(
                ec2.createRoute({ RouteTableId, DestinationCidrBlock, GatewayId }),
                "InvalidParameterValue",
                `The destination CIDR block ${DestinationCidrBlock} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.`,
            );
    },
    "refuses an unknown peering connection": async ({ ec2, vpc, table }) =>
        refused(
            ec2.createRoute({
                RouteTableId: await table(await vpc()),
                DestinationCidrBlock: "10.1.0.0/16",
                VpcPeeringConnectionId: "pcx-1",
            }),
            "InvalidVpcPeeringConnectionID.NotFound",
            "The vpcPeeringConnection ID 'pcx-1' does not exist",
        ),
    "refuses an unknown transit gateway": async ({ ec2, vpc, table }) =>
        refused(
            ec2.createRoute({ RouteTableId: await table(await vpc()), DestinationCidrBlock: "10.1.0.0/16", TransitGatewayId: "tgw-1" }),
            "InvalidTransitGatewayID.NotFound",
            "The transitGateway ID 'tgw-1' does not exist.",
        ),
    "refuses an unknown route table": ({ ec2 }) =>
        refused(
            ec2.createRoute({ RouteTableId: "rtb-1", DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1" }),
            "InvalidRouteTableID.NotFound",
            "The routeTable ID 'rtb-1' does not exist",
        ),
    "refuses to delete an unknown route": async ({ ec2, vpc, table }) => {
        const RouteTableId = await table(await vpc());
        await refused(
            ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16" }),
            "InvalidRoute.NotFound",
            `no route with destination-cidr-block 10.1.0.0/16 in route table ${RouteTableId}`,
        );
        await refused(ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.0.0.0/16" }), "InvalidParameterValue");
    },
    "shows a route to a pending peering as blackhole": async (w) => {
        const { RouteTableId, VpcPeeringConnectionId } = await requestPeering(w);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId });
        expect(await createdRoutes(w, RouteTableId)).toEqual([["10.1.0.0/16", "blackhole"]]);
    },
    "shows a route to an active peering as active": async (w) => {
        const { RouteTableId, VpcPeeringConnectionId } = await requestPeering(w);
        await w.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId });
        w.pass(1_000);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId });
        expect(await createdRoutes(w, RouteTableId)).toEqual([["10.1.0.0/16", "active"]]);
        await w.ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16" });
        expect(await createdRoutes(w, RouteTableId)).toEqual([]);
    },
    "refuses a peering connection of other VPCs": async (w) => {
        const { VpcPeeringConnectionId } = await requestPeering(w);
        const RouteTableId = await w.table(await w.vpc("10.2.0.0/16"));
        await refused(
            w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId }),
            "InvalidParameterValue",
        );
    },
});

describe("routes: further checks", () => {
    test("refuses to replace a missing route, and anything but one target and a CIDR", async () => {
        const w = createWorld();
        const VpcId = await w.vpc();
        const [RouteTableId, GatewayId] = [await w.table(VpcId), await w.gateway(VpcId)];
        const route = { RouteTableId, DestinationCidrBlock: "0.0.0.0/0" };
        await refused(
            w.ec2.replaceRoute({ ...route, GatewayId }),
            "InvalidParameterValue",
            "There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead.",
        );
        await refused(w.ec2.createRoute(route), "MissingParameter");
        await refused(w.ec2.createRoute({ ...route, GatewayId, NatGatewayId: "nat-1" }), "InvalidParameterCombination");
        await refused(w.ec2.createRoute({ ...route, GatewayId, DestinationCidrBlock: "0.0.0.0" }), "InvalidParameterValue");
    });

    test("keeps the main table associated", async () => {
        const { ec2, vpc } = createWorld();
        await vpc();
        const [main] = (await ec2.describeRouteTables()).RouteTables;
        const AssociationId = main?.Associations[0]?.RouteTableAssociationId ?? "";
        await refused(ec2.disassociateRouteTable({ AssociationId }), "InvalidParameterValue");
    });

    test("moves a subnet to another table in one step", async () => {
        const w = createWorld();
        const VpcId = await w.vpc();
        const [SubnetId, first, second] = [await w.subnet(VpcId), await w.table(VpcId), await w.table(VpcId)];
        const { AssociationId } = await w.ec2.associateRouteTable({ SubnetId, RouteTableId: first });
        const { NewAssociationId } = await w.ec2.replaceRouteTableAssociation({ AssociationId, RouteTableId: second });
        const Filters = [{ Name: "association.subnet-id", Values: [SubnetId] }];
        expect((await w.ec2.describeRouteTables({ Filters })).RouteTables).toMatchObject([
            { RouteTableId: second, Associations: [{ RouteTableAssociationId: NewAssociationId }] },
        ]);
    });
});

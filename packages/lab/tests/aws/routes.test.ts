import { expect } from "vitest";
import { ADDRESSES_PER_REGION } from "../../aws/ec2/elastic-ips.ts";
import { IRELAND, keeps, refused, type World } from "./world.ts";

/** A subnet with a NAT gateway. */
async function nat({ ec2, vpc, subnet, gateway }: World) {
    const VpcId = await vpc();
    const SubnetId = await subnet(VpcId);
    const InternetGatewayId = await gateway(VpcId);
    const { AllocationId, PublicIp } = await ec2.allocateAddress();
    const { NatGateway } = await ec2.createNatGateway({ SubnetId, AllocationId });
    return { VpcId, SubnetId, InternetGatewayId, AllocationId, PublicIp, NatGateway, NatGatewayId: NatGateway.NatGatewayId };
}

/** Two VPCs, a connection that nobody has accepted yet, and a table of the first one. */
async function peered({ ec2, vpc, table, pass }: World) {
    const [VpcId, PeerVpcId] = [await vpc("10.0.0.0/16"), await vpc("10.1.0.0/16")];
    const { VpcPeeringConnectionId } = (await ec2.createVpcPeeringConnection({ VpcId, PeerVpcId })).VpcPeeringConnection;
    pass(1_000);
    return { VpcId, PeerVpcId, VpcPeeringConnectionId, RouteTableId: await table(VpcId) };
}

/** What a table says of the routes that were made in it. */
async function routes({ ec2 }: World, RouteTableId: string) {
    const { Routes = [] } = (await ec2.describeRouteTables({ RouteTableIds: [RouteTableId] })).RouteTables[0] ?? {};
    return Routes.filter(({ Origin }) => Origin === "CreateRoute").map(({ DestinationCidrBlock, State }) => [DestinationCidrBlock, State]);
}

keeps("igw", {
    create: async ({ ec2 }) => {
        const { InternetGateway } = await ec2.createInternetGateway();
        expect(InternetGateway).toMatchObject({ Attachments: [], OwnerId: IRELAND.account });
        await ec2.deleteInternetGateway(InternetGateway);
        expect((await ec2.describeInternetGateways()).InternetGateways).toEqual([]);
    },
    attach: async ({ ec2, vpc, gateway }) => {
        const VpcId = await vpc();
        const InternetGatewayId = await gateway(VpcId);
        expect((await ec2.describeInternetGateways()).InternetGateways[0]?.Attachments).toEqual([{ State: "available", VpcId }]);
        await refused(
            ec2.deleteInternetGateway({ InternetGatewayId }),
            "DependencyViolation",
            `The internetGateway '${InternetGatewayId}' has dependencies and cannot be deleted.`,
        );
    },
    "attach again": async ({ ec2, vpc, gateway }) => {
        const [VpcId, other] = [await vpc(), await vpc()];
        const InternetGatewayId = await gateway(VpcId);
        await refused(
            ec2.attachInternetGateway({ InternetGatewayId, VpcId: other }),
            "Resource.AlreadyAssociated",
            `resource ${InternetGatewayId} is already attached to network ${VpcId}`,
        );
        const second = (await ec2.createInternetGateway()).InternetGateway.InternetGatewayId;
        await refused(
            ec2.attachInternetGateway({ InternetGatewayId: second, VpcId }),
            "InvalidParameterValue",
            `Network ${VpcId} already has an internet gateway attached`,
        );
        await refused(ec2.detachInternetGateway({ InternetGatewayId, VpcId: other }), "Gateway.NotAttached");
    },
    "detach with mapped public address": async (w) => {
        const { VpcId, InternetGatewayId, NatGatewayId } = await nat(w);
        const detach = () => w.ec2.detachInternetGateway({ InternetGatewayId, VpcId });
        await refused(
            detach(),
            "DependencyViolation",
            `Network ${VpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
        );
        await w.ec2.deleteNatGateway({ NatGatewayId });
        w.minutes(1);
        await detach();
    },
});

keeps("rtb", {
    create: async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        const { RouteTable } = await ec2.createRouteTable({ VpcId });
        expect(RouteTable).toMatchObject({
            VpcId,
            Associations: [],
            Routes: [{ DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local", State: "active", Origin: "CreateRouteTable" }],
        });
    },
    associate: async ({ ec2, vpc, subnet, table }) => {
        const VpcId = await vpc();
        const [SubnetId, RouteTableId] = [await subnet(VpcId), await table(VpcId)];
        const { AssociationId } = await ec2.associateRouteTable({ SubnetId, RouteTableId });
        const Filters = [{ Name: "association.subnet-id", Values: [SubnetId] }];
        expect((await ec2.describeRouteTables({ Filters })).RouteTables[0]?.Associations).toEqual([
            { RouteTableAssociationId: AssociationId, RouteTableId, SubnetId, Main: false, AssociationState: { State: "associated" } },
        ]);
        await refused(ec2.associateRouteTable({ SubnetId: await subnet(await vpc()), RouteTableId }), "InvalidParameterValue");
    },
    "associate second table to same subnet refused": async ({ ec2, vpc, subnet, table }) => {
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
    "delete while associated": async ({ ec2, vpc, subnet, table }) => {
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

keeps("route", {
    "to IGW not attached refused": async ({ ec2, vpc, table, gateway }) => {
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
    "to IGW": async (w) => {
        const VpcId = await w.vpc();
        const [RouteTableId, GatewayId] = [await w.table(VpcId), await w.gateway(VpcId)];
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "0.0.0.0/0", GatewayId });
        expect(await routes(w, RouteTableId)).toEqual([["0.0.0.0/0", "active"]]);
        await w.ec2.detachInternetGateway({ InternetGatewayId: GatewayId, VpcId });
        expect(await routes(w, RouteTableId)).toEqual([["0.0.0.0/0", "blackhole"]]);
    },
    "duplicate (same dest, other target)": async (w) => {
        const { VpcId, InternetGatewayId, NatGatewayId } = await nat(w);
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
    "dest = VPC CIDR refused": async ({ ec2, vpc, table, gateway }) => {
        const VpcId = await vpc();
        const [RouteTableId, GatewayId] = [await table(VpcId), await gateway(VpcId)];
        for (const DestinationCidrBlock of ["10.0.0.0/16", "10.0.1.0/24"])
            await refused(
                ec2.createRoute({ RouteTableId, DestinationCidrBlock, GatewayId }),
                "InvalidParameterValue",
                `The destination CIDR block ${DestinationCidrBlock} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.`,
            );
    },
    "unknown pcx": async ({ ec2, vpc, table }) =>
        refused(
            ec2.createRoute({
                RouteTableId: await table(await vpc()),
                DestinationCidrBlock: "10.1.0.0/16",
                VpcPeeringConnectionId: "pcx-1",
            }),
            "InvalidVpcPeeringConnectionID.NotFound",
            "The vpcPeeringConnection ID 'pcx-1' does not exist",
        ),
    "unknown tgw": async ({ ec2, vpc, table }) =>
        refused(
            ec2.createRoute({ RouteTableId: await table(await vpc()), DestinationCidrBlock: "10.1.0.0/16", TransitGatewayId: "tgw-1" }),
            "InvalidTransitGatewayID.NotFound",
            "The transitGateway ID 'tgw-1' does not exist.",
        ),
    "unknown rtb": ({ ec2 }) =>
        refused(
            ec2.createRoute({ RouteTableId: "rtb-1", DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1" }),
            "InvalidRouteTableID.NotFound",
            "The routeTable ID 'rtb-1' does not exist",
        ),
    "delete unknown": async ({ ec2, vpc, table }) => {
        const RouteTableId = await table(await vpc());
        await refused(
            ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16" }),
            "InvalidRoute.NotFound",
            `no route with destination-cidr-block 10.1.0.0/16 in route table ${RouteTableId}`,
        );
        await refused(ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.0.0.0/16" }), "InvalidParameterValue");
    },
    "to pending peering → blackhole": async (w) => {
        const { RouteTableId, VpcPeeringConnectionId } = await peered(w);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId });
        expect(await routes(w, RouteTableId)).toEqual([["10.1.0.0/16", "blackhole"]]);
    },
    "to active peering → active": async (w) => {
        const { RouteTableId, VpcPeeringConnectionId } = await peered(w);
        await w.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId });
        w.pass(1_000);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId });
        expect(await routes(w, RouteTableId)).toEqual([["10.1.0.0/16", "active"]]);
        await w.ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16" });
        expect(await routes(w, RouteTableId)).toEqual([]);
    },
    "pcx of other VPCs refused": async (w) => {
        const { VpcPeeringConnectionId } = await peered(w);
        const RouteTableId = await w.table(await w.vpc("10.2.0.0/16"));
        await refused(
            w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", VpcPeeringConnectionId }),
            "InvalidParameterValue",
        );
    },
});

keeps("eip", {
    allocate: async ({ ec2 }) => {
        const first = await ec2.allocateAddress({ Domain: "vpc" });
        expect(first).toMatchObject({ AllocationId: expect.stringMatching(/^eipalloc-0[0-9a-f]{16}$/), Domain: "vpc" });
        expect((await ec2.allocateAddress()).PublicIp).not.toBe(first.PublicIp);
        await ec2.releaseAddress(first);
        await refused(
            ec2.releaseAddress(first),
            "InvalidAllocationID.NotFound",
            `The allocation ID '${first.AllocationId}' does not exist`,
        );
    },
    "release while used by NAT": async (w) => {
        const { AllocationId, PublicIp, NatGatewayId } = await nat(w);
        const release = () => w.ec2.releaseAddress({ AllocationId });
        await refused(release(), "InvalidIPAddress.InUse", `Address ${PublicIp} is in use.`);
        const [address] = (await w.ec2.describeAddresses()).Addresses;
        await refused(w.ec2.disassociateAddress({ AssociationId: address?.AssociationId ?? "" }), "AuthFailure");
        await w.ec2.deleteNatGateway({ NatGatewayId });
        await refused(release(), "InvalidIPAddress.InUse");
        w.minutes(1);
        await release();
    },
    "5 EIPs a region by default": async ({ aws, ec2, virginia }) => {
        for (const _ of Array(5)) await ec2.allocateAddress();
        await refused(ec2.allocateAddress(), "AddressLimitExceeded", "The maximum number of addresses has been reached.");
        await virginia.allocateAddress();
        aws.setQuota(IRELAND, ADDRESSES_PER_REGION, 6);
        await ec2.allocateAddress();
    },
});

keeps("nat", {
    "create (pending)": async (w) => {
        const { NatGateway, SubnetId, VpcId, AllocationId, PublicIp } = await nat(w);
        expect(NatGateway).toMatchObject({ State: "pending", SubnetId, VpcId, NatGatewayAddresses: [{ AllocationId, PublicIp }] });
        w.pass(99_000);
        expect((await w.ec2.describeNatGateways()).NatGateways[0]?.State).toBe("pending");
    },
    "describe → available": async (w) => {
        const { NatGatewayId } = await nat(w);
        const state = async () => (await w.ec2.describeNatGateways({ NatGatewayIds: [NatGatewayId] })).NatGateways[0]?.State;
        w.pass(100_000);
        expect(await state()).toBe("available");
        await w.ec2.deleteNatGateway({ NatGatewayId });
        expect(await state()).toBe("deleting");
        w.minutes(1);
        expect(await state()).toBe("deleted");
        w.minutes(60);
        await refused(state(), "NatGatewayNotFound");
    },
    "unknown allocation": async ({ ec2, vpc, subnet }) =>
        refused(
            ec2.createNatGateway({ SubnetId: await subnet(await vpc()), AllocationId: "eipalloc-1" }),
            "InvalidAllocationID.NotFound",
            "The allocation ID 'eipalloc-1' does not exist",
        ),
    "without an internet gateway → failed": async ({ ec2, vpc, subnet, pass }) => {
        const VpcId = await vpc();
        const { AllocationId } = await ec2.allocateAddress();
        await ec2.createNatGateway({ SubnetId: await subnet(VpcId), AllocationId });
        pass(10_000);
        expect((await ec2.describeNatGateways()).NatGateways[0]).toMatchObject({
            State: "failed",
            FailureCode: "Gateway.NotAttached",
            FailureMessage: `Network ${VpcId} has no Internet gateway attached`,
        });
        await ec2.releaseAddress({ AllocationId });
    },
});

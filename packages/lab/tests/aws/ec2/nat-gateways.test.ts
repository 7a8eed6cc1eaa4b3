import { describe, expect, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { createWorld, keeps } from "../world.ts";
import { createNatGateway } from "./nat-gateway.ts";

keeps("NAT gateways", {
    "creates a NAT gateway, which is pending": async (w) => {
        const { NatGateway, SubnetId, VpcId, AllocationId, PublicIp } = await createNatGateway(w);
        expect(NatGateway).toMatchObject({ State: "pending", SubnetId, VpcId, NatGatewayAddresses: [{ AllocationId, PublicIp }] });
        w.pass(99_000);
        expect((await w.ec2.describeNatGateways()).NatGateways[0]?.State).toBe("pending");
    },
    "becomes available, and is shown for an hour after its deletion": async (w) => {
        const { NatGatewayId } = await createNatGateway(w);
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
    "refuses an unknown allocation": async ({ ec2, vpc, subnet }) =>
        refused(
            ec2.createNatGateway({ SubnetId: await subnet(await vpc()), AllocationId: "eipalloc-1" }),
            "InvalidAllocationID.NotFound",
            "The allocation ID 'eipalloc-1' does not exist",
        ),
    "fails without an internet gateway": async ({ ec2, vpc, subnet, pass }) => {
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

describe("NAT gateways: further checks", () => {
    test("need an address of their own to be public", async () => {
        const w = createWorld();
        const VpcId = await w.vpc();
        const [SubnetId] = [await w.subnet(VpcId), await w.gateway(VpcId)];
        await refused(w.ec2.createNatGateway({ SubnetId }), "MissingParameter");
        const { AllocationId } = await w.ec2.allocateAddress();
        await w.ec2.createNatGateway({ SubnetId, AllocationId });
        const second = (await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway.NatGatewayId;
        w.pass(10_000);
        expect((await w.ec2.describeNatGateways({ NatGatewayIds: [second] })).NatGateways[0]).toMatchObject({
            State: "failed",
            FailureCode: "Resource.AlreadyAssociated",
        });
    });

    test("refuse routes to a deleted gateway and to one of another VPC", async () => {
        const w = createWorld();
        const [VpcId, other] = [await w.vpc(), await w.vpc("10.1.0.0/16")];
        const { NatGatewayId } = (await w.ec2.createNatGateway({ SubnetId: await w.subnet(VpcId), ConnectivityType: "private" }))
            .NatGateway;
        const route = { DestinationCidrBlock: "0.0.0.0/0", NatGatewayId };
        await refused(w.ec2.createRoute({ ...route, RouteTableId: await w.table(other) }), "InvalidParameterValue");
        await w.ec2.deleteNatGateway({ NatGatewayId });
        w.minutes(1);
        await refused(w.ec2.createRoute({ ...route, RouteTableId: await w.table(VpcId) }), "InvalidNatGatewayID.NotFound");
    });
});

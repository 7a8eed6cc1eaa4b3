import { describe, expect, test } from "vitest";
import { IRELAND } from "../places.ts";
import { createWorld } from "../world.ts";
import { admit, createMember, createPeered, follow, SAME, unroute } from "./members.ts";

describe("a path to the internet", () => {
    async function behindNat() {
        const w = createWorld();
        const a = await createMember(w, w.ec2, IRELAND, 0);
        const GatewayId = await w.gateway(a.vpcId);
        const SubnetId = await w.subnet(a.vpcId, "10.0.1.0/24");
        const publicTable = await w.table(a.vpcId);
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: publicTable });
        await w.ec2.createRoute({ RouteTableId: publicTable, DestinationCidrBlock: "0.0.0.0/0", GatewayId });
        const { AllocationId } = await w.ec2.allocateAddress();
        const { NatGatewayId } = (await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway;
        await w.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        w.minutes(2);
        return { w, a, NatGatewayId, GatewayId, publicTable };
    }
    const OUTSIDE = { address: "198.51.100.1" };

    test("passes a NAT gateway and the internet gateway", async () => {
        const { w, a, NatGatewayId, GatewayId } = await behindNat();
        const path = follow(w, a.node, OUTSIDE);
        expect(path.open).toBe(true);
        expect(path.forward).toEqual(expect.arrayContaining([NatGatewayId, GatewayId]));
    });

    test("is dropped while the NAT gateway is being deleted", async () => {
        const { w, a, NatGatewayId } = await behindNat();
        await w.ec2.deleteNatGateway({ NatGatewayId });
        expect(follow(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "blackhole", at: a.tableId } });
    });

    test("is dropped while the NAT gateway is pending", async () => {
        const { w, a, GatewayId, publicTable } = await behindNat();
        const SubnetId = await w.subnet(a.vpcId, "10.0.2.0/24");
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: publicTable });
        const { AllocationId } = await w.ec2.allocateAddress();
        const { NatGatewayId } = (await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway;
        await w.ec2.replaceRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        expect(follow(w, a.node, OUTSIDE)).toMatchObject({
            drop: { reason: "nat-unusable", at: NatGatewayId, because: "its state is pending" },
        });
        w.minutes(2);
        expect(follow(w, a.node, OUTSIDE).forward).toContain(GatewayId);
    });

    test("is dropped if the NAT gateway's own subnet routes back to it", async () => {
        const { w, a, NatGatewayId, publicTable } = await behindNat();
        await w.ec2.replaceRoute({ RouteTableId: publicTable, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        expect(follow(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "nat-unusable", at: NatGatewayId } });
    });

    test("is dropped if the NAT gateway's own subnet has no route out", async () => {
        const { w, a, publicTable } = await behindNat();
        await w.ec2.deleteRoute({ RouteTableId: publicTable, DestinationCidrBlock: "0.0.0.0/0" });
        expect(follow(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "no-route", at: publicTable } });
    });

    test("does not reach a private address of another VPC", async () => {
        const { w, a } = await behindNat();
        const b = await createMember(w, w.ec2, IRELAND, 1);
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "internet" } });
    });
});

describe("a NAT gateway in front of a peering", () => {
    /** The route table of a leads to a private NAT gateway, and the table of the gateway's subnet leads to b. */
    async function createTranslated() {
        const created = await createPeered(SAME);
        const { w, a, b, VpcPeeringConnectionId } = created;
        const SubnetId = await w.subnet(a.vpcId, "10.0.1.0/24");
        const RouteTableId = await w.table(a.vpcId);
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId });
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: b.cidr, VpcPeeringConnectionId });
        const request = { SubnetId, ConnectivityType: "private" as const, PrivateIpAddress: "10.0.1.9" };
        const { NatGatewayId } = (await w.ec2.createNatGateway(request)).NatGateway;
        w.minutes(2);
        await unroute(a, b);
        await w.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        return { ...created, NatGatewayId };
    }

    test("is the source that the other side admits and answers", async () => {
        const { w, a, b } = await createTranslated();
        expect(follow(w, a.node, b.node).open).toBe(true);
        await w.ec2.revokeSecurityGroupIngress({
            GroupId: b.groupId,
            IpPermissions: [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, IpRanges: [{ CidrIp: a.cidr }] }],
        });
        await admit(b, "10.0.0.0/24");
        expect(follow(w, a.node, b.node).summary).toContain("no ingress rule allows tcp/2379 from 10.0.1.9");
        await admit(b, "10.0.1.0/24");
        expect(follow(w, a.node, b.node).open).toBe(true);
    });

    test("drops the answer to a packet that did not pass it", async () => {
        const { w, a, b, NatGatewayId } = await createTranslated();
        expect(follow(w, b.node, a.node)).toMatchObject({
            open: false,
            drop: { reason: "nat-answer", at: NatGatewayId, direction: "return" },
        });
    });
});

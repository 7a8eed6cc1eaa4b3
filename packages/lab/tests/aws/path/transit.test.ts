import { describe, expect, test } from "vitest";
import { IRELAND, VIRGINIA } from "../places.ts";
import { createWorld, type World } from "../world.ts";
import { admit, createMember, type Ec2, follow, type Member, route } from "./members.ts";

describe("transit gateways", () => {
    async function attach(w: World, one: Member, TransitGatewayId: string) {
        const request = { TransitGatewayId, VpcId: one.vpcId, SubnetIds: [one.subnetId] };
        const { TransitGatewayVpcAttachment } = await one.ec2.createTransitGatewayVpcAttachment(request);
        w.minutes(1);
        return TransitGatewayVpcAttachment.TransitGatewayAttachmentId;
    }
    async function hub(w: World, ec2: Ec2) {
        const { TransitGateway } = await ec2.createTransitGateway();
        w.minutes(2);
        return { id: TransitGateway.TransitGatewayId, table: TransitGateway.Options.AssociationDefaultRouteTableId ?? "" };
    }
    async function joined() {
        const w = createWorld();
        const [a, b] = [await createMember(w, w.ec2, IRELAND, 0), await createMember(w, w.ec2, IRELAND, 1)];
        const { id: TransitGatewayId, table } = await hub(w, w.ec2);
        const [of, to] = [await attach(w, a, TransitGatewayId), await attach(w, b, TransitGatewayId)];
        await Promise.all([route(a, b, { TransitGatewayId }), route(b, a, { TransitGatewayId }), admit(b, a.cidr)]);
        return { w, a, b, TransitGatewayId, table, of, to };
    }

    test("open within a region", async () => {
        const { w, a, b, TransitGatewayId, table, to } = await joined();
        expect(follow(w, a.node, b.node)).toMatchObject({
            open: true,
            forward: [a.subnetId, a.tableId, TransitGatewayId, table, to, b.vpcId],
        });
    });

    test("without the attachment of the other side", async () => {
        const { w, a, b, table, to } = await joined();
        await w.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: to });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: table, direction: "forward" } });
    });

    test("without the association of its own attachment", async () => {
        const { w, a, b, table, of } = await joined();
        await w.ec2.disassociateTransitGatewayRouteTable({ TransitGatewayRouteTableId: table, TransitGatewayAttachmentId: of });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-association", at: of } });
    });

    test("where the gateway's route leads nowhere", async () => {
        const { w, a, b, table } = await joined();
        await w.ec2.createTransitGatewayRoute({ TransitGatewayRouteTableId: table, DestinationCidrBlock: "10.1.0.0/24", Blackhole: true });
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "gateway-blackhole", at: table, because: "its route for 10.1.0.0/24 leads nowhere" },
        });
    });

    test("from a zone in which the VPC is not attached", async () => {
        const { w, a, b, TransitGatewayId } = await joined();
        const { SubnetId } = (await w.ec2.createSubnet({ VpcId: a.vpcId, CidrBlock: "10.0.7.0/24", AvailabilityZone: "eu-west-1b" }))
            .Subnet;
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: a.tableId });
        const node = { ...a.node, address: "10.0.7.9", securityGroupIds: [a.groupId] };
        expect(follow(w, node, b.node)).toMatchObject({ drop: { reason: "no-attachment-in-zone", at: TransitGatewayId } });
    });

    test("across regions, by static routes, and not without the one back", async () => {
        const w = createWorld();
        const [a, b] = [await createMember(w, w.ec2, IRELAND, 0), await createMember(w, w.virginia, VIRGINIA, 1)];
        const [east, west] = [await hub(w, w.ec2), await hub(w, w.virginia)];
        await attach(w, a, east.id);
        await attach(w, b, west.id);
        const { TransitGatewayPeeringAttachment } = await w.ec2.createTransitGatewayPeeringAttachment({
            TransitGatewayId: east.id,
            PeerTransitGatewayId: west.id,
            PeerAccountId: VIRGINIA.account,
            PeerRegion: VIRGINIA.region,
        });
        const { TransitGatewayAttachmentId } = TransitGatewayPeeringAttachment;
        w.minutes(1);
        await w.virginia.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId });
        w.minutes(1);
        await Promise.all([route(a, b, { TransitGatewayId: east.id }), route(b, a, { TransitGatewayId: west.id }), admit(b, a.cidr)]);
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: east.table, direction: "forward" } });
        await w.ec2.createTransitGatewayRoute({
            TransitGatewayRouteTableId: east.table,
            DestinationCidrBlock: b.cidr,
            TransitGatewayAttachmentId,
        });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: west.table, direction: "return" } });
        await w.virginia.createTransitGatewayRoute({
            TransitGatewayRouteTableId: west.table,
            DestinationCidrBlock: a.cidr,
            TransitGatewayAttachmentId,
        });
        expect(follow(w, a.node, b.node)).toMatchObject({ open: true });
    });
});

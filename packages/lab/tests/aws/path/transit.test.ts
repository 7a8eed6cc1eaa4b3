import { describe, expect, test } from "vitest";
import { IRELAND, VIRGINIA } from "../places.ts";
import { createWorld, type World } from "../world.ts";
import { admit, createMember, type Ec2, follow, type Member, route } from "./members.ts";

describe("a path across transit gateways", () => {
    async function attach(w: World, member: Member, TransitGatewayId: string) {
        const request = { TransitGatewayId, VpcId: member.vpcId, SubnetIds: [member.subnetId] };
        const { TransitGatewayVpcAttachment } = await member.ec2.createTransitGatewayVpcAttachment(request);
        w.minutes(1);
        return TransitGatewayVpcAttachment.TransitGatewayAttachmentId;
    }
    async function hub(w: World, ec2: Ec2) {
        const { TransitGateway } = await ec2.createTransitGateway();
        w.minutes(2);
        return { id: TransitGateway.TransitGatewayId, table: TransitGateway.Options.AssociationDefaultRouteTableId ?? "" };
    }
    async function createAttachedPair() {
        const w = createWorld();
        const [a, b] = [await createMember(w, w.ec2, IRELAND, 0), await createMember(w, w.ec2, IRELAND, 1)];
        const { id: TransitGatewayId, table } = await hub(w, w.ec2);
        const [fromAttachment, toAttachment] = [await attach(w, a, TransitGatewayId), await attach(w, b, TransitGatewayId)];
        await Promise.all([route(a, b, { TransitGatewayId }), route(b, a, { TransitGatewayId }), admit(b, a.cidr)]);
        return { w, a, b, TransitGatewayId, table, fromAttachment, toAttachment };
    }

    test("is open within a region", async () => {
        const { w, a, b, TransitGatewayId, table, toAttachment } = await createAttachedPair();
        expect(follow(w, a.node, b.node)).toMatchObject({
            open: true,
            forward: [a.subnetId, a.tableId, TransitGatewayId, table, toAttachment, b.vpcId],
        });
    });

    test("is dropped without the attachment of the other side", async () => {
        const { w, a, b, table, toAttachment } = await createAttachedPair();
        await w.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: toAttachment });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: table, direction: "forward" } });
    });

    test("is dropped without the association of the sender's attachment", async () => {
        const { w, a, b, table, fromAttachment } = await createAttachedPair();
        await w.ec2.disassociateTransitGatewayRouteTable({ TransitGatewayRouteTableId: table, TransitGatewayAttachmentId: fromAttachment });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-association", at: fromAttachment } });
    });

    test("is dropped by a blackhole route", async () => {
        const { w, a, b, table } = await createAttachedPair();
        await w.ec2.createTransitGatewayRoute({ TransitGatewayRouteTableId: table, DestinationCidrBlock: "10.1.0.0/24", Blackhole: true });
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "gateway-blackhole", at: table, because: "its route for 10.1.0.0/24 leads nowhere" },
        });
    });

    test("is dropped from a zone without an attachment", async () => {
        const { w, a, b, TransitGatewayId } = await createAttachedPair();
        const { SubnetId } = (await w.ec2.createSubnet({ VpcId: a.vpcId, CidrBlock: "10.0.7.0/24", AvailabilityZone: "eu-west-1b" }))
            .Subnet;
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: a.tableId });
        const node = { ...a.node, address: "10.0.7.9", securityGroupIds: [a.groupId] };
        expect(follow(w, node, b.node)).toMatchObject({ drop: { reason: "no-attachment-in-zone", at: TransitGatewayId } });
    });

    test("is open across regions with static routes in both directions", async () => {
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

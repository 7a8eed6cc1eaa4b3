import { describe, expect, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { IRELAND, OTHER_IRELAND, VIRGINIA } from "../places.ts";
import { createWorld, keeps, type World } from "../world.ts";

async function createGateway(w: World, ec2: World["ec2"] = w.ec2) {
    const { TransitGateway } = await ec2.createTransitGateway({ Description: "hub" });
    w.minutes(2);
    return { TransitGatewayId: TransitGateway.TransitGatewayId, arn: TransitGateway.TransitGatewayArn, ...TransitGateway.Options };
}

async function attachVpc(w: World, CidrBlock = "10.0.0.0/16", ec2: World["ec2"] = w.ec2, hub?: Awaited<ReturnType<typeof createGateway>>) {
    const to = hub ?? (await createGateway(w, ec2));
    const { TransitGatewayId } = to;
    const VpcId = await w.vpc(CidrBlock, ec2);
    const SubnetIds = [await w.subnet(VpcId, CidrBlock.replace("/16", "/24"), ec2)];
    const { TransitGatewayVpcAttachment } = await ec2.createTransitGatewayVpcAttachment({ TransitGatewayId, VpcId, SubnetIds });
    w.minutes(1);
    return { ...to, VpcId, SubnetIds, attachment: TransitGatewayVpcAttachment, id: TransitGatewayVpcAttachment.TransitGatewayAttachmentId };
}

const describeAttachment = async (ec2: World["ec2"], TransitGatewayAttachmentId: string) =>
    (await ec2.describeTransitGatewayVpcAttachments({ TransitGatewayAttachmentIds: [TransitGatewayAttachmentId] }))
        .TransitGatewayVpcAttachments[0];
const search = async (ec2: World["ec2"], TransitGatewayRouteTableId: string | undefined) =>
    (await ec2.searchTransitGatewayRoutes({ TransitGatewayRouteTableId: TransitGatewayRouteTableId ?? "", Filters: [] })).Routes.map(
        ({ DestinationCidrBlock, Type, State }) => [DestinationCidrBlock, Type, State],
    );
const createTable = async (w: World, TransitGatewayId: string) =>
    (await w.ec2.createTransitGatewayRouteTable({ TransitGatewayId })).TransitGatewayRouteTable.TransitGatewayRouteTableId;

keeps("transit gateways", {
    "creates a gateway, which is pending": async ({ ec2 }) => {
        const { TransitGateway } = await ec2.createTransitGateway({ Options: { AutoAcceptSharedAttachments: "disable" } });
        expect(TransitGateway).toMatchObject({
            State: "pending",
            OwnerId: IRELAND.account,
            Options: { DefaultRouteTableAssociation: "enable" },
        });
        expect(TransitGateway.TransitGatewayId).toMatch(/^tgw-0[0-9a-f]{16}$/);
    },
    "becomes available": async (w) => {
        const { TransitGatewayId } = await createGateway(w);
        expect((await w.ec2.describeTransitGateways({ TransitGatewayIds: [TransitGatewayId] })).TransitGateways[0]?.State).toBe(
            "available",
        );
    },
    "attaches a VPC": async (w) => {
        const { attachment, SubnetIds } = await attachVpc(w);
        expect(attachment.State).toBe("pending");
        expect(attachment).not.toHaveProperty("interfaceIds");
        await refused(w.ec2.deleteSubnet({ SubnetId: SubnetIds[0] ?? "" }), "DependencyViolation");
        const { TransitGatewayId } = (await w.ec2.createTransitGateway()).TransitGateway;
        await refused(
            w.ec2.createTransitGatewayVpcAttachment({ TransitGatewayId, VpcId: attachment.VpcId, SubnetIds }),
            "IncorrectState",
            `${TransitGatewayId} is in invalid state`,
        );
    },
    "makes the attachment available": async (w) =>
        expect((await describeAttachment(w.ec2, (await attachVpc(w)).id))?.State).toBe("available"),
    "refuses a second attachment of the same VPC": async (w) => {
        const { TransitGatewayId, VpcId, SubnetIds } = await attachVpc(w);
        await refused(
            w.ec2.createTransitGatewayVpcAttachment({ TransitGatewayId, VpcId, SubnetIds }),
            "DuplicateTransitGatewayAttachment",
            `${TransitGatewayId} has non-deleted Transit Gateway Attachments with same VPC ID.`,
        );
    },
    "creates a route table": async (w) => {
        const id = await createTable(w, (await createGateway(w)).TransitGatewayId);
        expect(id).toMatch(/^tgw-rtb-0[0-9a-f]{16}$/);
        expect(await search(w.ec2, id)).toEqual([]);
    },
    "creates a static route": async (w) => {
        const { TransitGatewayId, id } = await attachVpc(w);
        const TransitGatewayRouteTableId = await createTable(w, TransitGatewayId);
        const route = { TransitGatewayRouteTableId, DestinationCidrBlock: "10.9.0.0/16", TransitGatewayAttachmentId: id };
        expect((await w.ec2.createTransitGatewayRoute(route)).Route).toMatchObject({ Type: "static", State: "active" });
        await refused(
            w.ec2.createTransitGatewayRoute({ ...route, DestinationCidrBlock: "10.8.0.0/16", TransitGatewayAttachmentId: "tgw-attach-1" }),
            "InvalidTransitGatewayAttachmentID.NotFound",
        );
    },
    "refuses a duplicate route": async (w) => {
        const { TransitGatewayId, id } = await attachVpc(w);
        const TransitGatewayRouteTableId = await createTable(w, TransitGatewayId);
        const route = { TransitGatewayRouteTableId, DestinationCidrBlock: "10.9.0.0/16", TransitGatewayAttachmentId: id };
        await w.ec2.createTransitGatewayRoute(route);
        await refused(w.ec2.createTransitGatewayRoute(route), "RouteAlreadyExists");
    },
    "searches routes": async (w) => {
        const { id, AssociationDefaultRouteTableId = "", VpcId } = await attachVpc(w);
        const route = { TransitGatewayRouteTableId: AssociationDefaultRouteTableId, DestinationCidrBlock: "10.9.0.0/16" };
        await w.ec2.createTransitGatewayRoute({ ...route, Blackhole: true });
        const { Routes } = await w.ec2.searchTransitGatewayRoutes({
            TransitGatewayRouteTableId: AssociationDefaultRouteTableId,
            Filters: [{ Name: "type", Values: ["propagated"] }],
        });
        expect(Routes).toEqual([
            {
                DestinationCidrBlock: "10.0.0.0/16",
                Type: "propagated",
                State: "active",
                TransitGatewayAttachments: [{ ResourceId: VpcId, ResourceType: "vpc", TransitGatewayAttachmentId: id }],
            },
        ]);
        expect(await search(w.ec2, AssociationDefaultRouteTableId)).toContainEqual(["10.9.0.0/16", "static", "blackhole"]);
    },
    "associates and propagates an attachment": async (w) => {
        const { TransitGatewayId, id, AssociationDefaultRouteTableId = "" } = await attachVpc(w);
        const pair = { TransitGatewayRouteTableId: await createTable(w, TransitGatewayId), TransitGatewayAttachmentId: id };
        await refused(w.ec2.associateTransitGatewayRouteTable(pair), "Resource.AlreadyAssociated");
        await w.ec2.disassociateTransitGatewayRouteTable({ ...pair, TransitGatewayRouteTableId: AssociationDefaultRouteTableId });
        await w.ec2.associateTransitGatewayRouteTable(pair);
        await w.ec2.enableTransitGatewayRouteTablePropagation(pair);
        await refused(w.ec2.enableTransitGatewayRouteTablePropagation(pair), "TransitGatewayRouteTablePropagation.Duplicate");
        expect((await w.ec2.getTransitGatewayRouteTableAssociations(pair)).Associations).toMatchObject([
            { TransitGatewayAttachmentId: id },
        ]);
        expect(await search(w.ec2, pair.TransitGatewayRouteTableId)).toEqual([["10.0.0.0/16", "propagated", "active"]]);
    },
    "allows a VPC's route to the gateway": async (w) => {
        const { TransitGatewayId, VpcId, id } = await attachVpc(w);
        const RouteTableId = await w.table(VpcId);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", TransitGatewayId });
        const state = async () => (await w.ec2.describeRouteTables({ RouteTableIds: [RouteTableId] })).RouteTables[0]?.Routes[1]?.State;
        expect(await state()).toBe("active");
        await w.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id });
        expect(await state()).toBe("blackhole");
    },
    "refuses a VPC's route before the VPC is attached": async (w) => {
        const { TransitGatewayId } = await createGateway(w);
        const RouteTableId = await w.table(await w.vpc());
        await refused(
            w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", TransitGatewayId }),
            "InvalidTransitGatewayID.NotFound",
            `The transitGateway ID '${TransitGatewayId}' does not exist.`,
        );
    },
    "refuses to delete a gateway with attachments": async (w) => {
        const { TransitGatewayId, VpcId, SubnetIds, id } = await attachVpc(w);
        const remove = () => w.ec2.deleteTransitGateway({ TransitGatewayId });
        await refused(remove(), "IncorrectState", `${TransitGatewayId} has non-deleted VPC Attachments: ${id}.`);
        await w.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: id });
        await refused(remove(), "IncorrectState");
        w.minutes(1);
        await remove();
        w.minutes(1);
        await w.ec2.deleteSubnet({ SubnetId: SubnetIds[0] ?? "" });
        await w.ec2.deleteVpc({ VpcId });
    },
    "accepts a peering attachment only in the peer region": async (w) => {
        const { TransitGatewayId } = await createGateway(w);
        const { TransitGatewayId: PeerTransitGatewayId } = await createGateway(w, w.virginia);
        const peer = { PeerTransitGatewayId, PeerAccountId: VIRGINIA.account, PeerRegion: VIRGINIA.region };
        await refused(
            w.ec2.createTransitGatewayPeeringAttachment({ TransitGatewayId, ...peer, PeerRegion: "eu-west-2" }),
            "InvalidTransitGatewayID.NotFound",
        );
        const { TransitGatewayPeeringAttachment } = await w.ec2.createTransitGatewayPeeringAttachment({ TransitGatewayId, ...peer });
        expect(TransitGatewayPeeringAttachment.State).toBe("initiatingRequest");
        const id = { TransitGatewayAttachmentId: TransitGatewayPeeringAttachment.TransitGatewayAttachmentId };
        w.minutes(1);
        await refused(
            w.ec2.acceptTransitGatewayPeeringAttachment(id),
            "InvalidParameterValue",
            `Cannot accept ${id.TransitGatewayAttachmentId} as the source of the peering request.`,
        );
        await w.virginia.acceptTransitGatewayPeeringAttachment(id);
        await refused(w.virginia.acceptTransitGatewayPeeringAttachment(id), "IncorrectState");
        w.minutes(1);
        for (const ec2 of [w.ec2, w.virginia])
            expect((await ec2.describeTransitGatewayPeeringAttachments()).TransitGatewayPeeringAttachments[0]?.State).toBe("available");
        await refused(
            w.ec2.deleteTransitGateway({ TransitGatewayId }),
            "IncorrectState",
            `${TransitGatewayId} has non-deleted Transit Gateway Cross Region Peering Attachments: ${id.TransitGatewayAttachmentId}.`,
        );
    },
    "does not propagate across a peering, which static routes can use": async (w) => {
        const here = await attachVpc(w);
        const there = await attachVpc(w, "10.1.0.0/16", w.virginia);
        const { TransitGatewayPeeringAttachment } = await w.ec2.createTransitGatewayPeeringAttachment({
            TransitGatewayId: here.TransitGatewayId,
            PeerTransitGatewayId: there.TransitGatewayId,
            PeerAccountId: VIRGINIA.account,
            PeerRegion: VIRGINIA.region,
        });
        const { TransitGatewayAttachmentId } = TransitGatewayPeeringAttachment;
        const route = {
            TransitGatewayRouteTableId: here.AssociationDefaultRouteTableId ?? "",
            DestinationCidrBlock: "10.1.0.0/16",
            TransitGatewayAttachmentId,
        };
        w.minutes(1);
        await refused(w.ec2.createTransitGatewayRoute(route), "IncorrectState");
        await w.virginia.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId });
        w.minutes(1);
        expect(await search(w.ec2, here.PropagationDefaultRouteTableId)).toEqual([["10.0.0.0/16", "propagated", "active"]]);
        await w.ec2.createTransitGatewayRoute(route);
        expect(await search(w.ec2, here.AssociationDefaultRouteTableId)).toContainEqual(["10.1.0.0/16", "static", "active"]);
    },
    "shows another account only a shared gateway, whose owner accepts its attachment": async (w) => {
        const hub = await createGateway(w);
        await refused(attachVpc(w, "10.1.0.0/16", w.others, hub), "InvalidTransitGatewayID.NotFound");
        const ram = w.aws.in(IRELAND).ram;
        const { resourceShareArn } = (await ram.createResourceShare({ name: "mesh", allowExternalPrincipals: false })).resourceShare;
        await ram.associateResourceShare({ resourceShareArn, resourceArns: [hub.arn] });
        expect((await w.others.describeTransitGateways()).TransitGateways).toEqual([]);
        await ram.associateResourceShare({ resourceShareArn, principals: [OTHER_IRELAND.account] });
        const { id, attachment: created } = await attachVpc(w, "10.2.0.0/16", w.others, hub);
        expect(created.State).toBe("pendingAcceptance");
        const accept = { TransitGatewayAttachmentId: id };
        await refused(w.others.acceptTransitGatewayVpcAttachment(accept), "OperationNotPermitted");
        await w.ec2.acceptTransitGatewayVpcAttachment(accept);
        w.minutes(1);
        expect((await describeAttachment(w.others, id))?.State).toBe("available");
        expect(await search(w.ec2, hub.AssociationDefaultRouteTableId)).toEqual([["10.2.0.0/16", "propagated", "active"]]);
        await refused(w.others.deleteTransitGateway(hub), "InvalidTransitGatewayID.NotFound");
    },
});

describe("transit gateways: further checks", () => {
    async function createHub() {
        const w = createWorld();
        const { TransitGateway } = await w.ec2.createTransitGateway();
        const ref = { TransitGatewayId: TransitGateway.TransitGatewayId };
        const early = w.ec2.modifyTransitGateway({ ...ref, Description: "too early" });
        await refused(early, "IncorrectState");
        w.minutes(2);
        const VpcId = await w.vpc();
        const zoned = async (CidrBlock: string) =>
            (await w.ec2.createSubnet({ VpcId, CidrBlock, AvailabilityZone: "eu-west-1a" })).Subnet.SubnetId;
        const SubnetIds = [await zoned("10.0.0.0/24"), await zoned("10.0.1.0/24")];
        return { w, ref, VpcId, SubnetIds, table: TransitGateway.Options.AssociationDefaultRouteTableId ?? "" };
    }

    test("allows one subnet per zone, only of the VPC, and changes an attachment only once it is available", async () => {
        const { w, ref, VpcId, SubnetIds, table } = await createHub();
        const request = { ...ref, VpcId, SubnetIds };
        await refused(w.ec2.createTransitGatewayVpcAttachment(request), "DuplicateSubnetsInSameZone", "Duplicate Subnets for same AZ");
        const foreign = await w.subnet(await w.vpc("10.1.0.0/16"), "10.1.0.0/24");
        await refused(w.ec2.createTransitGatewayVpcAttachment({ ...request, SubnetIds: [foreign] }), "InvalidSubnetID.NotFound");
        const created = await w.ec2.createTransitGatewayVpcAttachment({ ...request, SubnetIds: SubnetIds.slice(1) });
        const id = { TransitGatewayAttachmentId: created.TransitGatewayVpcAttachment.TransitGatewayAttachmentId };
        await refused(w.ec2.acceptTransitGatewayVpcAttachment(id), "IncorrectState");
        await refused(w.ec2.modifyTransitGatewayVpcAttachment({ ...id, AddSubnetIds: SubnetIds }), "IncorrectState");
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "IncorrectState");
        w.minutes(1);
        await refused(w.ec2.deleteTransitGatewayRouteTable({ TransitGatewayRouteTableId: table }), "IncorrectState");
        await w.ec2.modifyTransitGatewayVpcAttachment({ ...id, AddSubnetIds: SubnetIds.slice(0, 1), RemoveSubnetIds: SubnetIds.slice(1) });
        await w.ec2.deleteSubnet({ SubnetId: SubnetIds[1] ?? "" });
        await w.ec2.deleteTransitGatewayVpcAttachment(id);
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "IncorrectState");
    });

    test("refuses unknown IDs, associations and routes", async () => {
        const { w, ref, table } = await createHub();
        const id = { TransitGatewayAttachmentId: "tgw-attach-1" };
        const inTable = { TransitGatewayRouteTableId: table };
        const block = { DestinationCidrBlock: "10.9.0.0/16" };
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "InvalidTransitGatewayAttachmentID.NotFound");
        await refused(w.ec2.deleteTransitGatewayPeeringAttachment(id), "InvalidTransitGatewayAttachmentID.NotFound");
        await refused(w.ec2.deleteTransitGateway({ TransitGatewayId: "tgw-1" }), "InvalidTransitGatewayID.NotFound");
        await refused(w.ec2.disassociateTransitGatewayRouteTable({ ...inTable, ...id }), "InvalidAssociationID.NotFound");
        await refused(w.ec2.deleteTransitGatewayRoute({ ...inTable, ...block }), "InvalidRoute.NotFound");
        await refused(w.ec2.createTransitGatewayRoute({ ...inTable, DestinationCidrBlock: "x", Blackhole: true }), "InvalidParameterValue");
        await refused(
            w.ec2.createTransitGatewayRoute({ TransitGatewayRouteTableId: "tgw-rtb-1", ...block }),
            "InvalidRouteTableID.NotFound",
        );
        await w.ec2.deleteTransitGateway(ref);
        w.minutes(1);
        expect((await w.ec2.describeTransitGateways()).TransitGateways[0]?.State).toBe("deleted");
        w.minutes(60);
        await refused(w.ec2.describeTransitGateways({ TransitGatewayIds: [ref.TransitGatewayId] }), "InvalidTransitGatewayID.NotFound");
    });

    test("allows one peering per pair of gateways", async () => {
        const w = createWorld();
        const [a, b] = [await w.ec2.createTransitGateway(), await w.virginia.createTransitGateway()].map(
            ({ TransitGateway }) => TransitGateway.TransitGatewayId,
        );
        w.minutes(2);
        const request = {
            TransitGatewayId: a ?? "",
            PeerTransitGatewayId: b ?? "",
            PeerAccountId: IRELAND.account,
            PeerRegion: "us-east-1",
        };
        const { TransitGatewayPeeringAttachment: created } = await w.ec2.createTransitGatewayPeeringAttachment(request);
        await refused(w.ec2.createTransitGatewayPeeringAttachment(request), "DuplicateTransitGatewayAttachment");
        await w.virginia.deleteTransitGatewayPeeringAttachment(created);
        await refused(w.ec2.deleteTransitGatewayPeeringAttachment(created), "IncorrectState");
        w.minutes(1);
        await w.ec2.createTransitGatewayPeeringAttachment(request);
    });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { FRANKFURT, IRELAND } from "../aws/places.ts";
import { type TestNetwork, testNetwork, whyNoNetwork } from "./kernel-harness.ts";
import { admissions, fastAws, type Member, member, routesTo } from "./member.ts";

const why = await whyNoNetwork();

async function hub({ ec2 }: Member) {
    const { TransitGatewayId } = (await ec2.createTransitGateway()).TransitGateway;
    const { TransitGateways } = await ec2.describeTransitGateways({ TransitGatewayIds: [TransitGatewayId] });
    return { TransitGatewayId, table: TransitGateways[0]?.Options.AssociationDefaultRouteTableId ?? "" };
}

async function attach({ ec2, vpcId, zones }: Member, TransitGatewayId: string) {
    const request = { TransitGatewayId, VpcId: vpcId, SubnetIds: zones.map(({ subnetId }) => subnetId) };
    return (await ec2.createTransitGatewayVpcAttachment(request)).TransitGatewayVpcAttachment.TransitGatewayAttachmentId;
}

/** a and c are attached to one gateway, b to another one in its own region, and the gateways are peered. */
describe.skipIf(why)("the kernel and the computed path agree on transit gateways", { timeout: 120_000 }, () => {
    let aws: SimulatedAws;
    let [a, b, c] = [] as unknown as [Member, Member, Member];
    let [east, west] = [] as unknown as [Awaited<ReturnType<typeof hub>>, Awaited<ReturnType<typeof hub>>];
    let net: TestNetwork;
    let attachments: string[] = [];
    let unconnected = 0;
    let withinRegion = 0;
    let whole = 0;

    beforeAll(async () => {
        aws = fastAws();
        a = await member(aws, { ...IRELAND, name: "a", cidr: "10.1.0.0/16", nodes: 2 });
        b = await member(aws, { ...FRANKFURT, name: "b", cidr: "10.2.0.0/16", nodes: 1 });
        c = await member(aws, { ...IRELAND, name: "c", cidr: "10.3.0.0/16", nodes: 1 });
        net = await testNetwork(aws, `t${process.pid}t`, [a, b, c]);
        [east, west] = [await hub(a), await hub(b)];
        for (const cluster of [a, b, c]) for (const { add } of admissions(cluster, "10.0.0.0/8")) await add();
    }, 600_000);
    afterAll(() => net?.close());

    test("gateways without attachments carry no packets", async () => {
        unconnected = await net.agrees();
    });

    test("propagated routes connect clusters within a region", async () => {
        attachments = [
            await attach(a, east.TransitGatewayId),
            await attach(c, east.TransitGatewayId),
            await attach(b, west.TransitGatewayId),
        ];
        await a.ec2.describeTransitGatewayVpcAttachments();
        for (const [cluster, gateway] of [
            [a, east],
            [c, east],
            [b, west],
        ] as const)
            for (const { add } of routesTo(cluster, "10.0.0.0/8", { TransitGatewayId: gateway.TransitGatewayId })) await add();
        withinRegion = await net.agrees();
        // 4 ends of a and 2 of c: each reaches the other cluster's ends and 3 balancer addresses.
        expect(withinRegion).toBe(unconnected + 4 * (2 + 3) + 2 * (4 + 3));
    });

    test("static routes connect regions, if both directions exist", async () => {
        const request = { TransitGatewayId: east.TransitGatewayId, PeerTransitGatewayId: west.TransitGatewayId };
        const { TransitGatewayAttachmentId } = (
            await a.ec2.createTransitGatewayPeeringAttachment({
                ...request,
                PeerAccountId: b.place.account,
                PeerRegion: b.place.region,
            })
        ).TransitGatewayPeeringAttachment;
        await b.ec2.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId });
        const toWest = { TransitGatewayRouteTableId: east.table, DestinationCidrBlock: b.cidr, TransitGatewayAttachmentId };
        await a.ec2.createTransitGatewayRoute(toWest);
        expect(await net.agrees()).toBe(withinRegion);
        await b.ec2.createTransitGatewayRoute({ ...toWest, TransitGatewayRouteTableId: west.table, DestinationCidrBlock: "10.0.0.0/8" });
        whole = await net.agrees();
        // From 6 ends in the first region to 2 ends and 3 balancer addresses; from 2 ends in the second to 6 ends and 6 addresses.
        expect(whole).toBe(withinRegion + 6 * (2 + 3) + 2 * (6 + 6));
    });

    test("agree without the route of one zone to the gateway", async () => {
        const [first] = routesTo(a, "10.0.0.0/8", { TransitGatewayId: east.TransitGatewayId });
        await first?.remove();
        expect(await net.agrees()).toBeLessThan(whole);
        await first?.add();
        expect(await net.agrees()).toBe(whole);
    });

    test("agree on a blackhole route in the gateway's table", async () => {
        const hole = { TransitGatewayRouteTableId: east.table, DestinationCidrBlock: "10.2.0.0/24" };
        await a.ec2.createTransitGatewayRoute({ ...hole, Blackhole: true });
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.deleteTransitGatewayRoute(hole);
        expect(await net.agrees()).toBe(whole);
    });

    test("agree without an attachment's propagation", async () => {
        const pair = { TransitGatewayRouteTableId: east.table, TransitGatewayAttachmentId: attachments[0] ?? "" };
        await a.ec2.disableTransitGatewayRouteTablePropagation(pair);
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.enableTransitGatewayRouteTablePropagation(pair);
        expect(await net.agrees()).toBe(whole);
    });

    test("agree without an attachment's association", async () => {
        const pair = { TransitGatewayRouteTableId: east.table, TransitGatewayAttachmentId: attachments[1] ?? "" };
        await a.ec2.disassociateTransitGatewayRouteTable(pair);
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.associateTransitGatewayRouteTable(pair);
        expect(await net.agrees()).toBe(whole);
    });

    test("agree on a zone in which the attachment has no subnet", async () => {
        const TransitGatewayAttachmentId = attachments[0] ?? "";
        const [zone] = a.zones.map(({ subnetId }) => subnetId);
        await a.ec2.modifyTransitGatewayVpcAttachment({ TransitGatewayAttachmentId, RemoveSubnetIds: [zone ?? ""] });
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.modifyTransitGatewayVpcAttachment({ TransitGatewayAttachmentId, AddSubnetIds: [zone ?? ""] });
        expect(await net.agrees()).toBe(whole);
    });

    test("agree without an attachment", async () => {
        await c.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: attachments[1] ?? "" });
        expect(await net.agrees()).toBeLessThan(whole);
    });
});

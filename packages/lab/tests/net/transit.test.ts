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

/** a and c are attached to one gateway, b to another in its own region, and the two gateways are peers. */
describe.skipIf(why)("the kernel and the computed path agree on transit gateways", { timeout: 120_000 }, () => {
    let aws: SimulatedAws;
    let [a, b, c] = [] as unknown as [Member, Member, Member];
    let [east, west] = [] as unknown as [Awaited<ReturnType<typeof hub>>, Awaited<ReturnType<typeof hub>>];
    let net: TestNetwork;
    let attachments: string[] = [];
    let alone = 0;
    let region = 0;
    let whole = 0;

    beforeAll(async () => {
        aws = fastAws();
        a = await member(aws, { ...IRELAND, name: "a", cidr: "10.1.0.0/16", nodes: 2 });
        b = await member(aws, { ...FRANKFURT, name: "b", cidr: "10.2.0.0/16", nodes: 1 });
        c = await member(aws, { ...IRELAND, name: "c", cidr: "10.3.0.0/16", nodes: 1 });
        net = await testNetwork(aws, `t${process.pid}t`, [a, b, c]);
        [east, west] = [await hub(a), await hub(b)];
        for (const one of [a, b, c]) for (const { give } of admissions(one, "10.0.0.0/8")) await give();
    }, 600_000);
    afterAll(() => net?.close());

    test("gateways that nothing is attached to carry nothing", async () => {
        alone = await net.agrees();
    });

    test("within a region, by the routes that attachments propagate", async () => {
        attachments = [
            await attach(a, east.TransitGatewayId),
            await attach(c, east.TransitGatewayId),
            await attach(b, west.TransitGatewayId),
        ];
        await a.ec2.describeTransitGatewayVpcAttachments();
        for (const [one, gateway] of [
            [a, east],
            [c, east],
            [b, west],
        ] as const)
            for (const { give } of routesTo(one, "10.0.0.0/8", { TransitGatewayId: gateway.TransitGatewayId })) await give();
        region = await net.agrees();
        // 4 ends of a and 2 of c: each reaches the other's ends, and 3 addresses of its balancer.
        expect(region).toBe(alone + 4 * (2 + 3) + 2 * (4 + 3));
    });

    test("between regions, by static routes, and not without the one back", async () => {
        const request = { TransitGatewayId: east.TransitGatewayId, PeerTransitGatewayId: west.TransitGatewayId };
        const { TransitGatewayAttachmentId } = (
            await a.ec2.createTransitGatewayPeeringAttachment({
                ...request,
                PeerAccountId: b.place.account,
                PeerRegion: b.place.region,
            })
        ).TransitGatewayPeeringAttachment;
        await b.ec2.acceptTransitGatewayPeeringAttachment({ TransitGatewayAttachmentId });
        const there = { TransitGatewayRouteTableId: east.table, DestinationCidrBlock: b.cidr, TransitGatewayAttachmentId };
        await a.ec2.createTransitGatewayRoute(there);
        expect(await net.agrees()).toBe(region);
        await b.ec2.createTransitGatewayRoute({ ...there, TransitGatewayRouteTableId: west.table, DestinationCidrBlock: "10.0.0.0/8" });
        whole = await net.agrees();
        // 6 ends in the one region, 2 in the other with 3 addresses of a balancer; back: 2 ends to 6 ends and 6 addresses.
        expect(whole).toBe(region + 6 * (2 + 3) + 2 * (6 + 6));
    });

    test("without the route of one zone to the gateway", async () => {
        const [first] = routesTo(a, "10.0.0.0/8", { TransitGatewayId: east.TransitGatewayId });
        await first?.take();
        expect(await net.agrees()).toBeLessThan(whole);
        await first?.give();
        expect(await net.agrees()).toBe(whole);
    });

    test("with a black hole in the gateway's table", async () => {
        const hole = { TransitGatewayRouteTableId: east.table, DestinationCidrBlock: "10.2.0.0/24" };
        await a.ec2.createTransitGatewayRoute({ ...hole, Blackhole: true });
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.deleteTransitGatewayRoute(hole);
        expect(await net.agrees()).toBe(whole);
    });

    test("without what an attachment propagates", async () => {
        const pair = { TransitGatewayRouteTableId: east.table, TransitGatewayAttachmentId: attachments[0] ?? "" };
        await a.ec2.disableTransitGatewayRouteTablePropagation(pair);
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.enableTransitGatewayRouteTablePropagation(pair);
        expect(await net.agrees()).toBe(whole);
    });

    test("without the association of an attachment", async () => {
        const pair = { TransitGatewayRouteTableId: east.table, TransitGatewayAttachmentId: attachments[1] ?? "" };
        await a.ec2.disassociateTransitGatewayRouteTable(pair);
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.associateTransitGatewayRouteTable(pair);
        expect(await net.agrees()).toBe(whole);
    });

    test("from a zone that the attachment has no subnet in", async () => {
        const TransitGatewayAttachmentId = attachments[0] ?? "";
        const [zone] = a.zones.map(({ subnetId }) => subnetId);
        await a.ec2.modifyTransitGatewayVpcAttachment({ TransitGatewayAttachmentId, RemoveSubnetIds: [zone ?? ""] });
        expect(await net.agrees()).toBeLessThan(whole);
        await a.ec2.modifyTransitGatewayVpcAttachment({ TransitGatewayAttachmentId, AddSubnetIds: [zone ?? ""] });
        expect(await net.agrees()).toBe(whole);
    });

    test("without an attachment", async () => {
        await c.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: attachments[1] ?? "" });
        expect(await net.agrees()).toBeLessThan(whole);
    });
});

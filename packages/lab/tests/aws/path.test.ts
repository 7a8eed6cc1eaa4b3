import { describe, expect, test } from "vitest";
import { makeInterface } from "../../aws/ec2/interfaces.ts";
import { type Endpoint, type FindTargets, pathBetween, type Traffic } from "../../aws/path/path.ts";
import { IRELAND, OTHERS, VIRGINIA, type World, world } from "./world.ts";

const ETCD: Traffic = { protocol: "tcp", port: 2379 };
type Ec2 = World["ec2"];

/** A VPC as a cluster has it: a subnet with a table of its own, a group, and a node. */
async function member(w: World, ec2: Ec2, place: typeof IRELAND, octet: number) {
    const cidr = `10.${octet}.0.0/16`;
    const vpcId = await w.vpc(cidr, ec2);
    const zone = `${place.region}a`;
    const { SubnetId } = (await ec2.createSubnet({ VpcId: vpcId, CidrBlock: `10.${octet}.0.0/24`, AvailabilityZone: zone })).Subnet;
    const tableId = await w.table(vpcId, ec2);
    await ec2.associateRouteTable({ SubnetId, RouteTableId: tableId });
    const groupId = await w.group(vpcId, "nodes", ec2);
    const address = `10.${octet}.0.10`;
    await ec2.createNetworkInterface({ SubnetId, Groups: [groupId], PrivateIpAddress: address });
    const node: Endpoint = { ...place, vpcId, address };
    return { ec2, place, cidr, vpcId, subnetId: SubnetId, tableId, groupId, node };
}
type Member = Awaited<ReturnType<typeof member>>;

const admit = ({ ec2, groupId }: Member, CidrIp: string) =>
    ec2.authorizeSecurityGroupIngress({
        GroupId: groupId,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, IpRanges: [{ CidrIp }] }],
    });
const route = ({ ec2, tableId }: Member, { cidr }: Member, target: { VpcPeeringConnectionId?: string; TransitGatewayId?: string }) =>
    ec2.createRoute({ RouteTableId: tableId, DestinationCidrBlock: cidr, ...target });
const unroute = ({ ec2, tableId }: Member, { cidr }: Member) => ec2.deleteRoute({ RouteTableId: tableId, DestinationCidrBlock: cidr });
const look = ({ aws }: World, from: Endpoint, to: Endpoint | { address: string }, traffic = ETCD, findTargets?: FindTargets) =>
    aws.edit(from, (scope) => pathBetween(scope, from, to, traffic, findTargets));

/** Two members that a peering joins, with routes and rules both ways. */
async function peered(far: { ec2: (w: World) => Ec2; place: typeof IRELAND }) {
    const w = world();
    const [a, b] = [await member(w, w.ec2, IRELAND, 0), await member(w, far.ec2(w), far.place, 1)];
    const request = { VpcId: a.vpcId, PeerVpcId: b.vpcId, PeerOwnerId: far.place.account, PeerRegion: far.place.region };
    const { VpcPeeringConnectionId } = (await a.ec2.createVpcPeeringConnection(request)).VpcPeeringConnection;
    w.pass(1_000);
    await b.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId });
    w.pass(1_000);
    await Promise.all([
        route(a, b, { VpcPeeringConnectionId }),
        route(b, a, { VpcPeeringConnectionId }),
        admit(a, b.cidr),
        admit(b, a.cidr),
    ]);
    return { w, a, b, VpcPeeringConnectionId };
}
const SAME = { ec2: (w: World) => w.ec2, place: IRELAND };

describe("peering", () => {
    test.each([
        ["in one region", SAME],
        ["across regions", { ec2: (w: World) => w.virginia, place: VIRGINIA }],
        ["across accounts", { ec2: (w: World) => w.others, place: OTHERS }],
    ])("open both ways %s", async (_, far) => {
        const { w, a, b, VpcPeeringConnectionId } = await peered(far);
        expect(look(w, a.node, b.node)).toEqual({
            open: true,
            forward: [a.subnetId, a.tableId, VpcPeeringConnectionId, b.vpcId],
            return: [b.subnetId, b.tableId, VpcPeeringConnectionId, a.vpcId],
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is open: ${a.subnetId}, ${a.tableId}, ${VpcPeeringConnectionId}, ${b.vpcId}; return path: ${b.subnetId}, ${b.tableId}, ${VpcPeeringConnectionId}, ${a.vpcId}`,
        });
        expect(look(w, b.node, a.node).open).toBe(true);
    });

    test("dropped before anything joins the two", async () => {
        const w = world();
        const [a, b] = [await member(w, w.ec2, IRELAND, 0), await member(w, w.ec2, IRELAND, 1)];
        expect(look(w, a.node, b.node)).toMatchObject({ open: false, drop: { reason: "no-route", at: a.tableId, direction: "forward" } });
    });

    test("without the route there", async () => {
        const { w, a, b } = await peered(SAME);
        await unroute(a, b);
        expect(look(w, a.node, b.node)).toMatchObject({
            drop: { reason: "no-route", at: a.tableId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.tableId}: it has no route to 10.1.0.10`,
        });
    });

    test("without the route back", async () => {
        const { w, a, b } = await peered(SAME);
        await unroute(b, a);
        expect(look(w, a.node, b.node)).toMatchObject({
            drop: { reason: "no-route", at: b.tableId, direction: "return" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped on the return path at ${b.tableId}: it has no route to 10.0.0.10`,
        });
    });

    test("without the peering", async () => {
        const { w, a, b, VpcPeeringConnectionId } = await peered(SAME);
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId });
        expect(look(w, a.node, b.node)).toMatchObject({
            drop: { reason: "blackhole", at: a.tableId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.tableId}: its route for 10.1.0.0/16 leads to ${VpcPeeringConnectionId}, which takes no packets`,
        });
    });

    test("without the ingress rule, or with one for another port", async () => {
        const { w, a, b } = await peered(SAME);
        const summary = (port: number) =>
            `10.0.0.10 → 10.1.0.10 tcp/${port} is dropped at ${b.groupId}: no ingress rule allows tcp/${port} from 10.0.0.10`;
        expect(look(w, a.node, b.node, { protocol: "tcp", port: 2380 })).toMatchObject({
            drop: { reason: "ingress-rule" },
            summary: summary(2380),
        });
        const { SecurityGroupRules } = await b.ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [b.groupId] }] });
        const ids = SecurityGroupRules.filter(({ IsEgress }) => !IsEgress).map(({ SecurityGroupRuleId }) => SecurityGroupRuleId);
        await b.ec2.revokeSecurityGroupIngress({ GroupId: b.groupId, SecurityGroupRuleIds: ids });
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "ingress-rule", at: b.groupId }, summary: summary(2379) });
        // Groups are stateful: what b starts is answered all the same.
        expect(look(w, b.node, a.node).open).toBe(true);
    });

    test("without an egress rule", async () => {
        const { w, a, b } = await peered(SAME);
        const everything = [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }];
        await a.ec2.revokeSecurityGroupEgress({ GroupId: a.groupId, IpPermissions: everything });
        expect(look(w, a.node, b.node)).toMatchObject({
            drop: { reason: "egress-rule", at: a.groupId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.groupId}: no egress rule allows tcp/2379 to 10.1.0.10`,
        });
        expect(look(w, b.node, a.node).open).toBe(true);
    });

    test("is not transitive", async () => {
        const { w, a, b, VpcPeeringConnectionId } = await peered(SAME);
        const c = await member(w, w.ec2, IRELAND, 2);
        await route(a, c, { VpcPeeringConnectionId });
        expect(look(w, a.node, c.node)).toMatchObject({ drop: { reason: "wrong-vpc", at: b.vpcId } });
    });

    test("the longest prefix decides", async () => {
        const { w, a, b } = await peered(SAME);
        const GatewayId = await w.gateway(a.vpcId);
        await a.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", GatewayId });
        expect(look(w, a.node, b.node).open).toBe(true);
        await a.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "10.1.0.0/24", GatewayId });
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-public-address" } });
    });

    test("a rule may name a group across it, and means nobody else", async () => {
        const { w, a, b } = await peered(SAME);
        await b.ec2.authorizeSecurityGroupIngress({
            GroupId: b.groupId,
            IpPermissions: [{ IpProtocol: "tcp", FromPort: 443, ToPort: 443, UserIdGroupPairs: [{ GroupId: a.groupId }] }],
        });
        const https: Traffic = { protocol: "tcp", port: 443 };
        expect(look(w, a.node, b.node, https).open).toBe(true);
        const other = await w.group(a.vpcId, "others");
        expect(look(w, { ...a.node, securityGroupIds: [other] }, b.node, https)).toMatchObject({ drop: { reason: "ingress-rule" } });
    });
});

describe("addresses", () => {
    test("a pod has its node's groups, a free address none unless they are given", async () => {
        const { w, a, b } = await peered(SAME);
        w.aws.edit(IRELAND, (scope) => {
            makeInterface(scope, { SubnetId: a.subnetId, Groups: [a.groupId], PrivateIpAddress: "10.0.0.20", RequesterId: "eks" });
        });
        const pod: Endpoint = { ...a.node, address: "10.0.0.99" };
        expect(look(w, pod, b.node)).toMatchObject({ drop: { reason: "no-interface", at: a.subnetId } });
        expect(look(w, { ...pod, securityGroupIds: [a.groupId] }, b.node).open).toBe(true);
    });

    test("outside every subnet there is nobody", async () => {
        const { w, a, b } = await peered(SAME);
        expect(look(w, a.node, { ...b.node, address: "10.1.200.1" })).toMatchObject({ drop: { reason: "no-subnet", at: b.vpcId } });
    });

    test("within one VPC, the local route leads there", async () => {
        const w = world();
        const a = await member(w, w.ec2, IRELAND, 0);
        await admit(a, "10.0.0.0/24");
        const other = { ...a.node, address: "10.0.0.11", securityGroupIds: [a.groupId] };
        expect(look(w, a.node, other)).toMatchObject({ open: true, forward: [a.subnetId, a.tableId, "local", a.vpcId] });
    });
});

describe("the internet", () => {
    async function behindNat() {
        const w = world();
        const a = await member(w, w.ec2, IRELAND, 0);
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

    test("through a NAT gateway and the internet gateway", async () => {
        const { w, a, NatGatewayId, GatewayId } = await behindNat();
        const path = look(w, a.node, OUTSIDE);
        expect(path.open).toBe(true);
        expect(path.forward).toEqual(expect.arrayContaining([NatGatewayId, GatewayId]));
    });

    test("not while the NAT gateway is being deleted", async () => {
        const { w, a, NatGatewayId } = await behindNat();
        await w.ec2.deleteNatGateway({ NatGatewayId });
        expect(look(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "blackhole", at: a.tableId } });
    });

    test("not while the NAT gateway is pending", async () => {
        const { w, a, GatewayId, publicTable } = await behindNat();
        const SubnetId = await w.subnet(a.vpcId, "10.0.2.0/24");
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: publicTable });
        const { AllocationId } = await w.ec2.allocateAddress();
        const { NatGatewayId } = (await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway;
        await w.ec2.replaceRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        expect(look(w, a.node, OUTSIDE)).toMatchObject({
            drop: { reason: "nat-unusable", at: NatGatewayId, because: "its state is pending" },
        });
        w.minutes(2);
        expect(look(w, a.node, OUTSIDE).forward).toContain(GatewayId);
    });

    test("not when the NAT gateway's own subnet leads back to it", async () => {
        const { w, a, NatGatewayId, publicTable } = await behindNat();
        await w.ec2.replaceRoute({ RouteTableId: publicTable, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        expect(look(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "nat-unusable", at: NatGatewayId } });
    });

    test("not when the NAT gateway's own subnet has no way out", async () => {
        const { w, a, publicTable } = await behindNat();
        await w.ec2.deleteRoute({ RouteTableId: publicTable, DestinationCidrBlock: "0.0.0.0/0" });
        expect(look(w, a.node, OUTSIDE)).toMatchObject({ drop: { reason: "no-route", at: publicTable } });
    });

    test("a private address of another VPC is not found there", async () => {
        const { w, a } = await behindNat();
        const b = await member(w, w.ec2, IRELAND, 1);
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "internet" } });
    });
});

describe("a NAT gateway before a peering", () => {
    /** a's own table leads to a private NAT gateway, whose subnet's table leads to b. */
    async function translated() {
        const made = await peered(SAME);
        const { w, a, b, VpcPeeringConnectionId } = made;
        const SubnetId = await w.subnet(a.vpcId, "10.0.1.0/24");
        const RouteTableId = await w.table(a.vpcId);
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId });
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: b.cidr, VpcPeeringConnectionId });
        const request = { SubnetId, ConnectivityType: "private" as const, PrivateIpAddress: "10.0.1.9" };
        const { NatGatewayId } = (await w.ec2.createNatGateway(request)).NatGateway;
        w.minutes(2);
        await unroute(a, b);
        await w.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", NatGatewayId });
        return { ...made, NatGatewayId };
    }

    test("is whom the other side admits and answers", async () => {
        const { w, a, b } = await translated();
        expect(look(w, a.node, b.node).open).toBe(true);
        await w.ec2.revokeSecurityGroupIngress({
            GroupId: b.groupId,
            IpPermissions: [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, IpRanges: [{ CidrIp: a.cidr }] }],
        });
        await admit(b, "10.0.0.0/24");
        expect(look(w, a.node, b.node).summary).toContain("no ingress rule allows tcp/2379 from 10.0.1.9");
        await admit(b, "10.0.1.0/24");
        expect(look(w, a.node, b.node).open).toBe(true);
    });

    test("answers for nobody who has not come through it", async () => {
        const { w, a, b, NatGatewayId } = await translated();
        expect(look(w, b.node, a.node)).toMatchObject({
            open: false,
            drop: { reason: "nat-answer", at: NatGatewayId, direction: "return" },
        });
    });
});

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
        const w = world();
        const [a, b] = [await member(w, w.ec2, IRELAND, 0), await member(w, w.ec2, IRELAND, 1)];
        const { id: TransitGatewayId, table } = await hub(w, w.ec2);
        const [of, to] = [await attach(w, a, TransitGatewayId), await attach(w, b, TransitGatewayId)];
        await Promise.all([route(a, b, { TransitGatewayId }), route(b, a, { TransitGatewayId }), admit(b, a.cidr)]);
        return { w, a, b, TransitGatewayId, table, of, to };
    }

    test("open within a region", async () => {
        const { w, a, b, TransitGatewayId, table, to } = await joined();
        expect(look(w, a.node, b.node)).toMatchObject({
            open: true,
            forward: [a.subnetId, a.tableId, TransitGatewayId, table, to, b.vpcId],
        });
    });

    test("without the attachment of the other side", async () => {
        const { w, a, b, table, to } = await joined();
        await w.ec2.deleteTransitGatewayVpcAttachment({ TransitGatewayAttachmentId: to });
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: table, direction: "forward" } });
    });

    test("without the association of its own attachment", async () => {
        const { w, a, b, table, of } = await joined();
        await w.ec2.disassociateTransitGatewayRouteTable({ TransitGatewayRouteTableId: table, TransitGatewayAttachmentId: of });
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-association", at: of } });
    });

    test("where the gateway's route leads nowhere", async () => {
        const { w, a, b, table } = await joined();
        await w.ec2.createTransitGatewayRoute({ TransitGatewayRouteTableId: table, DestinationCidrBlock: "10.1.0.0/24", Blackhole: true });
        expect(look(w, a.node, b.node)).toMatchObject({
            drop: { reason: "gateway-blackhole", at: table, because: "its route for 10.1.0.0/24 leads nowhere" },
        });
    });

    test("from a zone in which the VPC is not attached", async () => {
        const { w, a, b, TransitGatewayId } = await joined();
        const { SubnetId } = (await w.ec2.createSubnet({ VpcId: a.vpcId, CidrBlock: "10.0.7.0/24", AvailabilityZone: "eu-west-1b" }))
            .Subnet;
        await w.ec2.associateRouteTable({ SubnetId, RouteTableId: a.tableId });
        const node = { ...a.node, address: "10.0.7.9", securityGroupIds: [a.groupId] };
        expect(look(w, node, b.node)).toMatchObject({ drop: { reason: "no-attachment-in-zone", at: TransitGatewayId } });
    });

    test("across regions, by static routes, and not without the one back", async () => {
        const w = world();
        const [a, b] = [await member(w, w.ec2, IRELAND, 0), await member(w, w.virginia, VIRGINIA, 1)];
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
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: east.table, direction: "forward" } });
        await w.ec2.createTransitGatewayRoute({
            TransitGatewayRouteTableId: east.table,
            DestinationCidrBlock: b.cidr,
            TransitGatewayAttachmentId,
        });
        expect(look(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-gateway-route", at: west.table, direction: "return" } });
        await w.virginia.createTransitGatewayRoute({
            TransitGatewayRouteTableId: west.table,
            DestinationCidrBlock: a.cidr,
            TransitGatewayAttachmentId,
        });
        expect(look(w, a.node, b.node)).toMatchObject({ open: true });
    });
});

describe("a load balancer", () => {
    async function balanced() {
        const made = await peered(SAME);
        const { w, b } = made;
        const group = await w.group(b.vpcId, "etcd");
        const address = "10.1.0.16";
        w.aws.edit(IRELAND, (scope) =>
            makeInterface(scope, { SubnetId: b.subnetId, Groups: [group], PrivateIpAddress: address, RequesterId: "amazon-elb" }),
        );
        await admit({ ...b, groupId: group }, made.a.cidr);
        const behind =
            (healthy: boolean): FindTargets =>
            (_, { PrivateIpAddress }) =>
                PrivateIpAddress === address ? [{ endpoint: b.node, port: 32379, healthy }] : undefined;
        const toNodes = { IpProtocol: "tcp", FromPort: 32379, ToPort: 32379, UserIdGroupPairs: [{ GroupId: group }] };
        const nodes = { GroupId: b.groupId, IpPermissions: [toNodes] };
        await w.ec2.authorizeSecurityGroupIngress(nodes);
        return { ...made, nodes, behind, etcd: { ...b.node, address } as Endpoint };
    }

    test("hands on to a healthy target", async () => {
        const { w, a, etcd, behind, b } = await balanced();
        expect(look(w, a.node, etcd, ETCD, behind(true))).toMatchObject({ open: true, forward: expect.arrayContaining([b.vpcId]) });
    });

    test("without groups lets everything in", async () => {
        const { w, a, b } = await balanced();
        const bare = "10.1.0.17";
        w.aws.edit(IRELAND, (scope) => makeInterface(scope, { SubnetId: b.subnetId, PrivateIpAddress: bare, RequesterId: "amazon-elb" }));
        expect(look(w, a.node, { ...b.node, address: bare })).toMatchObject({ open: true });
        expect(look(w, a.node, { ...b.node, address: "10.1.0.18", securityGroupIds: [] })).toMatchObject({
            drop: { reason: "ingress-rule" },
        });
    });

    test("says so when none is healthy", async () => {
        const { w, a, etcd, behind } = await balanced();
        expect(look(w, a.node, etcd, ETCD, behind(false))).toMatchObject({
            drop: { reason: "no-target", because: "none of its 1 targets is healthy" },
        });
    });

    test("says so when its target does not admit it", async () => {
        const { w, a, b, etcd, behind, nodes } = await balanced();
        await w.ec2.revokeSecurityGroupIngress(nodes);
        const path = look(w, a.node, etcd, ETCD, behind(true));
        expect(path.drop?.reason).toBe("no-target");
        expect(path.summary).toContain(`${b.groupId}: no ingress rule allows tcp/32379 from 10.1.0.16`);
    });
});

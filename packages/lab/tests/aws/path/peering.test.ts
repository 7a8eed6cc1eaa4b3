import { describe, expect, test } from "vitest";
import { createInterface } from "../../../aws/ec2/interfaces.ts";
import type { Endpoint, Traffic } from "../../../aws/path/path.ts";
import { IRELAND, OTHER_IRELAND, VIRGINIA } from "../places.ts";
import { createWorld, type World } from "../world.ts";
import { admit, createMember, createPeered, follow, route, SAME, unroute } from "./members.ts";

describe("a path across a peering", () => {
    test.each([
        ["in one region", SAME],
        ["across regions", { ec2: (w: World) => w.virginia, place: VIRGINIA }],
        ["across accounts", { ec2: (w: World) => w.others, place: OTHER_IRELAND }],
    ])("is open in both directions %s", async (_, far) => {
        const { w, a, b, VpcPeeringConnectionId } = await createPeered(far);
        expect(follow(w, a.node, b.node)).toEqual({
            open: true,
            forward: [a.subnetId, a.tableId, VpcPeeringConnectionId, b.vpcId],
            return: [b.subnetId, b.tableId, VpcPeeringConnectionId, a.vpcId],
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is open: ${a.subnetId}, ${a.tableId}, ${VpcPeeringConnectionId}, ${b.vpcId}; return path: ${b.subnetId}, ${b.tableId}, ${VpcPeeringConnectionId}, ${a.vpcId}`,
        });
        expect(follow(w, b.node, a.node).open).toBe(true);
    });

    test("is dropped without a peering and routes", async () => {
        const w = createWorld();
        const [a, b] = [await createMember(w, w.ec2, IRELAND, 0), await createMember(w, w.ec2, IRELAND, 1)];
        expect(follow(w, a.node, b.node)).toMatchObject({ open: false, drop: { reason: "no-route", at: a.tableId, direction: "forward" } });
    });

    test("is dropped without the forward route", async () => {
        const { w, a, b } = await createPeered(SAME);
        await unroute(a, b);
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "no-route", at: a.tableId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.tableId}: it has no route to 10.1.0.10`,
        });
    });

    test("is dropped without the return route", async () => {
        const { w, a, b } = await createPeered(SAME);
        await unroute(b, a);
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "no-route", at: b.tableId, direction: "return" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped on the return path at ${b.tableId}: it has no route to 10.0.0.10`,
        });
    });

    test("is dropped when the peering has been deleted", async () => {
        const { w, a, b, VpcPeeringConnectionId } = await createPeered(SAME);
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId });
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "blackhole", at: a.tableId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.tableId}: its route for 10.1.0.0/16 leads to ${VpcPeeringConnectionId}, which takes no packets`,
        });
    });

    test("is dropped without an ingress rule for its port", async () => {
        const { w, a, b } = await createPeered(SAME);
        const summary = (port: number) =>
            `10.0.0.10 → 10.1.0.10 tcp/${port} is dropped at ${b.groupId}: no ingress rule allows tcp/${port} from 10.0.0.10`;
        expect(follow(w, a.node, b.node, { protocol: "tcp", port: 2380 })).toMatchObject({
            drop: { reason: "ingress-rule" },
            summary: summary(2380),
        });
        const { SecurityGroupRules } = await b.ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [b.groupId] }] });
        const ids = SecurityGroupRules.filter(({ IsEgress }) => !IsEgress).map(({ SecurityGroupRuleId }) => SecurityGroupRuleId);
        await b.ec2.revokeSecurityGroupIngress({ GroupId: b.groupId, SecurityGroupRuleIds: ids });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "ingress-rule", at: b.groupId }, summary: summary(2379) });
        // Security groups are stateful: answers to connections from b are still allowed.
        expect(follow(w, b.node, a.node).open).toBe(true);
    });

    test("is dropped without an egress rule", async () => {
        const { w, a, b } = await createPeered(SAME);
        const everything = [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }];
        await a.ec2.revokeSecurityGroupEgress({ GroupId: a.groupId, IpPermissions: everything });
        expect(follow(w, a.node, b.node)).toMatchObject({
            drop: { reason: "egress-rule", at: a.groupId, direction: "forward" },
            summary: `10.0.0.10 → 10.1.0.10 tcp/2379 is dropped at ${a.groupId}: no egress rule allows tcp/2379 to 10.1.0.10`,
        });
        expect(follow(w, b.node, a.node).open).toBe(true);
    });

    test("is not transitive", async () => {
        const { w, a, b, VpcPeeringConnectionId } = await createPeered(SAME);
        const c = await createMember(w, w.ec2, IRELAND, 2);
        await route(a, c, { VpcPeeringConnectionId });
        expect(follow(w, a.node, c.node)).toMatchObject({ drop: { reason: "wrong-vpc", at: b.vpcId } });
    });

    test("follows the route with the longest prefix", async () => {
        const { w, a, b } = await createPeered(SAME);
        const GatewayId = await w.gateway(a.vpcId);
        await a.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "0.0.0.0/0", GatewayId });
        expect(follow(w, a.node, b.node).open).toBe(true);
        await a.ec2.createRoute({ RouteTableId: a.tableId, DestinationCidrBlock: "10.1.0.0/24", GatewayId });
        expect(follow(w, a.node, b.node)).toMatchObject({ drop: { reason: "no-public-address" } });
    });

    test("is open by a rule that refers to the sender's group, and for no other group", async () => {
        const { w, a, b } = await createPeered(SAME);
        await b.ec2.authorizeSecurityGroupIngress({
            GroupId: b.groupId,
            IpPermissions: [{ IpProtocol: "tcp", FromPort: 443, ToPort: 443, UserIdGroupPairs: [{ GroupId: a.groupId }] }],
        });
        const https: Traffic = { protocol: "tcp", port: 443 };
        expect(follow(w, a.node, b.node, https).open).toBe(true);
        const other = await w.group(a.vpcId, "others");
        expect(follow(w, { ...a.node, securityGroupIds: [other] }, b.node, https)).toMatchObject({ drop: { reason: "ingress-rule" } });
    });
});

describe("the ends of a path", () => {
    test("an unused address has no security groups unless they are given", async () => {
        const { w, a, b } = await createPeered(SAME);
        w.aws.edit(IRELAND, (scope) => {
            createInterface(scope, { SubnetId: a.subnetId, Groups: [a.groupId], PrivateIpAddress: "10.0.0.20", RequesterId: "eks" });
        });
        const pod: Endpoint = { ...a.node, address: "10.0.0.99" };
        expect(follow(w, pod, b.node)).toMatchObject({ drop: { reason: "no-interface", at: a.subnetId } });
        expect(follow(w, { ...pod, securityGroupIds: [a.groupId] }, b.node).open).toBe(true);
    });

    test("an address outside every subnet does not exist", async () => {
        const { w, a, b } = await createPeered(SAME);
        expect(follow(w, a.node, { ...b.node, address: "10.1.200.1" })).toMatchObject({ drop: { reason: "no-subnet", at: b.vpcId } });
    });

    test("the local route leads to addresses of the same VPC", async () => {
        const w = createWorld();
        const a = await createMember(w, w.ec2, IRELAND, 0);
        await admit(a, "10.0.0.0/24");
        const other = { ...a.node, address: "10.0.0.11", securityGroupIds: [a.groupId] };
        expect(follow(w, a.node, other)).toMatchObject({ open: true, forward: [a.subnetId, a.tableId, "local", a.vpcId] });
    });
});

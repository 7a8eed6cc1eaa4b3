import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { FRANKFURT, IRELAND } from "../aws/places.ts";
import { leftovers, type TestNetwork, testNetwork, whyNoNetwork } from "./kernel-harness.ts";
import { admissions, fastAws, type Member, member, POD_PORT, requestPeering, routesTo } from "./member.ts";

const why = await whyNoNetwork();
const ID = `t${process.pid}p`;

/** One mesh, taken through its life; each test begins and ends with all of it in order, but for those that make it and end it. */
describe.skipIf(why)("the kernel and the computed path agree on a peered mesh", { timeout: 120_000 }, () => {
    let aws: SimulatedAws;
    let [a, b, c] = [] as unknown as [Member, Member, Member];
    let net: TestNetwork;
    let peering = "";
    let whole = 0;

    beforeAll(async () => {
        aws = fastAws();
        a = await member(aws, { ...IRELAND, name: "a", cidr: "10.248.0.0/16", nodes: 3 });
        b = await member(aws, { ...FRANKFURT, name: "b", cidr: "192.168.0.0/16", nodes: 3 });
        c = await member(aws, { ...IRELAND, name: "c", cidr: "10.7.0.0/16", nodes: 1 });
        // Its one node reaches all three addresses of its balancer only where zones are crossed.
        await admissions(c, c.cidr)[1]?.give();
        net = await testNetwork(aws, ID, [a, b, c]);
    }, 600_000);
    afterAll(() => net?.close());

    /** How many pairs of different clusters are open. */
    const agreed = () => net.agrees();
    let alone = 0;

    test("before anything joins them, each is alone", async () => {
        alone = await agreed();
        expect(alone).toBeGreaterThan(0);
    });

    test("a peering that waits for its acceptance carries nothing", async () => {
        peering = await requestPeering(a, b);
        for (const { give } of [
            ...routesTo(a, b.cidr, { VpcPeeringConnectionId: peering }),
            ...routesTo(b, a.cidr, { VpcPeeringConnectionId: peering }),
        ])
            await give();
        for (const { give } of [...admissions(a, b.cidr), ...admissions(b, a.cidr)]) await give();
        expect(await agreed()).toBe(alone);
    });

    test("once it is active, all pods, nodes and load balancers reach each other, the third VPC's none", async () => {
        await b.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: peering });
        whole = await agreed();
        // 6 ends on each side, each of which reaches 6 ends and 3 addresses of a balancer on the other.
        expect(whole).toBe(alone + 2 * 6 * 9);
    });

    test("pods are seen with their own addresses, clients of a load balancer with its own", async () => {
        const [pod, far] = [net.end("a/pod0"), net.end("b/pod0")];
        expect(await net.seenAs(pod, far.endpoint.address, POD_PORT)).toBe(pod.endpoint.address);
        expect(await net.seenAs(pod, b.zones[0]?.balancer ?? "", 2379)).toBe(b.zones[0]?.balancer);
    });

    const faults: [string, () => { take(): Promise<unknown>; give(): Promise<unknown> }][] = [
        ["the route of one zone", () => one(routesTo(a, b.cidr, { VpcPeeringConnectionId: peering }), 0)],
        ["the route back of one zone", () => one(routesTo(b, a.cidr, { VpcPeeringConnectionId: peering }), 1)],
        ["the rule that admits pods", () => one(admissions(a, b.cidr), 0)],
        ["the other side's rule that admits pods", () => one(admissions(b, a.cidr), 0)],
        ["the rule that admits clients to etcd", () => one(admissions(a, b.cidr), 1)],
        ["the other side's rule that admits clients to etcd", () => one(admissions(b, a.cidr), 1)],
        ["the nodes' rule that admits the load balancer", () => ingress(a, a.rules.fromBalancer)],
        ["the load balancer's rule to the nodes", () => egress(a, a.rules.egress)],
        ["the nodes' rule that lets all out", () => egress(b, { GroupId: b.nodeGroupId, IpPermissions: b.rules.everything })],
        ["load balancing across zones", () => ({ take: () => c.crossZone("false"), give: () => c.crossZone("true") })],
    ];
    test.each(faults)("without %s", async (_, fault) => {
        const { take, give } = fault();
        await take();
        expect(await agreed()).toBeLessThan(whole);
        await give();
        expect(await agreed()).toBe(whole);
    });

    test("with a rule for the wrong block", async () => {
        const [right] = admissions(b, a.cidr);
        const [wrong] = admissions(b, "10.248.128.0/17");
        await right?.take();
        await wrong?.give();
        expect(await agreed()).toBeLessThan(whole);
        await wrong?.take();
        await right?.give();
        expect(await agreed()).toBe(whole);
    });

    test("a route to a third VPC through a peer leads nowhere", async () => {
        const routes = routesTo(a, c.cidr, { VpcPeeringConnectionId: peering });
        for (const { give } of routes) await give();
        for (const { give } of admissions(c, a.cidr)) await give();
        expect(await agreed()).toBe(whole);
        for (const { take } of routes) await take();
    });

    test("a group named across a peering admits its members alone", async () => {
        const near = await requestPeering(a, c);
        await c.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: near });
        for (const { give } of [
            ...routesTo(a, c.cidr, { VpcPeeringConnectionId: near }),
            ...routesTo(c, a.cidr, { VpcPeeringConnectionId: near }),
        ])
            await give();
        for (const { take } of admissions(c, a.cidr)) await take();
        expect(await agreed()).toBe(whole);
        const IpPermissions = [{ IpProtocol: "tcp", FromPort: POD_PORT, ToPort: POD_PORT, UserIdGroupPairs: [{ GroupId: a.nodeGroupId }] }];
        await c.ec2.authorizeSecurityGroupIngress({ GroupId: c.nodeGroupId, IpPermissions });
        expect(await agreed()).toBe(whole + 6 * 2);
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: near });
        expect(await agreed()).toBe(whole);
    });

    test("without the peering they are alone again", async () => {
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: peering });
        expect(await agreed()).toBe(alone);
    });

    test("closing leaves nothing", async () => {
        await net.close();
        expect(await leftovers(ID)).toEqual({ namespaces: [], links: [], processes: [], mounts: [] });
    });
});

function one<T>(all: readonly T[], index: number): T {
    const found = all[index];
    if (!found) throw new Error(`there are ${all.length}, not more than ${index}`);
    return found;
}

type Rules = Member["rules"]["egress"];
const ingress = ({ ec2 }: Member, rules: Rules) => ({
    take: () => ec2.revokeSecurityGroupIngress(rules),
    give: () => ec2.authorizeSecurityGroupIngress(rules),
});
const egress = ({ ec2 }: Member, rules: Rules | { GroupId: string; IpPermissions: Member["rules"]["everything"] }) => ({
    take: () => ec2.revokeSecurityGroupEgress(rules),
    give: () => ec2.authorizeSecurityGroupEgress(rules),
});

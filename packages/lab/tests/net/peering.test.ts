import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { FRANKFURT, IRELAND } from "../aws/places.ts";
import { leftovers, type TestNetwork, testNetwork, whyNoNetwork } from "./kernel-harness.ts";
import { admissions, fastAws, type Member, member, POD_PORT, requestPeering, routesTo } from "./member.ts";

const why = await whyNoNetwork();
const ID = `t${process.pid}p`;

/** The life of one mesh. Every test leaves the mesh as it found it, except those that create it and delete it. */
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
        // Its only node reaches all three addresses of its balancer only with cross-zone load balancing.
        await admissions(c, c.cidr)[1]?.add();
        net = await testNetwork(aws, ID, [a, b, c]);
    }, 600_000);
    afterAll(() => net?.close());

    let unconnected = 0;

    test("unconnected clusters do not reach each other", async () => {
        unconnected = await net.agrees();
        expect(unconnected).toBeGreaterThan(0);
    });

    test("a pending peering carries no packets", async () => {
        peering = await requestPeering(a, b);
        for (const { add } of [
            ...routesTo(a, b.cidr, { VpcPeeringConnectionId: peering }),
            ...routesTo(b, a.cidr, { VpcPeeringConnectionId: peering }),
        ])
            await add();
        for (const { add } of [...admissions(a, b.cidr), ...admissions(b, a.cidr)]) await add();
        expect(await net.agrees()).toBe(unconnected);
    });

    test("over an active peering all pods, nodes and load balancers reach each other, and none in the third VPC", async () => {
        await b.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: peering });
        whole = await net.agrees();
        // 6 ends on each side, each of which reaches 6 ends and 3 balancer addresses on the other side.
        expect(whole).toBe(unconnected + 2 * 6 * 9);
    });

    test("pods keep their source addresses, and a load balancer uses its own", async () => {
        const [pod, far] = [net.end("a/pod0"), net.end("b/pod0")];
        expect(await net.seenAs(pod, far.endpoint.address, POD_PORT)).toBe(pod.endpoint.address);
        expect(await net.seenAs(pod, b.zones[0]?.balancer ?? "", 2379)).toBe(b.zones[0]?.balancer);
    });

    const faults: [string, () => { remove(): Promise<unknown>; add(): Promise<unknown> }][] = [
        ["the route of one zone", () => nth(routesTo(a, b.cidr, { VpcPeeringConnectionId: peering }), 0)],
        ["the return route of one zone", () => nth(routesTo(b, a.cidr, { VpcPeeringConnectionId: peering }), 1)],
        ["the rule that allows pods", () => nth(admissions(a, b.cidr), 0)],
        ["the peer's rule that allows pods", () => nth(admissions(b, a.cidr), 0)],
        ["the rule that allows clients of etcd", () => nth(admissions(a, b.cidr), 1)],
        ["the peer's rule that allows clients of etcd", () => nth(admissions(b, a.cidr), 1)],
        ["the nodes' rule that allows the load balancer", () => ingress(a, a.rules.fromBalancer)],
        ["the load balancer's rule to the nodes", () => egress(a, a.rules.egress)],
        ["the nodes' rule that allows all egress", () => egress(b, { GroupId: b.nodeGroupId, IpPermissions: b.rules.everything })],
        ["cross-zone load balancing", () => ({ remove: () => c.crossZone("false"), add: () => c.crossZone("true") })],
    ];
    test.each(faults)("agree without %s", async (_, fault) => {
        const { remove, add } = fault();
        await remove();
        expect(await net.agrees()).toBeLessThan(whole);
        await add();
        expect(await net.agrees()).toBe(whole);
    });

    test("agree on a rule for the wrong block", async () => {
        const [right] = admissions(b, a.cidr);
        const [wrong] = admissions(b, "10.248.128.0/17");
        await right?.remove();
        await wrong?.add();
        expect(await net.agrees()).toBeLessThan(whole);
        await wrong?.remove();
        await right?.add();
        expect(await net.agrees()).toBe(whole);
    });

    test("peering is not transitive", async () => {
        const routes = routesTo(a, c.cidr, { VpcPeeringConnectionId: peering });
        for (const { add } of routes) await add();
        for (const { add } of admissions(c, a.cidr)) await add();
        expect(await net.agrees()).toBe(whole);
        for (const { remove } of routes) await remove();
    });

    test("a rule that refers to a group across a peering allows only its members", async () => {
        const near = await requestPeering(a, c);
        await c.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: near });
        for (const { add } of [
            ...routesTo(a, c.cidr, { VpcPeeringConnectionId: near }),
            ...routesTo(c, a.cidr, { VpcPeeringConnectionId: near }),
        ])
            await add();
        for (const { remove } of admissions(c, a.cidr)) await remove();
        expect(await net.agrees()).toBe(whole);
        const IpPermissions = [{ IpProtocol: "tcp", FromPort: POD_PORT, ToPort: POD_PORT, UserIdGroupPairs: [{ GroupId: a.nodeGroupId }] }];
        await c.ec2.authorizeSecurityGroupIngress({ GroupId: c.nodeGroupId, IpPermissions });
        expect(await net.agrees()).toBe(whole + 6 * 2);
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: near });
        expect(await net.agrees()).toBe(whole);
    });

    test("clusters do not reach each other after the peering is deleted", async () => {
        await a.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: peering });
        expect(await net.agrees()).toBe(unconnected);
    });

    test("closing the network leaves nothing behind", async () => {
        await net.close();
        expect(await leftovers(ID)).toEqual({ namespaces: [], links: [], processes: [], mounts: [] });
    });
});

function nth<T>(items: readonly T[], index: number): T {
    const found = items[index];
    if (!found) throw new Error(`no item ${index} among ${items.length}`);
    return found;
}

type Rules = Member["rules"]["egress"];
const ingress = ({ ec2 }: Member, rules: Rules) => ({
    remove: () => ec2.revokeSecurityGroupIngress(rules),
    add: () => ec2.authorizeSecurityGroupIngress(rules),
});
const egress = ({ ec2 }: Member, rules: Rules | { GroupId: string; IpPermissions: Member["rules"]["everything"] }) => ({
    remove: () => ec2.revokeSecurityGroupEgress(rules),
    add: () => ec2.authorizeSecurityGroupEgress(rules),
});

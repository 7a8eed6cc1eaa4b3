import { beforeAll, describe, expect, test } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { batchFailures } from "../../net/kernel.ts";
import { healthKey } from "../../net/plan/balancers.ts";
import { type MeasuredHealth, type NetworkPlan, namespaceName } from "../../net/plan/plan.ts";
import { planNetwork } from "../../net/plan/plan-network.ts";
import { FRANKFURT, IRELAND } from "../aws/places.ts";
import { admissions, fastAws, type Member, member, requestPeering, routesTo } from "./member.ts";

let aws: SimulatedAws;
let [a, b] = [] as unknown as [Member, Member];
beforeAll(async () => {
    aws = fastAws();
    a = await member(aws, { ...IRELAND, name: "a", cidr: "10.248.0.0/16", nodes: 2 });
    b = await member(aws, { ...FRANKFURT, name: "b", cidr: "192.168.0.0/16", nodes: 1, env: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false" } });
    const target = { VpcPeeringConnectionId: await requestPeering(a, b) };
    await b.ec2.acceptVpcPeeringConnection(target);
    for (const { add } of [...routesTo(a, b.cidr, target), ...routesTo(b, a.cidr, target), ...admissions(b, a.cidr)]) await add();
}, 60_000);

const plan = (health: ReadonlyMap<string, MeasuredHealth> = new Map()): NetworkPlan =>
    aws.edit({ account: "", region: "" }, (scope) => planNetwork(scope, "lab", health));
const tableIn = (network: NetworkPlan, interfaceId: string, table: string) =>
    network.namespaces.get(namespaceName("lab", interfaceId))?.tables.get(table);

describe("the plan of a kernel network", () => {
    test("has a namespace for each router and attached interface, with link names that the kernel accepts", () => {
        const { namespaces, links } = plan();
        // For each VPC a router, three interfaces of the balancer and two of the API server; and three nodes.
        expect(namespaces.size).toBe(2 * (1 + 3 + 2) + 3);
        expect(links.size).toBe(2 * (3 + 2) + 3 + 1);
        const names = [...links.values()].flatMap(({ ends }) => ends.map(({ name }) => name));
        expect(names.filter((name) => name.length > 15)).toEqual([]);
    });

    test("is the same for the same tables, so that nothing is applied again", () => {
        expect(plan()).toEqual(plan());
    });

    test("has a smaller MTU between regions than within a region", () => {
        const byName = Map.groupBy(plan().links.values(), ({ ends }) => ends[0].name.slice(0, 3));
        expect(new Set(byName.get("pcx")?.map(({ mtu }) => mtu))).toEqual(new Set([8500]));
        expect(new Set(byName.get("eni")?.map(({ mtu }) => mtu))).toEqual(new Set([9001]));
    });

    test("translates sources at nodes whose VPC CNI has source NAT on", () => {
        const network = plan();
        const [nodeOfA, nodeOfB] = [a.nodes()[0], b.nodes()[0]];
        expect(tableIn(network, nodeOfA?.interfaceId ?? "", "vpc-cni")).toBeUndefined();
        expect(tableIn(network, nodeOfB?.interfaceId ?? "", "vpc-cni")).toContain(
            `oifname "eth0" ip daddr != { 192.168.0.0/16 } snat to ${nodeOfB?.address} fully-random`,
        );
    });

    test("forwards to the targets that an interface found healthy, and refuses connections without one", async () => {
        const { NetworkInterfaces } = await b.ec2.describeNetworkInterfaces({
            Filters: [{ Name: "private-ip-address", Values: [b.zones[0]?.balancer ?? ""] }],
        });
        const balancer = NetworkInterfaces[0]?.NetworkInterfaceId ?? "";
        const [node] = b.nodes();
        expect(tableIn(plan(), balancer, "balancer")).toContain("tcp dport 2379 reject with tcp reset");
        const health = new Map([[healthKey(balancer, b.TargetGroupArn, node?.instanceId ?? ""), "healthy"]] as const);
        expect(tableIn(plan(health), balancer, "balancer")).toContain(
            `tcp dport 2379 ct mark set 2379 dnat ip to numgen random mod 1 map { 0 : ${node?.address} . 32379 }`,
        );
    });
});

test("assigns the kernel's errors to the failed lines of a batch", () => {
    const output = 'Object "foo" is unknown, try "ip help".\nCommand failed -:12\nRTNETLINK answers: No such process\nCommand failed -:13';
    expect([...batchFailures(output)]).toEqual([
        [12, 'Object "foo" is unknown, try "ip help".'],
        [13, "RTNETLINK answers: No such process"],
    ]);
});

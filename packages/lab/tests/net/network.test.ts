import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { startNetwork } from "../../net/network.ts";
import { until } from "../../process/until.ts";
import { FRANKFURT, IRELAND } from "../aws/places.ts";
import { leftovers, type TestNetwork, testNetwork, whyNoNetwork } from "./kernel-harness.ts";
import { admissions, ETCD_PORT, fastAws, type Member, member, POD_PORT, requestPeering, routesTo } from "./member.ts";
import { conversation, programs } from "./traffic.ts";

const run = promisify(execFile);
const why = await whyNoNetwork();
const ID = `t${process.pid}n`;

describe.skipIf(why)("a kernel network", { timeout: 60_000 }, () => {
    let aws: SimulatedAws;
    let [a, b] = [] as unknown as [Member, Member];
    let net: TestNetwork;
    let peering = "";

    beforeAll(async () => {
        aws = fastAws();
        a = await member(aws, { ...IRELAND, name: "a", cidr: "10.248.0.0/16", nodes: 2 });
        // The VPC CNI has AWS's default: source NAT for packets that leave the VPC, here except to one block.
        const env = { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false", AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.248.1.0/24" };
        b = await member(aws, { ...FRANKFURT, name: "b", cidr: "192.168.0.0/16", nodes: 2, env });
        net = await testNetwork(aws, ID, [a, b]);
        peering = await requestPeering(a, b);
        const target = { VpcPeeringConnectionId: peering };
        await b.ec2.acceptVpcPeeringConnection(target);
        for (const [cluster, peer] of [
            [a, b],
            [b, a],
        ] as const) {
            for (const { add } of routesTo(cluster, peer.cidr, target)) await add();
            for (const { add } of admissions(cluster, peer.cidr)) await add();
        }
        await net.agrees();
    }, 600_000);
    afterAll(() => net?.close());

    test("refuses an id that is in use or invalid", async () => {
        const options = { aws, programs: net.tools, folder: "/nowhere", log: () => {} };
        await expect(startNetwork({ ...options, id: ID })).rejects.toThrow(
            `network id "${ID}" is in use by process ${process.pid}: stop that process, or use another id`,
        );
        await expect(startNetwork({ ...options, id: "a-b" })).rejects.toThrow(
            'network id must be a lowercase letter, then up to 9 lowercase letters and digits; got "a-b"',
        );
    });

    test("translates the sources of pods as their VPC CNI does, except to excluded blocks", async () => {
        const [pod, node] = [net.end("b/pod0"), net.end("b/node0")];
        const zone = (name: string) => net.end(name).endpoint.address.split(".")[2];
        const seen = (name: string) => net.seenAs(pod, net.end(name).endpoint.address, POD_PORT);
        // One node in each of two zones; the second zone's block is excluded.
        expect([zone("a/node0"), zone("a/node1")]).toEqual(["0", "1"]);
        expect(await seen("a/pod0")).toBe(node.endpoint.address);
        expect(await seen("a/pod1")).toBe(pod.endpoint.address);
        expect(await seen("b/pod1")).toBe(pod.endpoint.address);
        expect(await net.seenAs(net.end("a/pod0"), net.end("b/pod0").endpoint.address, POD_PORT)).toBe(net.end("a/pod0").endpoint.address);
    });

    test("a connection survives changes elsewhere and the removal of its rule, as tracked connections do on AWS", async () => {
        const [from, to] = [net.end("a/pod0"), net.end("b/pod1")];
        const talk = await conversation(net.tools, from, to.endpoint.address, POD_PORT);
        expect(talk.greeting).toBe(from.endpoint.address);

        const c = await member(aws, { ...IRELAND, name: "c", cidr: "10.9.0.0/16", nodes: 1 });
        await net.network.settled();
        expect(await talk.say("a third VPC")).toBe("a third VPC");
        const scalingConfig = { minSize: 1, maxSize: 3, desiredSize: 3 };
        await a.eks.updateNodegroupConfig({ clusterName: "a", nodegroupName: "nodes", scalingConfig });
        await net.network.settled();
        expect(a.nodes()).toHaveLength(3);
        expect(await talk.say("another node")).toBe("another node");
        const [rule] = admissions(b, a.cidr);
        await rule?.remove();
        await net.network.settled();
        expect(await talk.say("without its rule")).toBe("without its rule");
        await expect(net.seenAs(from, to.endpoint.address, POD_PORT)).rejects.toThrow("timeout");
        await rule?.add();
        await c.eks.deleteNodegroup({ clusterName: "c", nodegroupName: "nodes" });
        await net.network.settled();
        expect(c.nodes()).toEqual([]);
        expect(await talk.say("without the third's nodes")).toBe("without the third's nodes");
        talk.end();
    });

    test("path MTU discovery works between regions", async () => {
        const [from, to] = [net.end("a/pod0"), net.end("b/pod1")];
        const talk = await conversation(net.tools, from, to.endpoint.address, POD_PORT);
        const long = "x".repeat(60_000);
        expect(await talk.say(long)).toBe(long);
        const { stdout } = await run(net.tools.ip, ["-netns", from.namespace, "route", "get", to.endpoint.address]);
        expect(stdout).toContain("mtu 8500");
        talk.end();
    });

    test("follows a change of the simulated AWS without being asked", async () => {
        const [from, to] = [net.end("a/pod0"), net.end("b/pod1")];
        const [rule] = admissions(b, a.cidr);
        const closed = () =>
            net.seenAs(from, to.endpoint.address, POD_PORT).then(
                () => undefined,
                () => true as const,
            );
        await rule?.remove();
        await until(closed, 10_000, "still open");
        await rule?.add();
        await until(() => net.seenAs(from, to.endpoint.address, POD_PORT), 10_000, "still closed");
    });

    test("a NAT gateway sends with its own address and the routes of its own subnet", async () => {
        const { ec2, vpcId: VpcId } = a;
        const { SubnetId } = (await ec2.createSubnet({ VpcId, CidrBlock: "10.248.9.0/24", AvailabilityZone: "eu-west-1a" })).Subnet;
        const { RouteTableId } = (await ec2.createRouteTable({ VpcId })).RouteTable;
        await ec2.associateRouteTable({ SubnetId, RouteTableId });
        const { NatGatewayId } = (await ec2.createNatGateway({ SubnetId, ConnectivityType: "private" })).NatGateway;
        const { NatGateways } = await ec2.describeNatGateways({ NatGatewayIds: [NatGatewayId] });
        const [direct] = routesTo(a, b.cidr, { VpcPeeringConnectionId: peering });
        await direct?.remove();
        const defaultRoute = { RouteTableId: a.zones[0]?.tableId ?? "", DestinationCidrBlock: "0.0.0.0/0" };
        await ec2.createRoute({ ...defaultRoute, NatGatewayId });
        await ec2.createRoute({ RouteTableId, DestinationCidrBlock: b.cidr, VpcPeeringConnectionId: peering });
        await net.agrees();
        const seen = await net.seenAs(net.end("a/pod0"), net.end("b/pod0").endpoint.address, POD_PORT);
        expect(seen).toBe(NatGateways[0]?.NatGatewayAddresses[0]?.PrivateIp);
        await ec2.deleteRoute(defaultRoute);
        await direct?.add();
        await net.agrees();
    });

    test("the simulated ELB reports measured health, and connections to a deregistered target end", async () => {
        const { TargetGroupArn } = b;
        const states = async () => {
            const { TargetHealthDescriptions } = await b.elb.describeTargetHealth({ TargetGroupArn });
            return TargetHealthDescriptions.map(({ TargetHealth }) => TargetHealth.State);
        };
        const [first, second] = b.nodes().map(({ instanceId }) => [{ Id: instanceId }]);
        const healthy = (count: number) =>
            until(
                async () => ((await states()).join() === Array(count).fill("healthy").join() ? true : undefined),
                20_000,
                "not all healthy",
            );
        const talk = () => conversation(net.tools, net.end("a/pod0"), b.zones[0]?.balancer ?? "", ETCD_PORT);

        await healthy(2);
        await b.elb.deregisterTargets({ TargetGroupArn, Targets: first ?? [] });
        await healthy(1);
        await net.network.settled();
        const [kept, ended] = [await talk(), await talk()];
        expect(kept.greeting).toBe(b.zones[0]?.balancer);
        await b.elb.registerTargets({ TargetGroupArn, Targets: first ?? [] });
        expect(await states()).toEqual(["healthy", "initial"]);
        await healthy(2);
        expect(await kept.say("still the same")).toBe("still the same");

        await b.elb.deregisterTargets({ TargetGroupArn, Targets: second ?? [] });
        await healthy(1);
        await net.network.settled();
        expect(await ended.say("to a target that is gone")).toBe("");
        const third = await talk();
        expect(third.greeting).toBe(b.zones[0]?.balancer);
        await b.elb.registerTargets({ TargetGroupArn, Targets: second ?? [] });
        await healthy(2);
        expect(await third.say("to one that stayed")).toBe("to one that stayed");
        for (const each of [kept, ended, third]) each.end();
    });

    test("the API server answers at its interfaces", async () => {
        const server = createServer((socket) => socket.end("the API server\n"));
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        a.setEndpoint(`https://127.0.0.1:${portOf(server)}`);
        await net.network.settled();
        const [first] = a.apiServer();
        const { NetworkInterfaces } = await a.ec2.describeNetworkInterfaces({ NetworkInterfaceIds: [first ?? ""] });
        expect(await net.seenAs(net.end("a/node1"), NetworkInterfaces[0]?.PrivateIpAddress ?? "", 443)).toBe("the API server");
        await new Promise((resolve) => server.close(resolve));
    });

    test("removes the network of an owner that was killed", async () => {
        const { ip } = await programs();
        const id = `t${process.pid}k`;
        await run(ip, ["netns", "add", `${id}-eni-0123`]);
        // An earlier process with the same pid.
        writeFileSync(`/run/clustermesh/${id}`, `${process.pid} 1`);
        const other = await startNetwork({ aws: fastAws(), id: `${id}2`, programs: net.tools, folder: net.folder, log: () => {} });
        expect((await leftovers(id)).namespaces).toEqual([]);
        await other.close();
    });

    test("logs a failure once, with the command and the kernel's error", async () => {
        const logged: string[] = [];
        const broken = fastAws();
        const log = (line: string) => logged.push(line);
        const id = `t${process.pid}f`;
        const other = await startNetwork({ aws: broken, id, programs: { ...net.tools, nft: "/bin/false" }, folder: net.folder, log });
        const { ec2 } = broken.in(IRELAND);
        const { VpcId } = (await ec2.createVpc({ CidrBlock: "10.0.0.0/16" })).Vpc;
        await expect(other.settled()).rejects.toThrow(`nft in ${id}-${VpcId}: `);
        await ec2.createSubnet({ VpcId, CidrBlock: "10.0.0.0/24" });
        await expect(other.settled()).rejects.toThrow("the kernel network does not match the simulated AWS:");
        expect(logged).toEqual([expect.stringContaining(`network ${id}: nft in ${id}-${VpcId}: `)]);
        await other.close();
    });
});

function portOf(server: Server): number {
    const address = server.address();
    return typeof address === "object" && address ? address.port : 0;
}

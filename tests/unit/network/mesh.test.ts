import fc from "fast-check";
import { expect, test } from "vitest";
import { directEntry, etcdClientFiles, kvstoremeshEntry, parseClustermesh } from "../../../core/cilium/clustermesh-config.ts";
import { hostAliases, ingressFrom, ordered, pairs, peersOf, routesTo } from "../../../core/network/mesh.ts";
import { describeTraffic, parseTraffic } from "../../../core/network/traffic.ts";
import { fitMembers, member } from "../../members.ts";

const unique = (values: readonly unknown[]) => new Set(values.map((value) => JSON.stringify(value))).size === values.length;
const orderedPairs = <T>(members: readonly T[]) => pairs(members).flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
const files = (peer: string) => Object.fromEntries(Object.values(etcdClientFiles(peer)).map((file) => [file, "PEM"]));

test("every ordered pair of a valid mesh has its routes, rules, Secret entry and host aliases, each exactly once", () => {
    fc.assert(
        fc.property(fitMembers, (members) => {
            for (const [from, to] of orderedPairs(members)) {
                expect(routesTo(from, to)).toHaveLength(from.routeTableIds.length * to.vpcCidrs.length);
                expect(ingressFrom(from, to, "all")).toHaveLength(from.vpcCidrs.length * (1 + to.nodeSecurityGroupIds.length));
            }
            for (const self of members) {
                const peers = peersOf(self, members);
                expect(peers).toHaveLength(members.length - 1);
                // AWS refuses a route or rule that already exists, across all peers of a table or group.
                expect(unique(peers.flatMap((peer) => routesTo(self, peer)))).toBe(true);
                expect(unique(peers.flatMap((peer) => ingressFrom(peer, self, "all").map(({ description: _, ...rule }) => rule)))).toBe(
                    true,
                );

                const aliases = hostAliases(peers);
                // Server-side apply merges host aliases by ip and refuses duplicates.
                expect(unique(aliases.map(({ ip }) => ip))).toBe(true);
                const secret = Object.assign({}, ...peers.map((peer) => ({ [peer.name]: directEntry(peer.name), ...files(peer.name) })));
                const parsed = parseClustermesh(secret, self.name);
                expect([...parsed.keys()].toSorted()).toEqual(peers.map(({ name }) => name).toSorted());
                for (const peer of peers) {
                    const [endpoint = ""] = parsed.get(peer.name)?.endpoints ?? [];
                    const { hostname, port } = new URL(endpoint);
                    expect(Number(port)).toBe(peer.etcd.port);
                    // The agent connects to this name, so its hosts file must have all addresses of the peer for it, and no other.
                    expect(aliases.filter(({ hostnames }) => hostnames.includes(hostname)).map(({ ip }) => ip)).toEqual(
                        peer.etcd.addresses,
                    );
                }
            }
        }),
    );
});

test("routes every block of the peer in every route table, and the other way round", () => {
    const west = member(1, { routeTableIds: ["rtb-west-public", "rtb-west-private"], vpcCidrs: ["10.1.0.0/16"] });
    const east = member(2, { routeTableIds: ["rtb-east"], vpcCidrs: ["10.2.0.0/16", "10.3.0.0/20"] });
    expect(routesTo(west, east)).toEqual([
        { routeTableId: "rtb-west-public", destination: "10.2.0.0/16" },
        { routeTableId: "rtb-west-public", destination: "10.3.0.0/20" },
        { routeTableId: "rtb-west-private", destination: "10.2.0.0/16" },
        { routeTableId: "rtb-west-private", destination: "10.3.0.0/20" },
    ]);
    expect(routesTo(east, west)).toEqual([{ routeTableId: "rtb-east", destination: "10.1.0.0/16" }]);
});

test("admits the agents of the peer to the etcd and its nodes and pods to every node security group", () => {
    const west = member(1, {
        nodeSecurityGroupIds: ["sg-west-a", "sg-west-b"],
        etcd: { addresses: ["10.1.0.16"], port: 2379, securityGroupId: "sg-west-etcd" },
    });
    const east = member(2, { name: "east", vpcCidrs: ["10.2.0.0/16", "10.3.0.0/20"] });
    expect(ingressFrom(east, west, "all").map(({ description: _, ...rule }) => rule)).toEqual([
        { securityGroupId: "sg-west-etcd", source: "10.2.0.0/16", protocol: "tcp", fromPort: 2379, toPort: 2379 },
        { securityGroupId: "sg-west-a", source: "10.2.0.0/16", protocol: "-1" },
        { securityGroupId: "sg-west-b", source: "10.2.0.0/16", protocol: "-1" },
        { securityGroupId: "sg-west-etcd", source: "10.3.0.0/20", protocol: "tcp", fromPort: 2379, toPort: 2379 },
        { securityGroupId: "sg-west-a", source: "10.3.0.0/20", protocol: "-1" },
        { securityGroupId: "sg-west-b", source: "10.3.0.0/20", protocol: "-1" },
    ]);
});

test("the order of the list changes nothing", () => {
    fc.assert(
        fc.property(
            fitMembers.chain((members) => fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length }))),
            ([members, shuffled]) => {
                expect(ordered(shuffled)).toEqual(ordered(members));
            },
        ),
    );
});

test("a list of ports admits the ports and Cilium's health checks only", () => {
    const policy = ["tcp/443", "udp/8000-9000", "icmp"].flatMap((text) => parseTraffic(text) ?? []);
    const rules = ingressFrom(member(2), member(1), policy).map(
        ({ securityGroupId, description, ...traffic }) => `${securityGroupId} ${describeTraffic(traffic)}: ${description}`,
    );
    expect(rules).toMatchInlineSnapshot(`
      [
        "sg-c1-etcd tcp/2379: agents of c2 to the etcd of c1",
        "sg-c1 tcp/4240: tcp/4240 from nodes and pods of c2",
        "sg-c1 icmp: icmp from nodes and pods of c2",
        "sg-c1 tcp/443: tcp/443 from nodes and pods of c2",
        "sg-c1 udp/8000-9000: udp/8000-9000 from nodes and pods of c2",
      ]
    `);
});

test("an entry for kvstoremesh contains the peer's addresses", () => {
    const peer = member(2);
    const parsed = parseClustermesh({ [peer.name]: kvstoremeshEntry(peer.name, peer.etcd.addresses), ...files(peer.name) }, "c1");
    expect(parsed.get("c2")?.hostAliases).toEqual([{ hostname: "c2.mesh.cilium.io", ips: peer.etcd.addresses }]);
});

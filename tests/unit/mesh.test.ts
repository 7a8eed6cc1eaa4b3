import fc from "fast-check";
import { expect, test } from "vitest";
import { directEntry, etcdClientFiles, kvstoremeshEntry, parseClustermesh } from "../../core/cilium/clustermesh-config.ts";
import type { ClusterFacts } from "../../core/facts/schema.ts";
import { hostAliases, ingressFrom, ordered, pairs, peersOf, routesTo } from "../../core/network/mesh.ts";
import { describeTraffic, parseTraffic } from "../../core/network/traffic.ts";
import { meshProblems } from "../../core/preflight.ts";
import { fitMembers, member } from "../members.ts";

const unique = (values: readonly unknown[]) => new Set(values.map((value) => JSON.stringify(value))).size === values.length;
const orderedPairs = <T>(members: readonly T[]) => pairs(members).flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
const files = (peer: string) => Object.fromEntries(Object.values(etcdClientFiles(peer)).map((file) => [file, "PEM"]));

test("every ordered pair of a valid mesh has its routes, rules, Secret entry and host aliases, each exactly once", () => {
    fc.assert(
        fc.property(fitMembers, (members) => {
            expect(meshProblems(members, SETTINGS, NOW)).toEqual([]);
            for (const [from, to] of orderedPairs(members)) {
                expect(routesTo(from, to)).toHaveLength(from.routeTableIds.length * to.vpcCidrs.length);
                expect(ingressFrom(from, to, "all")).toHaveLength(from.vpcCidrs.length * (1 + to.nodeSecurityGroupIds.length));
            }
            for (const self of members) {
                const peers = peersOf(self, members);
                expect(peers).toHaveLength(members.length - 1);
                // AWS refuses a route or rule that is there already, across all peers of a table or group.
                expect(unique(peers.flatMap((peer) => routesTo(self, peer)))).toBe(true);
                expect(unique(peers.flatMap((peer) => ingressFrom(peer, self, "all").map(({ description: _, ...rule }) => rule)))).toBe(
                    true,
                );

                const aliases = hostAliases(peers);
                // Server-side apply merges host aliases by ip: one that is there twice would be refused.
                expect(unique(aliases.map(({ ip }) => ip))).toBe(true);
                const secret = Object.assign({}, ...peers.map((peer) => ({ [peer.name]: directEntry(peer.name), ...files(peer.name) })));
                const parsed = parseClustermesh(secret, self.name);
                expect([...parsed.keys()].toSorted()).toEqual(peers.map(({ name }) => name).toSorted());
                for (const peer of peers) {
                    const [endpoint = ""] = parsed.get(peer.name)?.endpoints ?? [];
                    const { hostname, port } = new URL(endpoint);
                    expect(Number(port)).toBe(peer.etcd.port);
                    // The agent dials this name; its hosts file must have every address of the peer under it, and no other's.
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

test("nothing depends on the order in which the clusters are listed", () => {
    fc.assert(
        fc.property(
            fitMembers.chain((members) => fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length }))),
            ([members, shuffled]) => {
                expect(ordered(shuffled)).toEqual(ordered(members));
            },
        ),
    );
});

test("a port list admits the ports, what Cilium's health checks need, and nothing else", () => {
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

test.each(["tcp/1", "tcp/65535", "udp/53", "tcp/8000-9000", "icmp"])("%s is a port", (text) => {
    const traffic = parseTraffic(text);
    expect(traffic && describeTraffic(traffic)).toBe(text);
});

test.each(["443", "tcp", "tcp/0", "tcp/65536", "tcp/9000-8000", "sctp/1", "tcp/80,443", "tcp/-1", "all", "tcp/1-2-3", ""])(
    "%j is no port",
    (text) => expect(parseTraffic(text)).toBeUndefined(),
);

test("kvstoremesh finds a peer's addresses in its own entry", () => {
    const peer = member(2);
    const parsed = parseClustermesh({ [peer.name]: kvstoremeshEntry(peer.name, peer.etcd.addresses), ...files(peer.name) }, "c1");
    expect(parsed.get("c2")?.hostAliases).toEqual([{ hostname: "c2.mesh.cilium.io", ips: peer.etcd.addresses }]);
});

const NOW = new Date("2026-11-23T00:00:00Z");
const SETTINGS = {
    network: "peering",
    ingress: "all",
    quotas: { peeringsPerVpc: 50, routesPerTable: 500, rulesPerSecurityGroup: 60 },
    file: "Pulumi.mesh.yaml",
} as const;

/** A way to break a mesh, and what must be said of it. `of` are two different members. */
interface Break {
    apply: (of: [ClusterFacts, ClusterFacts]) => void;
    says: (of: [ClusterFacts, ClusterFacts]) => string[];
}

const BREAKS: Break[] = [
    { apply: ([a, b]) => Object.assign(b, { id: a.id }), says: ([a]) => [`both have id ${a.id}`] },
    { apply: ([a, b]) => Object.assign(b, { vpcCidrs: [a.vpcCidrs[0]] }), says: ([a]) => [`VPC block ${a.vpcCidrs[0]}`, "overlap"] },
    { apply: ([a, b]) => Object.assign(b, { serviceCidr: a.vpcCidrs[0] }), says: ([a]) => [`service block ${a.vpcCidrs[0]}`, "overlap"] },
    {
        apply: ([a, b]) => Object.assign(b, { ciliumPoolCidr: a.ciliumPoolCidr }),
        says: ([a]) => [`Cilium pool ${a.ciliumPoolCidr}`, "overlap"],
    },
    { apply: ([a, b]) => Object.assign(b, { ciliumPoolCidr: a.vpcCidrs[0] }), says: ([a]) => [`Cilium pool ${a.vpcCidrs[0]}`, "overlap"] },
    { apply: ([, b]) => Object.assign(b, { ciliumVersion: "1.18.1" }), says: () => ["runs Cilium 1.18.1", "more than a minor apart"] },
    { apply: ([, b]) => Object.assign(b, { kubernetesVersion: "1.33" }), says: () => ["runs Kubernetes 1.33", "more than a minor apart"] },
    { apply: ([, b]) => Object.assign(b, { maxConnectedClusters: 511 }), says: () => ["maxConnectedClusters"] },
    { apply: ([, b]) => Object.assign(b, { datapath: "eni" }), says: () => ["datapath"] },
    { apply: ([, b]) => Object.assign(b, { region: "us-east-1", mtu: 9001 }), says: () => ["up to 9001 bytes", "set mtu to 8500"] },
    { apply: ([, b]) => Object.assign(b, { etcdCertificatesExpire: "2026-11-22T00:00:00Z" }), says: () => ["ended on 2026-11-22"] },
];

test("every broken mesh is refused, and each thing that is wrong is named with its stack file", () => {
    fc.assert(
        fc.property(
            fitMembers,
            fc.uniqueArray(fc.nat(BREAKS.length - 1), { minLength: 1, maxLength: 3 }),
            fc.boolean(),
            (fit, chosen, swapped) => {
                // One after the other, since two of them may undo each other.
                for (const index of chosen) {
                    const members = structuredClone(fit);
                    const [a, b] = (swapped ? members.slice(0, 2).toReversed() : members) as [ClusterFacts, ClusterFacts];
                    const { apply, says } = BREAKS[index] as Break;
                    apply([a, b]);
                    const problems = meshProblems(members, SETTINGS, NOW);
                    for (const words of says([a, b])) expect(problems.join("\n")).toContain(words);
                    expect(problems.some((problem) => problem.includes(b.name))).toBe(true);
                }
            },
        ),
    );
});

test("names that are there twice are refused with both files", () => {
    const twin = member(2, { name: "c1", stack: "organization/clustermesh/other" });
    expect(meshProblems([member(1), twin], SETTINGS, NOW)).toMatchInlineSnapshot(`
      [
        "Pulumi.c1.yaml and Pulumi.other.yaml both have name "c1": Cilium tells clusters apart by it; give each its own before its first \`pulumi up\`",
      ]
    `);
});

test("everything that is wrong comes at once", () => {
    const members = [member(1), member(1, { name: "c2" }), member(3, { serviceCidr: "10.1.0.0/24", ciliumVersion: "1.18.0" })];
    expect(meshProblems(members, SETTINGS, NOW)).toMatchInlineSnapshot(`
      [
        "Pulumi.c1.yaml and Pulumi.c2.yaml both have id 1: security identities would be mixed up; give each its own (1 to 127) before it joins the mesh",
        "VPC block 10.1.0.0/16 of c1 (Pulumi.c1.yaml) and VPC block 10.1.0.0/16 of c2 (Pulumi.c2.yaml) overlap: AWS refuses to connect them and pods could not tell whom they call; change one of them",
        "Cilium pool 100.64.128.0/17 of c1 (Pulumi.c1.yaml) and Cilium pool 100.64.128.0/17 of c2 (Pulumi.c2.yaml) overlap: two nodes would have one router address; change one of them",
        "VPC block 10.1.0.0/16 of c1 (Pulumi.c1.yaml) and service block 10.1.0.0/24 of c3 (Pulumi.c3.yaml) overlap: pods of c3 would take those addresses for their own services; change one of them",
        "VPC block 10.1.0.0/16 of c2 (Pulumi.c2.yaml) and service block 10.1.0.0/24 of c3 (Pulumi.c3.yaml) overlap: pods of c3 would take those addresses for their own services; change one of them",
        "c3 runs Cilium 1.18.0 and c1 1.20.2, more than a minor apart: upgrade c3 first (cilium.version in Pulumi.c3.yaml)",
      ]
    `);
});

test("quotas are looked at before AWS does", () => {
    const many = Array.from({ length: 60 }, (_, i) => member(i + 1));
    expect(meshProblems(many, SETTINGS, NOW)).toContainEqual(
        expect.stringMatching(/^the VPC of c1 would have 59 peering connections, over the quota of 50/),
    );
    expect(
        meshProblems(many, { ...SETTINGS, network: "transit-gateway", quotas: { ...SETTINGS.quotas, rulesPerSecurityGroup: 100 } }, NOW),
    ).toEqual([]);
    const ports = ["tcp/443", "tcp/80"].flatMap((text) => parseTraffic(text) ?? []);
    expect(meshProblems(many.slice(0, 16), { ...SETTINGS, ingress: ports }, NOW)[0]).toMatchInlineSnapshot(
        `"the nodes' security group of c1 would have 62 inbound rules, over the quota of 60: raise the quota with AWS and then quotas.rulesPerSecurityGroup in Pulumi.mesh.yaml, or set ingress to all, which is one rule for each peer"`,
    );
    expect(
        meshProblems(
            many,
            { ...SETTINGS, network: "transit-gateway", quotas: { ...SETTINGS.quotas, rulesPerSecurityGroup: 100, routesPerTable: 50 } },
            NOW,
        )[0],
    ).toMatchInlineSnapshot(
        `"a route table of c1 would have 60 routes, over the quota of 50: raise the quota with AWS and then quotas.routesPerTable in Pulumi.mesh.yaml (1,000 at most)"`,
    );
});

test("jumbo frames are fine within one region, but not through a Transit Gateway", () => {
    const members = [member(1, { mtu: 9001 }), member(2, { mtu: 9001 })];
    expect(meshProblems(members, SETTINGS, NOW)).toEqual([]);
    expect(meshProblems(members, { ...SETTINGS, network: "transit-gateway" }, NOW)).toHaveLength(2);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import type { ClusterFacts } from "../../core/facts/schema.ts";
import { parseTraffic } from "../../core/network/traffic.ts";
import { meshProblems } from "../../core/preflight.ts";
import { fitMembers, member } from "../members.ts";

const NOW = new Date("2026-11-23T00:00:00Z");
const SETTINGS = {
    network: "peering",
    ingress: "all",
    quotas: { peeringsPerVpc: 50, routesPerTable: 500, rulesPerSecurityGroup: 60 },
    file: "Pulumi.mesh.yaml",
} as const;

test("a mesh that fits has no problems", () => {
    fc.assert(
        fc.property(fitMembers, (members) => {
            expect(meshProblems(members, SETTINGS, NOW)).toEqual([]);
        }),
    );
});

/** A way to break a mesh, given two different members, and the words that its problem must contain. */
interface Break {
    apply: (members: [ClusterFacts, ClusterFacts]) => void;
    expected: (members: [ClusterFacts, ClusterFacts]) => string[];
}

const BREAKS: Break[] = [
    { apply: ([a, b]) => Object.assign(b, { id: a.id }), expected: ([a]) => [`both have id ${a.id}`] },
    { apply: ([a, b]) => Object.assign(b, { vpcCidrs: [a.vpcCidrs[0]] }), expected: ([a]) => [`VPC block ${a.vpcCidrs[0]}`, "overlap"] },
    {
        apply: ([a, b]) => Object.assign(b, { serviceCidr: a.vpcCidrs[0] }),
        expected: ([a]) => [`service block ${a.vpcCidrs[0]}`, "overlap"],
    },
    {
        apply: ([a, b]) => Object.assign(b, { ciliumPoolCidr: a.ciliumPoolCidr }),
        expected: ([a]) => [`Cilium pool ${a.ciliumPoolCidr}`, "overlap"],
    },
    {
        apply: ([a, b]) => Object.assign(b, { ciliumPoolCidr: a.vpcCidrs[0] }),
        expected: ([a]) => [`Cilium pool ${a.vpcCidrs[0]}`, "overlap"],
    },
    {
        apply: ([, b]) => Object.assign(b, { ciliumVersion: "1.18.1" }),
        expected: () => ["runs Cilium 1.18.1", "more than one minor version apart"],
    },
    {
        apply: ([, b]) => Object.assign(b, { kubernetesVersion: "1.33" }),
        expected: () => ["runs Kubernetes 1.33", "more than one minor version apart"],
    },
    { apply: ([, b]) => Object.assign(b, { maxConnectedClusters: 511 }), expected: () => ["maxConnectedClusters"] },
    { apply: ([, b]) => Object.assign(b, { datapath: "eni" }), expected: () => ["datapath"] },
    { apply: ([, b]) => Object.assign(b, { region: "us-east-1", mtu: 9001 }), expected: () => ["up to 9001 bytes", "set mtu to 8500"] },
    { apply: ([, b]) => Object.assign(b, { etcdCertificatesExpire: "2026-11-22T00:00:00Z" }), expected: () => ["expired on 2026-11-22"] },
];

test("reports each way to break a mesh, with the cluster", () => {
    fc.assert(
        fc.property(
            fitMembers,
            fc.uniqueArray(fc.nat(BREAKS.length - 1), { minLength: 1, maxLength: 3 }),
            fc.boolean(),
            (fit, chosen, swapped) => {
                // One at a time, because two of them may cancel each other out.
                for (const index of chosen) {
                    const members = structuredClone(fit);
                    const [a, b] = (swapped ? members.slice(0, 2).toReversed() : members) as [ClusterFacts, ClusterFacts];
                    const { apply, expected } = BREAKS[index] as Break;
                    apply([a, b]);
                    const problems = meshProblems(members, SETTINGS, NOW);
                    for (const words of expected([a, b])) expect(problems.join("\n")).toContain(words);
                    expect(problems.some((problem) => problem.includes(b.name))).toBe(true);
                }
            },
        ),
    );
});

test("refuses duplicate names and shows both files", () => {
    const twin = member(2, { name: "c1", stack: "organization/clustermesh/other" });
    expect(meshProblems([member(1), twin], SETTINGS, NOW)).toMatchInlineSnapshot(`
      [
        "Pulumi.c1.yaml and Pulumi.other.yaml both have name "c1", by which Cilium identifies clusters: give each cluster its own before its first \`pulumi up\`",
      ]
    `);
});

test("reports all problems at once", () => {
    const members = [member(1), member(1, { name: "c2" }), member(3, { serviceCidr: "10.1.0.0/24", ciliumVersion: "1.18.0" })];
    expect(meshProblems(members, SETTINGS, NOW)).toMatchInlineSnapshot(`
      [
        "Pulumi.c1.yaml and Pulumi.c2.yaml both have id 1: security identities would be mixed up; give each cluster its own id (1 to 127) before it joins the mesh",
        "VPC block 10.1.0.0/16 of c1 (Pulumi.c1.yaml) and VPC block 10.1.0.0/16 of c2 (Pulumi.c2.yaml) overlap: AWS refuses to connect the VPCs, and pods could not tell which cluster an address belongs to; change one of them",
        "Cilium pool 100.64.128.0/17 of c1 (Pulumi.c1.yaml) and Cilium pool 100.64.128.0/17 of c2 (Pulumi.c2.yaml) overlap: two nodes would have the same router address; change one of them",
        "VPC block 10.1.0.0/16 of c1 (Pulumi.c1.yaml) and service block 10.1.0.0/24 of c3 (Pulumi.c3.yaml) overlap: pods of c3 would send traffic for those addresses to their own Services; change one of them",
        "VPC block 10.1.0.0/16 of c2 (Pulumi.c2.yaml) and service block 10.1.0.0/24 of c3 (Pulumi.c3.yaml) overlap: pods of c3 would send traffic for those addresses to their own Services; change one of them",
        "c3 runs Cilium 1.18.0 and c1 1.20.2, more than one minor version apart: upgrade c3 first (cilium.version in Pulumi.c3.yaml)",
      ]
    `);
});

test("checks quotas before AWS does", () => {
    const many = Array.from({ length: 60 }, (_, i) => member(i + 1));
    expect(meshProblems(many, SETTINGS, NOW)).toContainEqual(
        expect.stringMatching(/^the VPC of c1 would have 59 peering connections, over the quota of 50/),
    );
    expect(
        meshProblems(many, { ...SETTINGS, network: "transit-gateway", quotas: { ...SETTINGS.quotas, rulesPerSecurityGroup: 100 } }, NOW),
    ).toEqual([]);
    const ports = ["tcp/443", "tcp/80"].flatMap((text) => parseTraffic(text) ?? []);
    expect(meshProblems(many.slice(0, 16), { ...SETTINGS, ingress: ports }, NOW)[0]).toMatchInlineSnapshot(
        `"the nodes' security group of c1 would have 62 inbound rules, over the quota of 60: raise the quota with AWS and then quotas.rulesPerSecurityGroup in Pulumi.mesh.yaml, or set ingress to all, which needs one rule per peer"`,
    );
    expect(
        meshProblems(
            many,
            { ...SETTINGS, network: "transit-gateway", quotas: { ...SETTINGS.quotas, rulesPerSecurityGroup: 100, routesPerTable: 50 } },
            NOW,
        )[0],
    ).toMatchInlineSnapshot(
        `"a route table of c1 would have 60 routes, over the quota of 50: raise the quota with AWS and then quotas.routesPerTable in Pulumi.mesh.yaml (at most 1,000)"`,
    );
});

test("accepts jumbo frames within one region, but not through a Transit Gateway", () => {
    const members = [member(1, { mtu: 9001 }), member(2, { mtu: 9001 })];
    expect(meshProblems(members, SETTINGS, NOW)).toEqual([]);
    expect(meshProblems(members, { ...SETTINGS, network: "transit-gateway" }, NOW)).toHaveLength(2);
});

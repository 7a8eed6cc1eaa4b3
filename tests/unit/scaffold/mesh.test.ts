import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { blockAt, contains, overlap, PRIVATE_RANGES, prefixLength } from "../../../core/network/cidr.ts";
import { planReport } from "../../../core/plan/report.ts";
import { stackFileText } from "../../../core/scaffold/files.ts";
import { newCluster, newMesh, type Scaffold } from "../../../core/scaffold/mesh.ts";
import { SETTINGS_KEY } from "../../../core/settings/key.ts";
import { parseConfig } from "../../../core/settings/parse.ts";
import type { Project } from "../../../core/settings/project.ts";
import { fullStackName } from "../../../core/stack-names.ts";
import { cluster, PROJECT } from "../plan/stacks.ts";

/** A plan of several clusters takes tens of milliseconds. */
const RUNS = { numRuns: 20 };

const EMPTY: Project = { clusters: [], meshes: [], problems: [], invalid: [] };

/** A block of a private range, from the whole range to a /24. */
const block = fc.tuple(fc.constantFrom(...PRIVATE_RANGES), fc.nat(), fc.nat()).map(([range, length, index]) => {
    const prefix = prefixLength(range) + (length % (25 - prefixLength(range)));
    return blockAt(range, prefix, index % 2 ** (prefix - prefixLength(range)));
});

const wanted = (supernet: string, count: number, network = "peering") => ({
    supernet,
    clusters: Array.from({ length: count }, (_, i) => ({ stack: `new${i}`, region: i % 2 === 0 ? "eu-central-1" : "us-east-1" })),
    mesh: "mesh",
    network,
    publicCidrs: ["0.0.0.0/0"],
});

/** The folder after the new files were written, read back from their text. */
function written(existing: Project, { files }: Scaffold): Project {
    const project = { ...existing, clusters: [...existing.clusters], meshes: [...existing.meshes], problems: [...existing.problems] };
    for (const [stack, settings] of files) {
        const { config, problems } = parseConfig(parse(stackFileText(settings, "schema.json")).config[SETTINGS_KEY], PROJECT);
        project.problems.push(...problems);
        if (config?.kind === "cluster") project.clusters.push({ stack, config });
        if (config?.kind === "mesh") project.meshes.push({ stack, config });
    }
    return project;
}

/** The mesh with every cluster of the folder in it: `clustermesh join` of those that are not members. */
function joined(project: Project): Project {
    const clusters = project.clusters.map(({ stack }) => fullStackName(stack, PROJECT));
    return { ...project, meshes: project.meshes.map(({ stack, config }) => ({ stack, config: { ...config, clusters } })) };
}

function expectClean(project: Project): void {
    expect(project.problems).toEqual([]);
    expect(planReport(project, PROJECT).problems).toEqual([]);
}

const vpcs = (project: Project) => project.clusters.map(({ config }) => config.vpcCidr);

test("init: every supernet either yields a mesh that passes plan, or is too small", () => {
    fc.assert(
        fc.property(block, fc.integer({ min: 2, max: 8 }), fc.constantFrom("peering", "transit-gateway"), (supernet, count, network) => {
            const scaffold = newMesh(wanted(supernet, count, network), EMPTY, PROJECT);
            const fits = 2 ** (23 - prefixLength(supernet)) >= count;
            if (!fits) {
                expect(scaffold.problems).toEqual([expect.stringContaining(`supernet ${supernet} has no room for ${count} more VPCs`)]);
                return;
            }
            expect(scaffold.problems).toEqual([]);
            const project = written(EMPTY, scaffold);
            expectClean(project);
            expect(new Set(vpcs(project).map(prefixLength)).size).toBe(1);
            for (const cidr of vpcs(project)) expect(contains(supernet, cidr), cidr).toBe(true);
        }),
        RUNS,
    );
});

test("add: clusters that are added after init pass plan, alone and joined, and have VPCs of the same size", () => {
    fc.assert(
        fc.property(block, fc.integer({ min: 2, max: 4 }), fc.integer({ min: 1, max: 4 }), (supernet, count, more) => {
            const scaffold = newMesh(wanted(supernet, count), EMPTY, PROJECT);
            fc.pre(scaffold.problems.length === 0);
            let project = written(EMPTY, scaffold);
            for (let i = 0; i < more; i++) {
                const added = newCluster(`added${i}`, "eu-west-1", project, PROJECT);
                expect(added.problems).toEqual([]);
                project = written(project, added);
                expectClean(project);
            }
            expectClean(joined(project));
            expect(new Set(vpcs(project).map(prefixLength)).size).toBe(1);
        }),
        RUNS,
    );
});

test("init: leaves the ids and addresses of the folder's clusters alone", () => {
    fc.assert(
        fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }), (ids) => {
            const existing = { ...EMPTY, clusters: ids.map((id) => ({ stack: `c${id}`, config: cluster(id) })) };
            const scaffold = newMesh(wanted("10.0.0.0/12", 3), existing, PROJECT);
            expect(scaffold.problems).toEqual([]);
            const project = written(existing, scaffold);
            expectClean(joined(project));
            expect(new Set(project.clusters.map(({ config }) => config.id)).size).toBe(ids.length + 3);
        }),
        RUNS,
    );
});

const allocated = ({ clusters }: Scaffold) => clusters.map(({ id, vpcCidr }) => `${id} ${vpcCidr}`);

test.each([
    ["10.0.0.0/8", 3, ["1 10.0.0.0/16", "2 10.1.0.0/16", "3 10.2.0.0/16"]],
    // Half of the supernet stays free: another two clusters can be added.
    ["10.20.0.0/16", 2, ["1 10.20.0.0/18", "2 10.20.64.0/18"]],
    // Too small to keep half of it free.
    ["10.20.0.0/22", 2, ["1 10.20.0.0/23", "2 10.20.2.0/23"]],
    // The default service CIDR 172.20.0.0/16 gives way.
    ["172.20.0.0/16", 2, ["1 172.20.0.0/18", "2 172.20.64.0/18"]],
])("init: a supernet of %s for %i clusters", (supernet, count, expected) => {
    expect(allocated(newMesh(wanted(supernet, count), EMPTY, PROJECT))).toEqual(expected);
});

test("init: VPCs within 172.16.0.0/12 and 100.64.0.0/10 get service CIDRs and pools outside them", () => {
    const [first] = newMesh(wanted("172.16.0.0/12", 2), EMPTY, PROJECT).files.values();
    expect(first).toMatchObject({ vpcCidr: "172.16.0.0/16", serviceCidr: "10.100.0.0/16" });
    const [other] = newMesh(wanted("100.64.0.0/10", 2), EMPTY, PROJECT).files.values();
    expect(other).toMatchObject({ vpcCidr: "100.64.0.0/16", cilium: { poolCidr: "10.128.128.0/17" } });
});

test.each([
    [{ supernet: "10.0.0.7/8" }, ['supernet must be a canonical IPv4 CIDR (host bits zero), such as 10.0.0.0/8; got "10.0.0.7/8"']],
    [
        { supernet: "8.0.0.0/8" },
        ["supernet 8.0.0.0/8 must be within one of the private ranges 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10"],
    ],
    [
        { supernet: "10.0.0.0/24", mesh: "a/b", network: "vpn" },
        [
            "supernet 10.0.0.0/24 has no room for 2 more VPCs of at least a /23 each: use a /22 or larger",
            'stack name "a/b" must consist of letters, digits, ".", "_" and "-"',
            expect.stringMatching(/^Pulumi\.b\.yaml: network/),
        ],
    ],
    [{ mesh: "new1" }, ["two stacks cannot both be called new1: each needs a file of its own"]],
])("init: %j reports every problem", (over, problems) => {
    expect(newMesh({ ...wanted("10.0.0.0/8", 2), ...over }, EMPTY, PROJECT).problems).toEqual(problems);
});

test("init: reports what plan would refuse, such as more peerings than the quota allows", () => {
    const { problems } = newMesh(wanted("10.0.0.0/8", 52), EMPTY, PROJECT);
    expect(problems).toHaveLength(52);
    expect(problems[0]).toContain("51 peering connections");
    expect(newMesh(wanted("10.0.0.0/8", 52, "transit-gateway"), EMPTY, PROJECT).problems).toEqual([]);
});

test("init: refuses more clusters than there are ids", () => {
    expect(newMesh(wanted("10.0.0.0/8", 128), EMPTY, PROJECT).problems[0]).toBe(
        "128 clusters need 128 free ids, but only 127 of 1 to 127 are free",
    );
});

const folder = (...clusters: ReturnType<typeof cluster>[]): Project => ({
    ...EMPTY,
    clusters: clusters.map((config) => ({ stack: config.name, config })),
});

test.each([
    ["after the last VPC of the range", folder(cluster(1), cluster(3)), undefined, "2 10.4.0.0/16"],
    [
        "in a gap when the range is used to its end",
        folder(cluster(1), cluster(2, { vpcCidr: "10.255.0.0/16" })),
        undefined,
        "3 10.0.0.0/16",
    ],
    [
        "of the size that most clusters have",
        folder(cluster(1, { vpcCidr: "10.1.0.0/18" }), cluster(2, { vpcCidr: "10.2.0.0/18" }), cluster(3)),
        undefined,
        "4 10.4.0.0/18",
    ],
    [
        "in another range when the last one's is full",
        folder(cluster(1), cluster(2, { vpcCidr: "192.168.0.0/16" })),
        undefined,
        "3 10.2.0.0/16",
    ],
    ["within a supernet", folder(cluster(1), cluster(2)), "172.16.0.0/12", "3 172.16.0.0/16"],
    ["beside the services of the other clusters", folder(cluster(1, { vpcCidr: "172.19.0.0/16" })), undefined, "2 172.21.0.0/16"],
])("add: takes a block %s", (_, existing, supernet, expected) => {
    const scaffold = newCluster("new", "eu-west-1", existing, PROJECT, supernet);
    expect(scaffold.problems).toEqual([]);
    expect(allocated(scaffold)).toEqual([expected]);
    const [added] = scaffold.clusters;
    for (const { config } of existing.clusters) expect(overlap(added?.vpcCidr ?? "", config.vpcCidr)).toBe(false);
});

test.each<[string, Project, string | undefined, string[]]>([
    ["a folder without clusters", EMPTY, undefined, ["no cluster stack to go by: `clustermesh init` writes the first files"]],
    ["a supernet that is full", folder(cluster(1)), "10.1.0.0/16", ["no /16 is free in 10.1.0.0/16: name a larger --supernet"]],
    [
        "a folder with an invalid file",
        { ...folder(cluster(1)), problems: ["Pulumi.x.yaml: id is missing"] },
        undefined,
        ["Pulumi.x.yaml: id is missing"],
    ],
])("add: refuses %s", (_, existing, supernet, problems) => {
    expect(newCluster("new", "eu-west-1", existing, PROJECT, supernet).problems).toEqual(problems);
});

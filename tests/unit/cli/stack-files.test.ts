import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readProject } from "../../../cli/project/stack-files.ts";

let folder: string;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-plan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("reads the stacks of this repository: two clusters and their mesh", () => {
    const { clusters, meshes, problems } = readProject(".");
    expect(problems).toEqual([]);
    expect(clusters.map(({ stack, config }) => [stack, config.vpcCidr, config.nat])).toEqual([
        ["cluster1", "10.248.0.0/18", "single"],
        ["cluster2", "192.168.0.0/16", "single"],
    ]);
    expect(meshes.map(({ config }) => config.clusters)).toEqual([
        ["organization/clustermesh/cluster1", "organization/clustermesh/cluster2"],
    ]);
});

test("reports the problems of every file at once, and ignores the project file and files of other projects", () => {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write("Pulumi.yaml", "name: clustermesh\n");
    write("Pulumi.other.yaml", "config:\n  aws:region: eu-central-1\n");
    write("Pulumi.empty.yaml", "");
    write("Pulumi.broken.yaml", "config: [\n");
    write("Pulumi.a.yaml", "config:\n  clustermesh:stack: {kind: mesh, clusters: [b]}\n");
    write("Pulumi.b.yaml", "config:\n  clustermesh:stack: {kind: cluster, name: b, id: 0, region: eu-central-1, vpcCidr: 10.0.0.0/16}\n");
    const { clusters, meshes, problems } = readProject(folder);
    expect([...clusters, ...meshes]).toEqual([]);
    expect(problems).toEqual([
        expect.stringMatching(/^Pulumi\.a\.yaml: clusters must list at least two cluster stacks; got \["b"\]/),
        expect.stringMatching(/^Pulumi\.b\.yaml: id must be between 1 and 127; got 0/),
        expect.stringMatching(/^Pulumi\.broken\.yaml: is not valid YAML/),
    ]);
});

test("short stack names are completed with the project's name in Pulumi.yaml", () => {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write("Pulumi.mesh.yaml", "config:\n  clustermesh:stack: {kind: mesh, clusters: [a, acme/other/b]}\n");
    const members = () => readProject(folder).meshes[0]?.config.clusters;
    expect(members()).toEqual(["organization/clustermesh/a", "acme/other/b"]);
    write("Pulumi.yaml", "name: acme\n");
    expect(members()).toEqual(["organization/acme/a", "acme/other/b"]);
});

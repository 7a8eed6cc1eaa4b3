import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readProject } from "../../../cli/project/stack-files.ts";
import { chartLocation } from "../../../core/settings/chart.ts";

test.each([
    ["https://helm.cilium.io/", "/project", "/project/node_modules/clustermesh/dist", "https://helm.cilium.io/"],
    ["oci://quay.io/cilium/charts/cilium", "/project", "/elsewhere", "oci://quay.io/cilium/charts/cilium"],
    // As the stack file has it, so that a deployed release does not change.
    ["./charts/cilium", "/project", "/project", "./charts/cilium"],
    ["charts/cilium", "/project", "/project/node_modules/clustermesh/dist", "../../../charts/cilium"],
    ["/charts/cilium.tgz", "/project", "/project/program", "../../charts/cilium.tgz"],
])("%s of %s is found from %s as %s", (chart, folder, workingDirectory, location) => {
    expect(chartLocation(chart, folder, workingDirectory)).toBe(location);
});

let folder: string;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-chart-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a chart on disk is relative to Pulumi.yaml, wherever the command runs", () => {
    const cluster = { kind: "cluster", name: "c1", id: 1, region: "eu-central-1", vpcCidr: "10.1.0.0/16", cilium: { chart: "cilium" } };
    writeFileSync(join(folder, "Pulumi.c1.yaml"), JSON.stringify({ config: { "clustermesh:stack": cluster } }));
    expect(readProject(folder).problems).toEqual([expect.stringMatching(/^Pulumi\.c1\.yaml: cilium\.chart must be an existing folder/)]);
    mkdirSync(join(folder, "cilium"));
    writeFileSync(join(folder, "cilium/Chart.yaml"), "version: 1.20.2\n");
    expect(readProject(folder).problems).toEqual([]);
});

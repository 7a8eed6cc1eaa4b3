import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { projectFileText, projectNameOf, stackFileText } from "../../../core/scaffold/files.ts";

test("a cluster's file has its schema in the first line and a comment above what needs one", () => {
    const settings = {
        kind: "cluster" as const,
        name: "cluster3",
        id: 3,
        region: "eu-west-1",
        vpcCidr: "10.2.0.0/16",
        kubernetesVersion: "1.35",
        endpoint: { publicCidrs: ["192.0.2.0/24", "198.51.100.0/24"] },
        cilium: { kvstoreMesh: true },
    };
    const text = stackFileText(settings, "schema/stack.schema.json");
    expect(text).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=schema/stack.schema.json
      config:
        clustermesh:stack:
          kind: cluster
          # Name of the cluster, for EKS and for Cilium. Must be unique in the mesh. Cannot be changed later.
          name: cluster3
          # Cilium's cluster id, 1 to 127. Must be unique in the mesh. Cannot be changed later.
          id: 3
          region: eu-west-1
          # CIDR of the VPC. Nodes and pods get their addresses from it. Must not overlap any other cluster's. Cannot be changed later.
          vpcCidr: 10.2.0.0/16
          # Kubernetes minor version, in quotes.
          kubernetesVersion: "1.35"
          endpoint:
            # Source CIDRs that may reach the API server over the internet. Narrow this to where Pulumi runs.
            # Remove it to keep the API server private; Pulumi must then run within the VPC.
            publicCidrs: [192.0.2.0/24, 198.51.100.0/24]
          cilium:
            kvstoreMesh: true
      "
    `);
    expect(parse(text)).toEqual({ config: { "clustermesh:stack": settings } });
});

test("a mesh's file says which commands edit its list", () => {
    expect(stackFileText({ kind: "mesh", clusters: ["cluster1", "cluster2"], network: "peering" }, "s.json")).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=s.json
      config:
        clustermesh:stack:
          kind: mesh
          # The cluster stacks of the mesh. \`clustermesh join\` and \`clustermesh leave\` edit this list.
          clusters: [cluster1, cluster2]
          # How VPCs are connected: peering (a connection per pair), or transit-gateway (from about ten clusters on; billed by the hour).
          network: peering
      "
    `);
});

test("Pulumi.yaml runs the program as the repository's own does", () => {
    const { template: _, ...own } = parse(readFileSync("Pulumi.yaml", "utf8"));
    expect(parse(projectFileText("clustermesh", "index.ts"))).toEqual(own);
    expect(parse(projectFileText("acme", "../clustermesh/index.ts"))).toMatchObject({ name: "acme", main: "../clustermesh/index.ts" });
});

test.each([
    ["acme-mesh", "acme-mesh"],
    ["Acme mesh (prod)", "Acme-mesh-prod"],
    [".hidden", "hidden"],
    ["///", "clustermesh"],
])("the folder %j yields the project name %s", (folder, name) => expect(projectNameOf(folder)).toBe(name));

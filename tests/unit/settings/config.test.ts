import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig as parseStackConfig } from "../../../core/settings/parse.ts";
import { loadConfig } from "../../../stacks/load-config.ts";

const parseConfig = (raw: unknown) => parseStackConfig(raw, "organization/clustermesh");

const cluster = { kind: "cluster", name: "cluster1", id: 1, region: "eu-central-1", vpcCidr: "10.248.0.0/18" };
const mesh = { kind: "mesh", clusters: ["cluster1", "cluster2"] };

describe("the stack files of this repository", () => {
    test.each(["cluster1", "cluster2", "mesh"])("Pulumi.%s.yaml", (stack) => {
        const file = parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8"));
        expect(parseConfig(file.config["clustermesh:stack"])).toMatchObject({
            problems: [],
            config: { kind: stack === "mesh" ? "mesh" : "cluster" },
        });
    });
});

test("a cluster has production defaults", () => {
    expect(parseConfig(cluster)).toMatchInlineSnapshot(`
      {
        "config": {
          "addons": {
            "coreDns": "v1.14.2-eksbuild.4",
            "kubeProxy": "v1.35.3-eksbuild.13",
            "vpcCni": "v1.21.1-eksbuild.3",
          },
          "admins": [],
          "cilium": {
            "chart": "https://helm.cilium.io/",
            "kvstoreMesh": false,
            "poolCidr": "100.64.128.0/17",
            "privileged": false,
            "values": {},
            "version": "1.20.2",
          },
          "endpoint": {
            "publicCidrs": [],
          },
          "id": 1,
          "kind": "cluster",
          "kubernetesVersion": "1.35",
          "logs": {
            "retentionDays": 365,
            "types": [
              "api",
              "audit",
              "authenticator",
              "controllerManager",
              "scheduler",
            ],
          },
          "mtu": 8500,
          "name": "cluster1",
          "nat": "zone",
          "nodeGroup": {
            "architecture": "x86_64",
            "desired": 3,
            "diskGiB": 50,
            "instanceTypes": [
              "m7i.large",
            ],
            "max": 6,
            "min": 2,
            "subnets": "private",
          },
          "region": "eu-central-1",
          "serviceCidr": "172.20.0.0/16",
          "tags": {},
          "vpcCidr": "10.248.0.0/18",
          "zones": 3,
        },
        "problems": [],
      }
    `);
});

test("a mesh has defaults and full stack names", () => {
    expect(
        parseConfig({ ...mesh, clusters: ["cluster1", "acme/other/cluster2"], ingress: ["tcp/443", "udp/53-54", "icmp"] }),
    ).toMatchInlineSnapshot(`
      {
        "config": {
          "clusters": [
            "organization/clustermesh/cluster1",
            "acme/other/cluster2",
          ],
          "gate": {
            "healAfterSeconds": 180,
            "timeoutSeconds": 900,
          },
          "ingress": [
            {
              "fromPort": 443,
              "protocol": "tcp",
              "toPort": 443,
            },
            {
              "fromPort": 53,
              "protocol": "udp",
              "toPort": 54,
            },
            {
              "fromPort": 8,
              "protocol": "icmp",
              "toPort": 0,
            },
          ],
          "kind": "mesh",
          "network": "peering",
          "quotas": {
            "peeringsPerVpc": 50,
            "routesPerTable": 500,
            "rulesPerSecurityGroup": 60,
          },
          "rolling": false,
          "tags": {},
        },
        "problems": [],
      }
    `);
});

test("computes the defaults that depend on other settings", () => {
    expect(
        parseConfig({ ...cluster, id: 127, kubernetesVersion: "1.36", addons: { coreDns: "v9" }, nodeGroup: { architecture: "arm64" } })
            .config,
    ).toMatchObject({
        nodeGroup: { instanceTypes: ["m7g.large"] },
        cilium: { poolCidr: "100.127.128.0/17" },
        addons: { kubeProxy: expect.stringMatching(/^v1\.36\./), coreDns: "v9" },
    });
});

describe("invalid settings are reported with the value and what to do", () => {
    test.each([
        [{ ...cluster, vpcCdir: "10.0.0.0/16" }],
        [{ ...cluster, nodeGroup: { minimum: 1 } }],
        [{ ...cluster, nodeGroup: { dsired: 1 } }],
        [{ ...cluster, vpcCidr: "ten" }],
        [{ ...cluster, zones: "all" }],
        [{ ...cluster, nodeGroup: { instanceTypes: ["large"] }, admins: "me", mtu: 100 }],
        [{ ...cluster, tags: { "": "x" }, cilium: { chart: "" }, logs: { types: ["all"] } }],
        [{ ...mesh, kind: undefined }],
        ["cluster"],
        [{ ...cluster, kind: "clutser" }],
        [{ ...cluster, id: 0 }],
        [{ ...cluster, id: 128 }],
        [{ ...cluster, id: 255 }],
        [{ ...cluster, id: "1" }],
        [{ ...cluster, name: "a".repeat(33) }],
        [{ ...cluster, name: "Cluster1" }],
        [{ ...cluster, name: "default" }],
        [{ ...cluster, name: undefined }],
        [{ ...cluster, vpcCidr: "10.248.0.0/33" }],
        [{ ...cluster, vpcCidr: "10.248.0.1/18" }],
        [{ ...cluster, vpcCidr: "10.0.0.0/8" }],
        [{ ...cluster, vpcCidr: "8.8.0.0/16" }],
        [{ ...cluster, vpcCidr: "10.248.0.0/24" }],
        [{ ...cluster, vpcCidr: "172.20.0.0/16" }],
        [{ ...cluster, vpcCidr: "100.64.128.0/18" }],
        [{ ...cluster, zones: 1 }],
        [{ ...cluster, zones: ["eu-central-1a", "us-east-1a"] }],
        [{ ...cluster, zones: ["eu-central-1a", "eu-central-1a"] }],
        [{ ...cluster, kubernetesVersion: "1.30" }],
        [{ ...cluster, kubernetesVersion: 1.35 }],
        [{ ...cluster, cilium: { version: "1.19.3" } }],
        [{ ...cluster, cilium: { version: "v1.20.2" } }],
        [{ ...cluster, cilium: { values: { cluster: { id: 7 }, ipam: { mode: "eni" } } } }],
        [{ ...cluster, cilium: { chart: "./no/such/chart" } }],
        [{ ...cluster, nat: "none" }],
        [{ ...cluster, nodeGroup: { min: 3, desired: 2, max: 1 } }],
        [{ ...cluster, logs: { retentionDays: 42 } }],
        [{ ...cluster, region: "Frankfurt" }],
        [{ ...cluster, assumeRole: "admin" }],
        [{ ...mesh, clusters: ["cluster1"] }],
        [{ ...mesh, clusters: ["cluster1", "cluster2", "organization/clustermesh/cluster1"] }],
        [{ ...mesh, clusters: ["cluster1", "project/cluster2"] }],
        [{ ...mesh, ingress: ["443", "tcp/99999"] }],
        [{ ...mesh, ingress: ["tcp/443", "tcp/443"] }],
        [{ ...mesh, ingress: "none" }],
        [{ ...mesh, network: "vpn" }],
    ])("%j", (raw) => {
        const { config, problems } = parseConfig(raw);
        expect(config).toBeUndefined();
        expect(problems).toMatchSnapshot();
    });

    test("missing settings", () => expect(parseConfig(undefined).problems).toHaveLength(1));

    test("reports all problems of a file at once, also those across several settings", () => {
        expect(
            parseConfig({
                ...cluster,
                id: 300,
                vpcCidr: "10.0.0.0/26",
                typo: 1,
                nat: "none",
                nodeGroup: { typo: 2 },
                cilium: { values: { routingMode: "tunnel" } },
            }).problems,
        ).toMatchInlineSnapshot(`
          [
            "id must be between 1 and 127: with the AWS VPC CNI, network policies drop allowed traffic of clusters with ids from 128 on (cilium#21330); got 300",
            "unknown key "nodeGroup.typo": docs/configuration.md lists all settings",
            "unknown key "typo": docs/configuration.md lists all settings",
            "vpcCidr must be at least a /23 for 3 zones; got "10.0.0.0/26"",
            "nat "none" with nodeGroup.subnets "private" leaves nodes without a route to image registries and EKS: set nat to zone or single, or nodeGroup.subnets to public",
            "cilium.values must not set routingMode, which the mesh depends on: remove it, or use the stack setting for it (docs/configuration.md)",
          ]
        `);
    });

    test("accepts public nodes without NAT", () =>
        expect(parseConfig({ ...cluster, nat: "none", nodeGroup: { subnets: "public" } }).problems).toEqual([]));
});

describe("a chart on disk", () => {
    const folder = mkdtempSync(join(tmpdir(), "clustermesh-chart-"));
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    test("must have the version that cilium.version names", () => {
        writeFileSync(join(folder, "Chart.yaml"), "name: cilium\nversion: 1.20.1\n");
        expect(parseConfig({ ...cluster, cilium: { chart: folder } }).problems).toEqual([
            `cilium.chart "${folder}" has version 1.20.1, but cilium.version is 1.20.2: they must match`,
        ]);
        expect(parseConfig({ ...cluster, cilium: { chart: folder, version: "1.20.1" } }).problems).toEqual([]);
    });
});

describe("the reader of Pulumi.<stack>.yaml", () => {
    const load = async (config: Record<string, string>, project = "clustermesh") => {
        await pulumi.runtime.setMocks(
            { call: () => ({}), newResource: () => ({ id: "", state: {} }) },
            project,
            "cluster1",
            false,
            "organization",
        );
        pulumi.runtime.setAllConfig(config);
        return loadConfig();
    };

    test("reads clustermesh:stack", async () => {
        expect(await load({ "clustermesh:stack": JSON.stringify(cluster), "aws:profile": "x" })).toMatchObject({ name: "cluster1" });
    });

    test("takes clustermesh:stack in a project of any name, which completes short stack names", async () => {
        expect(await load({ "clustermesh:stack": JSON.stringify(mesh) }, "acme")).toMatchObject({
            clusters: ["organization/acme/cluster1", "organization/acme/cluster2"],
        });
    });

    test("refuses keys without a namespace, which Pulumi puts into the project's own", async () => {
        const error = await load({ "acme:stack": "{}", "clustermesh:stack": JSON.stringify(cluster) }, "acme").catch((error) => error);
        expect(error.message).toBe('Pulumi.cluster1.yaml is invalid:\n✖ unknown key "acme:stack": all settings go under clustermesh:stack');
    });

    test("throws a RunError, without a stack trace, that names the file and all its problems", async () => {
        const error = await load({
            "clustermesh:stack": JSON.stringify({ ...cluster, id: 128, zones: 9 }),
            "clustermesh:vpcCidr": "10.0.0.0/16",
        }).catch((error) => error);
        expect(pulumi.RunError.isInstance(error)).toBe(true);
        expect(error.message).toMatchInlineSnapshot(`
          "Pulumi.cluster1.yaml is invalid:
          ✖ unknown key "clustermesh:vpcCidr": all settings go under clustermesh:stack
          ✖ id must be between 1 and 127: with the AWS VPC CNI, network policies drop allowed traffic of clusters with ids from 128 on (cilium#21330); got 128
          ✖ zones must be at most 6; got 9"
        `);
    });
});

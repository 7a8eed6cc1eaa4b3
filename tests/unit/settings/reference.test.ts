import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { z } from "zod";
import { ClusterSchema } from "../../../core/settings/cluster-schema.ts";
import { MeshSchema } from "../../../core/settings/mesh-schema.ts";
import { parseConfig } from "../../../core/settings/parse.ts";
import { configurationPage, stackFileSchema } from "../../../core/settings/reference.ts";
import { settingRegistry } from "../../../core/settings/registry.ts";
import { GENERATED_FILES, outdated } from "../../../scripts/generate.ts";

const SAMPLES = ["Pulumi.cluster1.yaml", "Pulumi.cluster2.yaml", "Pulumi.mesh.yaml"];

test("the generated files are up to date (`npm run generate` writes them)", () => {
    expect(GENERATED_FILES.map(({ file }) => file)).toEqual([
        "docs/cli.md",
        "docs/configuration.md",
        "docs/doctor.md",
        "schema/stack.schema.json",
    ]);
    expect(outdated()).toEqual([]);
    expect(outdated([{ file: "docs/configuration.md", content: () => "another text" }])).toEqual(["docs/configuration.md"]);
    expect(outdated([{ file: "docs/does-not-exist.md", content: () => "" }])).toEqual(["docs/does-not-exist.md"]);
});

describe("the JSON Schema of stack files", () => {
    const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(stackFileSchema());
    const file = (name: string) => parse(readFileSync(name, "utf8"));
    const valid = (settings: object, others: object = {}) => validate({ config: { "clustermesh:stack": settings, ...others } });
    const cluster = file("Pulumi.cluster1.yaml").config["clustermesh:stack"];
    const mesh = file("Pulumi.mesh.yaml").config["clustermesh:stack"];

    test.each(SAMPLES)("accepts %s, whose first line names it", (name) => {
        expect(validate(file(name)), JSON.stringify(validate.errors)).toBe(true);
        expect(readFileSync(name, "utf8").split("\n", 1)).toEqual(["# yaml-language-server: $schema=schema/stack.schema.json"]);
    });

    test("accepts keys of other namespaces, but no other key of this one", () => {
        expect(valid(cluster, { "aws:profile": "x", encryptionsalt: "v1:x" })).toBe(true);
        expect(valid(cluster, { "clustermesh:vpcCidr": "10.0.0.0/16" })).toBe(false);
        expect(validate({ config: cluster })).toBe(false);
    });

    test("accepts every kind of value that the program accepts", () => {
        expect(
            valid({ ...cluster, zones: ["eu-central-1a", "eu-central-1b"], cilium: { values: { a: { b: [1] } } }, tags: { a: "b" } }),
        ).toBe(true);
        expect(valid({ ...mesh, ingress: ["tcp/443"], gate: {}, quotas: { peeringsPerVpc: 125 } })).toBe(true);
    });

    test.each([
        { ...cluster, vpcCdir: "10.0.0.0/16" },
        { ...cluster, nodeGroup: { minimum: 1 } },
        { ...cluster, kind: "clutser" },
        { ...cluster, name: undefined },
        { ...cluster, id: 128 },
        { ...cluster, kubernetesVersion: 1.35 },
        { ...cluster, zones: 7 },
        { ...mesh, clusters: ["cluster1"] },
        { ...mesh, network: "vpn" },
        { ...mesh, vpcCidr: "10.0.0.0/16" },
    ])("rejects %j, as the program does", (settings) => {
        const given = JSON.parse(JSON.stringify(settings));
        expect(valid(given)).toBe(false);
        expect(parseConfig(given, "organization/clustermesh").problems).not.toEqual([]);
    });
});

describe("docs/configuration.md", () => {
    const page = configurationPage();

    test("has a section for every setting", () => {
        for (const schema of [ClusterSchema, MeshSchema]) {
            for (const [key, setting] of Object.entries(schema.shape)) {
                expect(page).toContain(`\n### \`${key}\`\n`);
                expect(settingRegistry.get(setting as z.ZodType)?.description, key).toMatch(/^[A-Z].*\.$/);
            }
        }
        for (const path of ["nodeGroup.min", "endpoint.publicCidrs", "cilium.values", "addons.coreDns", "gate.timeoutSeconds"])
            expect(page).toContain(`\n### \`${path}\`\n`);
    });

    test("shows type, default and whether the setting can change", () => {
        expect(page).toContain("- Type: integer, 1280 to 9001\n- Default: `8500`\n- Change later: in place; pods use it when");
        expect(page).toContain("- Default: m7i.large, or m7g.large on arm64\n- Change later: replaces the node group\n");
        expect(page).toContain("- Default: none, required\n- Change later: never; it replaces the VPC;");
    });

    test("wraps at 100 columns", () => {
        expect(page.split("\n").filter((line) => line.length > 100)).toEqual([]);
    });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../../../cli/command.ts";
import { editMesh, membership } from "../../../cli/project/membership.ts";
import { withMember, withoutMember } from "../../../cli/project/mesh-file.ts";

let folder: string;
const file = (stack: string) => join(folder, `Pulumi.${stack}.yaml`);
const cluster = (id: number) =>
    `config:\n  clustermesh:stack: {kind: cluster, name: c${id}, id: ${id}, region: eu-central-1, vpcCidr: 10.${id}.0.0/16}\n`;
const MESH = `# Ours.
config:
    clustermesh:stack:
        kind: mesh
        clusters: # in any order
            - a
            - organization/clustermesh/b # their own
        gate: { timeoutSeconds: 60 }
`;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-join-"));
    writeFileSync(join(folder, "Pulumi.yaml"), "name: clustermesh\n");
    for (const [i, stack] of ["a", "b", "c"].entries()) writeFileSync(file(stack), cluster(i + 1));
    writeFileSync(file("mesh"), MESH);
});
afterEach(() => rmSync(folder, { recursive: true }));

const FLOW = "config:\n  clustermesh:stack: { kind: mesh, clusters: [a, acme/other/b], gate: {} } # x";
const LAST = "config:\n  clustermesh:stack:\n    kind: mesh\n    clusters:\n    - a\n    - b";

test.each([
    ["block style", MESH, "c", MESH.replace("their own\n", "their own\n            - c\n")],
    ["flow style", FLOW, "c", FLOW.replace("r/b]", "r/b, c]")],
    ["the file's last line", LAST, "c", `${LAST}\n    - c\n`],
])("adds a name and changes nothing else: %s", (_, before, name, after) => expect(withMember(before, name)).toBe(after));

test.each([
    ["block style, a full name", MESH, "b", MESH.replace("            - organization/clustermesh/b # their own\n", "")],
    ["the first name", MESH, "a", MESH.replace("            - a\n", "")],
    ["flow style, the last name", FLOW, "b", FLOW.replace(", acme/other/b", "")],
    ["flow style, the first name", FLOW, "a", FLOW.replace("a, acme", "acme")],
    ["a name that is not in the list", MESH, "x", MESH],
])("removes a name and changes nothing else: %s", (_, before, name, after) => expect(withoutMember(before, name)).toBe(after));

test("adding and removing a name restores the file", () => {
    for (const text of [MESH, FLOW]) expect(withoutMember(withMember(text, "c"), "c")).toBe(text);
});

test("does not write a file that would be invalid", () => {
    const edit = (change: (text: string) => string) => () => editMesh({ folder, log: () => {} }, "mesh", change, "");
    expect(edit((text) => withoutMember(text, "a"))).toThrow(UsageError);
    writeFileSync(file("c"), cluster(1));
    // Two clusters with the same name and VPC: each file by itself is valid.
    expect(edit((text) => withMember(text, "c"))).toThrow("overlap");
    expect(readFileSync(file("mesh"), "utf8")).toBe(MESH);
});

test.each([
    ["d", undefined, "cluster stack d does not exist"],
    ["mesh", undefined, "cluster stack mesh does not exist"],
    ["a", "mehs", "mesh stack mehs does not exist"],
])("refuses %s --mesh %s", (name, mesh, message) => {
    expect(() => membership({ folder }, name, mesh)).toThrow(message);
});

test("asks for --mesh if the folder has several meshes", () => {
    writeFileSync(file("other"), MESH);
    expect(() => membership({ folder }, "a", undefined)).toThrow("the folder has several meshes: name one of mesh, other as --mesh");
    expect(membership({ folder }, "a", "other").mesh).toBe("other");
});

test("asks for a mesh file if the folder has none", () => {
    rmSync(file("mesh"));
    expect(() => membership({ folder }, "a", undefined)).toThrow("the folder has no mesh stack: write Pulumi.mesh.yaml first");
});

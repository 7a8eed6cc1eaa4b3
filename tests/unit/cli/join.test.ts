import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../../../cli/command.ts";
import { editMesh, oneCluster } from "../../../cli/commands/join.ts";
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
])("a name comes, and nothing else changes: %s", (_, before, name, after) => expect(withMember(before, name)).toBe(after));

test.each([
    ["block style, a full name", MESH, "b", MESH.replace("            - organization/clustermesh/b # their own\n", "")],
    ["the first one", MESH, "a", MESH.replace("            - a\n", "")],
    ["flow style, the last one", FLOW, "b", FLOW.replace(", acme/other/b", "")],
    ["flow style, the first one", FLOW, "a", FLOW.replace("a, acme", "acme")],
    ["one that is not there", MESH, "x", MESH],
])("a name goes, and nothing else changes: %s", (_, before, name, after) => expect(withoutMember(before, name)).toBe(after));

test("a name that comes and goes leaves the file as it was", () => {
    for (const text of [MESH, FLOW]) expect(withoutMember(withMember(text, "c"), "c")).toBe(text);
});

test("a file that would be wrong then is left as it was", () => {
    const edit = (change: (text: string) => string) => () => editMesh({ folder, log: () => {} }, "mesh", change, "");
    expect(edit((text) => withoutMember(text, "a"))).toThrow(UsageError);
    writeFileSync(file("c"), cluster(1));
    // Two of one name and block: each by itself is right.
    expect(edit((text) => withMember(text, "c"))).toThrow("overlap");
    expect(readFileSync(file("mesh"), "utf8")).toBe(MESH);
});

test.each([
    [[], undefined, "name one cluster stack, not 0"],
    [["a", "b"], undefined, "name one cluster stack, not 2"],
    [["d"], undefined, "there is no cluster stack d"],
    [["mesh"], undefined, "there is no cluster stack mesh"],
    [["a"], "mehs", "there is no mesh stack mehs"],
])("%j --mesh %s is refused", (operands, mesh, said) => {
    expect(() => oneCluster({ folder }, operands, mesh)).toThrow(said);
});

test("with several meshes it must be said which", () => {
    writeFileSync(file("other"), MESH);
    expect(() => oneCluster({ folder }, ["a"], undefined)).toThrow("name the mesh by --mesh: mesh, other");
    expect(oneCluster({ folder }, ["a"], "other").mesh).toBe("other");
});

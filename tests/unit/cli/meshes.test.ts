import { expect, test } from "vitest";
import { blockedMeshes, deployedMembers, type MeshGroup, meshGroups } from "../../../cli/engine/meshes.ts";
import { deployedCluster, deployedMesh, notDeployed, project } from "./fake-project.ts";

const names = (groups: readonly MeshGroup[]) => groups.map(({ mesh, stacks }) => [mesh, stacks.map(({ stack }) => stack)]);

test("groups the stacks of two meshes, and clusters that are in none", () => {
    const deployed = [
        ...["a1", "a2", "b1", "b2", "loose"].map((stack) => deployedCluster(stack)),
        deployedMesh("mesh-a", { a1: "a1", a2: "a2" }),
        deployedMesh("mesh-b", { b1: "b1", b2: "b2" }),
    ];
    expect(names(meshGroups(project({ "mesh-a": ["a1", "a2"], "mesh-b": ["b1", "b2"] }, ["loose"]), deployed))).toEqual([
        ["mesh-a", ["a1", "a2", "mesh-a"]],
        ["mesh-b", ["b1", "b2", "mesh-b"]],
        [undefined, ["loose"]],
    ]);
});

test("a cluster belongs to the mesh that names it, and to the mesh that it has not left yet", () => {
    const deployed = [
        ...["a1", "a2", "moved"].map((stack) => deployedCluster(stack)),
        deployedMesh("mesh-a", { a1: "a1", a2: "a2", moved: "moved" }),
        notDeployed("mesh-b", "mesh"),
    ];
    expect(names(meshGroups(project({ "mesh-a": ["a1", "a2"], "mesh-b": ["moved", "organization/clustermesh/a1"] }), deployed))).toEqual([
        ["mesh-a", ["a1", "a2", "moved", "mesh-a"]],
        ["mesh-b", ["a1", "moved", "mesh-b"]],
    ]);
});

test("the members of a mesh are not those of another mesh, even if the clusters have the same names", () => {
    const deployed = [
        deployedCluster("prod1", "c1"),
        deployedCluster("prod2", "c2"),
        deployedCluster("test1", "c1"),
        deployedCluster("test2", "c2"),
        deployedMesh("prod", { c1: "prod1", c2: "prod2" }),
        deployedMesh("test", { c1: "test1", c2: "test2" }),
    ];
    const groups = meshGroups(project({ prod: ["prod1", "prod2"], test: ["test1", "test2"] }), deployed);
    expect(groups.map((group) => deployedMembers(group).members.map(({ stack }) => stack))).toEqual([
        ["prod1", "prod2"],
        ["test1", "test2"],
    ]);
});

test("a cluster that has not joined yet is no member, and what cannot be read is a problem of its own mesh only", () => {
    const deployed = [
        deployedCluster("a1"),
        deployedCluster("a2"),
        deployedCluster("new"),
        notDeployed("b1", "cluster"),
        deployedMesh("mesh-a", { a1: "a1", a2: "a2" }),
        notDeployed("mesh-b", "mesh"),
    ];
    const [a, b] = meshGroups(project({ "mesh-a": ["a1", "a2", "new"], "mesh-b": ["b1", "b2"] }), deployed);
    expect(deployedMembers(a as MeshGroup)).toMatchObject({ members: [{ name: "a1" }, { name: "a2" }], problems: [] });
    expect(deployedMembers(b as MeshGroup)).toEqual({
        members: [],
        problems: ["stack b1 has no outputs", "stack mesh-b has no outputs"],
    });
});

test("a mesh is blocked by its own clusters only", () => {
    const deployed = [
        deployedCluster("a1"),
        deployedCluster("a2"),
        notDeployed("b1", "cluster"),
        deployedCluster("b2"),
        notDeployed("mesh-a", "mesh"),
        notDeployed("mesh-b", "mesh"),
    ];
    expect([...blockedMeshes(project({ "mesh-a": ["a1", "a2"], "mesh-b": ["b1", "b2"] }), deployed)]).toEqual([["mesh-b", ["b1"]]]);
});

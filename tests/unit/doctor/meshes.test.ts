import { expect, test } from "vitest";
import { stacksOf } from "../../../cli/engine/meshes.ts";
import { groupByMesh } from "../../../cli/gather.ts";
import { diagnose } from "../../../core/doctor/diagnose.ts";
import { Evidence } from "../../../core/doctor/evidence.ts";
import { statusReport } from "../../../core/doctor/status.ts";
import { doctorText } from "../../../core/doctor/text.ts";
import type { PublishedCluster } from "../../../core/facts/schema.ts";
import { member } from "../../members.ts";
import { agents, type Broken, behind, config, entry, mesh, value } from "./record.ts";

const SECOND = "mesh-b";

/** The recorded mesh and a copy of it as a second one: other stacks, but the same ids, addresses and certificates. */
function twoMeshes(clusterName: string, changeFirst: (broken: Broken) => void, changeSecond: (broken: Broken) => void): Evidence {
    const first = mesh(changeFirst);
    const second = Evidence.parse(JSON.parse(JSON.stringify(mesh(changeSecond)).replaceAll(/cluster(?=[12]\b)/g, clusterName)));
    for (const mesh of second.meshes) mesh.stack = SECOND;
    for (const stack of second.stacks) stack.stack = stack.kind === "mesh" ? SECOND : `${stack.stack}-b`;
    for (const cluster of second.clusters) {
        cluster.facts.stack = `${cluster.facts.stack}-b`;
        if (cluster.mesh) cluster.mesh = SECOND;
    }
    return {
        ...first,
        stacks: [...first.stacks, ...second.stacks],
        meshes: [...first.meshes, ...second.meshes],
        clusters: [...first.clusters, ...second.clusters],
    };
}

const found = (evidence: Evidence) => diagnose(evidence).flatMap(({ id, findings }) => findings.map((finding) => ({ id, ...finding })));
const unchanged = () => {};

/** The clusters of the second mesh have other names, or the same. */
const NAMES = [["other"], ["cluster"]];

test.each(NAMES)("finds nothing in two healthy meshes with the same ids and addresses (%s)", (name) => {
    const evidence = twoMeshes(name, unchanged, unchanged);
    expect(evidence.meshes.map(({ stack, members }) => [stack, members])).toEqual([
        ["mesh", ["cluster1", "cluster2"]],
        [SECOND, [`${name}1`, `${name}2`]],
    ]);
    expect(found(evidence)).toEqual([]);
});

test.each(NAMES)("settings that must agree within a mesh may differ between meshes (%s)", (name) => {
    const evidence = twoMeshes(
        name,
        ({ cluster1, cluster2 }) => {
            for (const cluster of [cluster1, cluster2]) config(cluster)["policy-default-local-cluster"] = "true";
        },
        ({ cluster1, cluster2 }) => {
            for (const cluster of [cluster1, cluster2]) {
                config(cluster)["policy-default-local-cluster"] = "false";
                cluster.kubernetes.version = { value: "v1.31.7-eks-1234567" };
                for (const agent of agents(cluster)) agent.version = "1.18.4";
            }
        },
    );
    // Within the second mesh the scope is the same, and the versions are, too.
    expect(found(evidence)).toEqual([]);
});

test.each(NAMES)("a symptom in one mesh does not refer to a cause in the other (%s)", (name) => {
    const evidence = twoMeshes(
        name,
        ({ cluster1 }) => {
            entry(cluster1, "cluster2").ca = cluster1.published.ca;
        },
        ({ cluster1 }) => behind(cluster1, "cluster2", "no connection to its etcd"),
    );
    expect(found(evidence).map(({ id, mesh, subject, because }) => ({ id, mesh, subject, because }))).toEqual([
        { id: "peer-ca", mesh: "mesh", subject: "cluster1 → cluster2", because: [] },
        { id: "peer-behind", mesh: SECOND, subject: `${name}1 → ${name}2`, because: [] },
    ]);
    const report = { version: 1 as const, gatheredAt: evidence.gatheredAt, seconds: 1, clusters: [], rules: diagnose(evidence) };
    expect(doctorText(report)).toContain(`  ${SECOND}: ${name}1 → ${name}2: 3 of 3 agents: no connection to its etcd`);
});

test.each(NAMES)("a remedy names the stacks of its own mesh only (%s)", (name) => {
    const evidence = twoMeshes(name, unchanged, ({ evidence: { gatheredAt }, cluster2 }) => {
        value(cluster2.kubernetes.material["clustermesh-apiserver-server-cert"]).certificate.notAfter = gatheredAt;
    });
    expect(found(evidence).map(({ id, remedy }) => [id, remedy])).toEqual([
        ["certificate-ends", [`npx clustermesh up --refresh ${name}2-b ${SECOND}`]],
    ]);
});

test.each(NAMES)("status pairs only clusters of the same mesh (%s)", (name) => {
    expect(statusReport(twoMeshes(name, unchanged, unchanged)).pairs.map(({ a, b }) => [a, b])).toEqual([
        ["cluster1", "cluster2"],
        [`${name}1`, `${name}2`],
    ]);
});

test("a cluster in no mesh is judged by itself", () => {
    const evidence = twoMeshes("other", unchanged, ({ cluster1 }) => {
        config(cluster1)["enable-identity-mark"] = "true";
        delete cluster1.mesh;
    });
    expect(found(evidence).filter(({ id }) => id === "identity-mark")).toMatchObject([{ subject: "other1", clusters: ["other1"] }]);
});

test("evidence is gathered per mesh: clusters with the same name belong to the mesh that names their stack", () => {
    const published = (id: number, stack: string): PublishedCluster => ({
        ...member(id),
        stack,
        kubeconfig: stack,
        etcdClient: { ca: "", cert: "", key: "" },
    });
    const clusters = ["a1", "a2", "b1", "b2", "alone"].map((stack) => published(stack.endsWith("2") ? 2 : 1, stack));
    const deployedCluster = (cluster: PublishedCluster) => ({
        stack: cluster.stack,
        kind: "cluster" as const,
        locked: false,
        pending: [],
        resources: 1,
        cluster,
    });
    const deployedMesh = (stack: string, stacks: string[]) => {
        const members = clusters
            .filter((cluster) => stacks.includes(cluster.stack))
            .map((cluster) => ({
                ...cluster,
                stack: `organization/clustermesh/${cluster.stack}`,
            }));
        const mesh = {
            network: "peering" as const,
            members: Object.fromEntries(members.map((fact) => [fact.name, fact])),
            connections: {},
        };
        return { stack, kind: "mesh" as const, locked: false, pending: [], resources: 1, mesh };
    };
    const deployed = [...clusters.map(deployedCluster), deployedMesh("a", ["a1", "a2"]), deployedMesh("b", ["b1", "b2"])];
    const project = { clusters: [], meshes: [], problems: [], invalid: [] };
    const groups = groupByMesh(deployed, project);
    expect(groups.map(({ mesh, clusters }) => [mesh?.stack, clusters.map(({ stack }) => stack)])).toEqual([
        ["a", ["a1", "a2"]],
        ["b", ["b1", "b2"]],
        [undefined, ["alone"]],
    ]);
    expect(stacksOf("b", project, deployed).map(({ stack }) => stack)).toEqual(["b1", "b2", "b"]);
    expect(stacksOf(undefined, project, deployed)).toEqual(deployed);
});

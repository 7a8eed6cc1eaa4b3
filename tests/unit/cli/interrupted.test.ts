import { expect, test } from "vitest";
import { interruptedCreations } from "../../../cli/engine/interrupted.ts";

const pending = (type: string, resourceType: string, inputs: object = {}) => ({
    type,
    resource: { urn: `urn:pulumi:cluster1::clustermesh::${resourceType}::x`, type: resourceType, inputs },
});
const ids = (...pending_operations: object[]) => interruptedCreations({ pending_operations }).map(({ id }) => id);

test("the id of a Kubernetes object is its namespace and name, as the provider forms it; other resources have no known id", () => {
    const metadata = { name: "cilium-clustermesh", namespace: "kube-system", annotations: {} };
    expect(ids(pending("creating", "kubernetes:core/v1:Secret", { metadata }))).toEqual(["kube-system/cilium-clustermesh"]);
    expect(ids(pending("creating", "kubernetes:core/v1:Namespace", { metadata: { name: "a" } }))).toEqual(["a"]);
    expect(ids(pending("creating", "aws:ec2/vpc:Vpc"))).toEqual([undefined]);
    expect(ids(pending("creating", "kubernetes:apps/v1:DaemonSetPatch", { metadata }))).toEqual([undefined]);
    expect(ids(pending("creating", "kubernetes:helm.sh/v3:Release", { name: "cilium" }))).toEqual([undefined]);
});

test("ignores interrupted updates and deletions, which a refresh settles", () => {
    const metadata = { name: "a", namespace: "b" };
    expect(ids(pending("updating", "kubernetes:core/v1:Secret", { metadata }), pending("deleting", "kubernetes:core/v1:Secret"))).toEqual(
        [],
    );
});

test("finds none in a state without pending operations, or in a stack without a state", () => {
    expect(interruptedCreations({ pending_operations: null })).toEqual([]);
    expect(interruptedCreations({})).toEqual([]);
    expect(interruptedCreations(undefined)).toEqual([]);
});

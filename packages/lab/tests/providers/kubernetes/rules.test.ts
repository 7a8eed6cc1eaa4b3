import { describe, expect, test } from "vitest";
import {
    diffRelease,
    resourceNames,
    uninstallArguments,
    upgradeArguments,
    withDefaults,
} from "../../../providers/kubernetes/helm/rules.ts";
import { adoptedManagers, asInputs, checkpoint, objectType, prune } from "../../../providers/kubernetes/objects.ts";
import { progress } from "../../../providers/kubernetes/rollout.ts";
import { diffObject, diffProviderConfig, fieldManager, isAutonamed, named, waitSeconds } from "../../../providers/kubernetes/rules.ts";
import { type Properties, plain, UNKNOWN } from "../../../providers/values.ts";

const MUTABLE = { secrets: true, configMaps: true };
const FIXED = { secrets: false, configMaps: false };

describe("kubernetes objects", () => {
    const secret = (data: Record<string, string>, more: object = {}) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s", namespace: "kube-system" },
        data,
        ...more,
    });
    const state = (inputs: Properties, added: Properties = {}) => plain(checkpoint(inputs, { ...inputs, ...added }, "m", {})) as Properties;

    test.each([
        ["kubernetes:core/v1:Secret", { apiVersion: "v1", kind: "Secret", patch: false }],
        ["kubernetes:apps/v1:DaemonSetPatch", { apiVersion: "apps/v1", kind: "DaemonSet", patch: true }],
        ["kubernetes:helm.sh/v3:Release", undefined],
        ["aws:ec2/vpc:Vpc", undefined],
    ])("%s", (token, type) => expect(objectType(token)).toEqual(type));

    test.each([
        ["data of a mutable Secret", secret({ a: "1" }), secret({ a: "2" }), MUTABLE, []],
        ["data of a Secret without enableSecretMutable", secret({ a: "1" }), secret({ a: "2" }), FIXED, ["data.a"]],
        ["data of a Secret with immutable: true", secret({ a: "1" }), secret({ a: "2" }, { immutable: true }), MUTABLE, ["data.a"]],
        ["the type of a Secret", secret({}, { type: "Opaque" }), secret({}, { type: "kubernetes.io/tls" }), MUTABLE, ["type"]],
        ["the name of a Secret", secret({}), secret({}, { metadata: { name: "t", namespace: "kube-system" } }), MUTABLE, ["metadata.name"]],
    ])("a change of %s is a diff with the right replacements", (_, olds, news, mutable, replaces) => {
        const diff = diffObject(state(olds), news, { mutable, patch: false });
        expect(diff.changes).toBe(true);
        expect(diff.replaces).toEqual(replaces);
    });

    test("deletes before replacing only if old and new object have the same name", () => {
        const replaced = diffObject(state(secret({ a: "1" })), secret({ a: "2" }), { mutable: FIXED, patch: false });
        expect(replaced.deleteBeforeReplace).toBe(true);
        const renamed = diffObject(state(secret({})), secret({}, { metadata: { name: "t" } }), { mutable: FIXED, patch: false });
        expect(renamed.deleteBeforeReplace).toBe(false);
        const auto = named({ metadata: {} }, undefined, "s-1");
        expect(isAutonamed(auto)).toBe(true);
        expect(named({ metadata: {} }, auto, "s-2")).toEqual(auto);
    });

    test("ignores fields that others added", () => {
        const inputs = secret({ a: "1" });
        const live = { metadata: { ...inputs.metadata, uid: "u", labels: { x: "y" } }, data: { a: "1", b: "2" }, status: {} };
        expect(diffObject(state(inputs, live), inputs, { mutable: MUTABLE, patch: false }).changes).toBe(false);
        expect(prune(live, inputs)).toEqual({ metadata: inputs.metadata, data: { a: "1" } });
    });

    test("never replaces a patch for the fields it changes", () => {
        const patch = { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "cilium" }, spec: { selector: { a: "b" } } };
        const diff = diffObject(state(patch), { ...patch, spec: { selector: { a: "c" } } }, { mutable: FIXED, patch: true });
        expect(diff.replaces).toEqual([]);
    });

    test("imported inputs contain nothing that only the server sets", () => {
        expect(asInputs({ kind: "Secret", metadata: { name: "s", uid: "u", managedFields: [] }, status: {} })).toEqual({
            kind: "Secret",
            metadata: { name: "s" },
        });
    });

    test("the first apply takes over the fields of the create, but not those of other managers", () => {
        const entry = (manager: string, operation: string, field: string) => ({
            manager,
            operation,
            fieldsV1: { "f:data": { [`f:${field}`]: {} } },
        });
        const live = {
            metadata: {
                managedFields: [
                    entry("pulumi-kubernetes", "Update", "a"),
                    entry("kubectl-edit", "Update", "b"),
                    entry("mine", "Apply", "c"),
                ],
            },
        };
        expect(adoptedManagers(live, "mine")).toEqual([
            entry("kubectl-edit", "Update", "b"),
            { manager: "mine", operation: "Apply", fieldsV1: { "f:data": { "f:a": {}, "f:c": {} } } },
        ]);
        expect(adoptedManagers({ metadata: { managedFields: [entry("mine", "Apply", "c")] } }, "mine")).toBeUndefined();
    });

    test("the field manager comes from the annotation, then the state, then a new name", () => {
        const annotated = { metadata: { annotations: { "pulumi.com/patchFieldManager": "clustermesh" } } };
        expect(fieldManager(annotated, { __fieldManager: "old" }, "new")).toBe("clustermesh");
        expect(fieldManager({}, { __fieldManager: "old" }, "new")).toBe("old");
        expect(fieldManager({}, {}, "new")).toBe("new");
    });

    test("the wait comes from customTimeouts, then the annotation, then 600 s", () => {
        const annotated = { metadata: { annotations: { "pulumi.com/timeoutSeconds": "1800" } } };
        expect([waitSeconds(annotated, 5), waitSeconds(annotated, undefined), waitSeconds({}, undefined)]).toEqual([5, 1800, 600]);
    });
});

describe("a provider's configuration", () => {
    const cluster = (config: Properties) => config.kubeconfig;
    const replaces = (olds: Properties, news: Properties) => diffProviderConfig(olds, news, cluster).replaces;
    test("another kubeconfig means another cluster, unless the cluster identifier is unchanged", () => {
        expect(replaces({ kubeconfig: "a" }, { kubeconfig: "b" })).toEqual(["kubeconfig"]);
        expect(replaces({ kubeconfig: "a", clusterIdentifier: "x" }, { kubeconfig: "b", clusterIdentifier: "x" })).toEqual([]);
        expect(replaces({ kubeconfig: "a", clusterIdentifier: "x" }, { kubeconfig: UNKNOWN, clusterIdentifier: "x" })).toEqual([]);
        expect(replaces({ kubeconfig: "a", clusterIdentifier: "x" }, { kubeconfig: "a", clusterIdentifier: "y" })).toEqual([
            "clusterIdentifier",
        ]);
        expect(replaces({ kubeconfig: "a" }, { kubeconfig: "a", enableSecretMutable: "true" })).toEqual([]);
    });
});

describe("rollouts", () => {
    const daemonSet = (status: Properties) =>
        progress({ kind: "DaemonSet", metadata: { generation: 2 }, status: { observedGeneration: 2, ...status } });
    test.each([
        [{ observedGeneration: 1 }, "DaemonSet generation is 2, but latest observed generation is 1"],
        [{}, "Missing .status.desiredNumberScheduled"],
        [{ desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 1 }, "Updated: 1/2"],
        [{ desiredNumberScheduled: 1, currentNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 }, "Ready: 0/1"],
    ])("%o is not done: %s", (status, message) => expect(daemonSet(status)).toEqual({ done: false, message }));

    test("a DaemonSet without nodes is done", () => expect(daemonSet({ desiredNumberScheduled: 0 })?.done).toBe(true));

    test("a Deployment past its progress deadline has failed", () => {
        const conditions = [{ type: "Progressing", reason: "ProgressDeadlineExceeded", message: "late" }];
        expect(progress({ kind: "Deployment", spec: {}, status: { observedGeneration: 0, conditions } })).toMatchObject({
            failed: true,
            message: "late",
        });
    });

    test("a Secret has no rollout", () => expect(progress({ kind: "Secret" })).toBeUndefined());
});

describe("releases", () => {
    const inputs = {
        name: "cilium",
        namespace: "kube-system",
        chart: "./chart",
        version: "1.20.2",
        values: { password: "hidden", a: { b: 1 } },
        timeout: 1200,
    };

    test("values never appear on the command line", () => {
        const args = upgradeArguments({ ...inputs, repositoryOpts: { repo: "https://charts.example" }, atomic: true }, { install: true });
        expect(args.join(" ")).toBe(
            "upgrade --install cilium ./chart --version 1.20.2 --repo https://charts.example --namespace kube-system --values - --wait --timeout 1200s --atomic",
        );
        expect(upgradeArguments({ ...inputs, skipAwait: true }, { install: false })).not.toContain("--wait");
        expect(uninstallArguments(inputs).join(" ")).toBe("uninstall cilium --namespace kube-system --wait --timeout 1200s");
    });

    test("get a default name, namespace and timeout of 300 s", () => {
        expect(withDefaults({ chart: "c" }, undefined, { name: "r-1", namespace: "default" })).toEqual({
            chart: "c",
            name: "r-1",
            namespace: "default",
            timeout: 300,
        });
        expect(withDefaults({ chart: "c", skipAwait: true }, { name: "r-0" }, { name: "r-1", namespace: "d" })).not.toHaveProperty(
            "timeout",
        );
    });

    test("differ for changed or removed values and another version, not for additional values in Helm", () => {
        const state = { ...inputs, status: { revision: 1 }, resourceNames: {}, __inputs: inputs };
        const paths = (live: Properties, news: Properties) => Object.keys(diffRelease(live, inputs, news, []).detailed);
        expect(paths(state, inputs)).toEqual([]);
        expect(paths({ ...state, values: { ...inputs.values, more: 1 } }, inputs)).toEqual([]);
        expect(paths({ ...state, values: { password: "hidden", a: { b: 2 } } }, inputs)).toEqual(["values.a.b"]);
        expect(paths({ ...state, version: "1.19.0" }, inputs)).toEqual(["version"]);
        expect(paths(state, { ...inputs, values: { password: "hidden" } })).toEqual(["values.a"]);
        expect(diffRelease(state, inputs, { ...inputs, name: "other" }, []).replaces).toEqual(["name"]);
    });

    test("list the objects in their manifest", () => {
        const manifest =
            "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: b, namespace: n}\n---\n# empty\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
        expect(resourceNames(manifest)).toEqual({ "DaemonSet.apps/apps/v1": ["n/b"], "Secret/v1": ["a"] });
    });
});

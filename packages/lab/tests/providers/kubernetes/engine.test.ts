import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubernetesPackage } from "../../../providers/kubernetes/provider.ts";
import { type Served, serve } from "../../../providers/server.ts";
import { changes, type Lab, noEngine, openLab } from "../harness.ts";
import { type FakeApi, fakeApi } from "./fake-api.ts";

const MANAGER = { "pulumi.com/patchFieldManager": "clustermesh" };

describe.skipIf(noEngine)("kubernetes resources, managed by the real engine in a fake API server", () => {
    let api: FakeApi;
    let other: FakeApi;
    let served: Served;
    let lab: Lab;
    const data = (value: string) => ({ key: pulumi.secret(Buffer.from(value).toString("base64")) });
    const provider = (name = "k", identifier = "arn:k", enableSecretMutable = true) =>
        new kubernetes.Provider(name, {
            kubeconfig: pulumi.secret((name === "k" ? api : other).kubeconfig),
            clusterIdentifier: identifier,
            enableSecretMutable,
            enableConfigMapMutable: enableSecretMutable,
        });
    const secret = (options: pulumi.CustomResourceOptions, content: kubernetes.core.v1.SecretArgs) =>
        new kubernetes.core.v1.Secret("s", { metadata: { name: "peers", namespace: "kube-system" }, ...content }, options);
    const daemonSet = (ready: number) => ({
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name: "cilium", namespace: "kube-system", generation: 1, uid: "ds", resourceVersion: "1" },
        spec: { template: { spec: { hostNetwork: true } } },
        status: {
            observedGeneration: 1,
            desiredNumberScheduled: 2,
            currentNumberScheduled: 2,
            updatedNumberScheduled: ready,
            numberAvailable: ready,
            numberReady: ready,
        },
    });
    const alias = (ip: string, annotations: Record<string, string> = {}) =>
        lab.run(async () => {
            new kubernetes.apps.v1.DaemonSetPatch(
                "p",
                {
                    metadata: {
                        name: "cilium",
                        namespace: "kube-system",
                        annotations: { ...MANAGER, "pulumi.com/timeoutSeconds": "1", ...annotations },
                    },
                    spec: { template: { spec: { hostAliases: [{ ip, hostnames: ["c2.mesh.cilium.io"] }] } } },
                },
                { provider: provider() },
            );
        });
    const up = async () => changes((await lab.stack.up({ onOutput: lab.onOutput })).summary.resourceChanges);
    const preview = async () => changes((await lab.stack.preview()).changeSummary);
    const live = (key: string) =>
        api.objects.get(key) as {
            data?: Record<string, string>;
            metadata: { uid: string; managedFields: { manager: string; operation: string }[] };
            spec?: unknown;
        };
    const decoded = () =>
        Object.fromEntries(
            Object.entries(live("kube-system/secrets/peers").data ?? {}).map(([key, value]) => [
                key,
                Buffer.from(value, "base64").toString(),
            ]),
        );

    beforeAll(async () => {
        [api, other] = [await fakeApi(), await fakeApi()];
        served = await serve(kubernetesPackage({ helm: "helm", directory: "." }));
        lab = await openLab([served], async () => {});
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
        await Promise.all([api.close(), other.close()]);
    });

    test("two providers of one package use different clusters", async () => {
        lab.run(async () => {
            secret({ provider: provider() }, { data: data("one") });
            new kubernetes.core.v1.ConfigMap("c", { data: { a: "b" } }, { provider: provider("other", "arn:other") });
        });
        expect(await preview()).toEqual({ create: 5 });
        expect(api.objects.size).toBe(0);
        expect(await up()).toEqual({ create: 5 });
        expect([...api.objects.keys()]).toEqual(["kube-system/secrets/peers"]);
        expect([...other.objects.keys()]).toEqual([expect.stringMatching(/^default\/configmaps\/c-[0-9a-f]{8}$/)]);
        expect(decoded()).toEqual({ key: "one" });
    });

    test("a second up changes nothing, and the state contains neither the Secret's data nor the kubeconfig", async () => {
        expect(await preview()).toEqual({});
        expect(await up()).toEqual({});
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({});
        expect(lab.state()).not.toContain(Buffer.from("one").toString("base64"));
        expect(lab.state()).not.toContain("insecure-skip-tls-verify");
    });

    test("mutable data is updated in place, and a removed key leaves the object", async () => {
        const { uid } = live("kube-system/secrets/peers").metadata;
        lab.run(async () => {
            secret({ provider: provider() }, { data: { other: pulumi.secret("dHdv") } });
        });
        expect(await up()).toEqual({ update: 1, delete: 2 });
        expect(decoded()).toEqual({ other: "two" });
        expect(live("kube-system/secrets/peers").metadata.uid).toBe(uid);
        const [owner, ...rest] = live("kube-system/secrets/peers").metadata.managedFields;
        expect(owner).toMatchObject({ manager: expect.stringMatching(/^pulumi-kubernetes-[0-9a-f]{8}$/), operation: "Apply" });
        expect(rest).toEqual([]);
        expect(other.objects.size).toBe(0);
    });

    test("stringData shows no diff after the server has converted it to data", async () => {
        lab.run(async () => {
            secret({ provider: provider() }, { stringData: { other: "two" } });
        });
        await up();
        expect(await preview()).toEqual({});
        expect(decoded()).toEqual({ other: "two" });
    });

    test("refresh detects a manual change and up reverts it", async () => {
        api.edit("kube-system/secrets/peers", (object) => {
            object.data = { other: "aGFja2Vk", more: "eA==" };
        });
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ update: 1 });
        expect(await up()).toEqual({ update: 1 });
        expect(decoded()).toMatchObject({ other: "two" });
    });

    test("recreates a deleted object", async () => {
        api.objects.delete("kube-system/secrets/peers");
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ delete: 1 });
        expect(await up()).toEqual({ create: 1 });
    });

    test("does not overwrite an existing object", async () => {
        api.objects.set("kube-system/configmaps/mine", { metadata: { name: "mine" } });
        lab.run(async () => {
            const k = provider();
            secret({ provider: k }, { stringData: { other: "two" } });
            new kubernetes.core.v1.ConfigMap("c", { metadata: { name: "mine", namespace: "kube-system" } }, { provider: k });
        });
        await expect(lab.stack.up()).rejects.toThrow(/"mine" already exists[\s\S]*The resource already exists in the cluster/);
    });

    test("immutable data is replaced: delete, then create", async () => {
        const { uid } = live("kube-system/secrets/peers").metadata;
        lab.run(async () => {
            secret({ provider: provider("k", "arn:k", false) }, { stringData: { other: "three" } });
        });
        expect(await up()).toEqual({ update: 1, replace: 1 });
        expect(decoded()).toEqual({ other: "three" });
        expect(live("kube-system/secrets/peers").metadata.uid).not.toBe(uid);
    });

    test("another cluster identifier replaces the provider and its resources", async () => {
        lab.run(async () => {
            secret({ provider: provider("k", "arn:another", true) }, { stringData: { other: "three" } });
        });
        expect(await preview()).toEqual({ replace: 2 });
    });

    test("a DaemonSet that does not roll out in time fails; the next up continues", async () => {
        api.objects.set("kube-system/daemonsets/cilium", daemonSet(1));
        alias("10.0.0.1");
        await expect(lab.stack.up()).rejects.toThrow(/'cilium' timed out waiting to be Ready[\s\S]*Updated: 1\/2/);
        api.edit("kube-system/daemonsets/cilium", (object) => {
            object.status = daemonSet(2).status;
        });
        // This program no longer contains the Secret.
        expect(await up()).toEqual({ update: 1, delete: 1 });
        expect(await preview()).toEqual({});
        expect(live("kube-system/daemonsets/cilium").metadata.managedFields.map(({ manager }) => manager)).toEqual(["clustermesh"]);
    });

    test("restores a patched field that was removed", async () => {
        api.edit("kube-system/daemonsets/cilium", (object) => {
            object.spec = daemonSet(2).spec;
        });
        await lab.refresh();
        expect(await up()).toEqual({ update: 1 });
        expect(JSON.stringify(live("kube-system/daemonsets/cilium").spec)).toContain("10.0.0.1");
    });

    test("updates a patched field, reports a conflict, and resolves it with patchForce", async () => {
        alias("10.0.0.2");
        expect(await up()).toEqual({ update: 1 });
        expect(JSON.stringify(live("kube-system/daemonsets/cilium").spec)).not.toContain("10.0.0.1");
        const path = "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium";
        const server = (JSON.parse(api.kubeconfig) as { clusters: { cluster: { server: string } }[] }).clusters[0]?.cluster.server;
        await fetch(`${server}${path}?fieldManager=somebody&force=true`, {
            method: "PATCH",
            headers: { "content-type": "application/apply-patch+yaml" },
            body: JSON.stringify({ metadata: { name: "cilium" }, spec: { template: { spec: { hostAliases: [] } } } }),
        });
        alias("10.0.0.3");
        await expect(lab.stack.up()).rejects.toThrow(/managed by field manager "clustermesh" had an apply conflict[\s\S]*somebody/);
        alias("10.0.0.3", { "pulumi.com/patchForce": "true" });
        expect(await up()).toEqual({ update: 1 });
        expect(JSON.stringify(live("kube-system/daemonsets/cilium").spec)).toContain("10.0.0.3");
    });

    test("destroying a patch removes its fields and keeps the others", async () => {
        await lab.destroy();
        expect(live("kube-system/daemonsets/cilium").spec).toEqual({ template: { spec: { hostNetwork: true } } });
        expect(api.objects.has("kube-system/secrets/peers")).toBe(false);
    });

    test("reports an unreachable cluster", async () => {
        lab.run(async () => {
            const kubeconfig = api.kubeconfig.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:9");
            const k = new kubernetes.Provider("gone", { kubeconfig });
            new kubernetes.core.v1.ConfigMap("c", { metadata: { name: "c" } }, { provider: k });
        });
        expect(await preview()).toEqual({ create: 3 });
        await expect(lab.stack.up()).rejects.toThrow(/configured Kubernetes cluster is unreachable: .*ECONNREFUSED/);
    });
});

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { kubernetesPackage } from "../../../providers/kubernetes/provider.ts";
import { type Served, serve } from "../../../providers/server.ts";
import { changes, type Lab, noEngine, openLab, program } from "../harness.ts";
import { type FakeApi, fakeApi } from "./fake-api.ts";

const helm = program("helm");

describe.skipIf(noEngine || !helm)("Helm releases, managed by the real engine in a fake API server", () => {
    const directory = mkdtempSync(join(tmpdir(), "clustermesh-chart-"));
    let api: FakeApi;
    let served: Served;
    let lab: Lab;
    const chart = (version: string, template = "data: { greeting: {{ .Values.greeting | quote }}, kept: {{ .Values.kept | quote }} }") => {
        mkdirSync(join(directory, "demo", "templates"), { recursive: true });
        writeFileSync(join(directory, "demo", "Chart.yaml"), `apiVersion: v2\nname: demo\nversion: ${version}\nappVersion: "9"\n`);
        writeFileSync(join(directory, "demo", "values.yaml"), "greeting: hello\nkept: default\n");
        writeFileSync(
            join(directory, "demo", "templates", "map.yaml"),
            `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\n${template}\n`,
        );
    };
    const release = (args: Partial<kubernetes.helm.v3.ReleaseArgs>) =>
        lab.run(async () => {
            const provider = new kubernetes.Provider("k", { kubeconfig: api.kubeconfig, clusterIdentifier: "k" });
            const created = new kubernetes.helm.v3.Release(
                "demo",
                { name: "demo", namespace: "kube-system", chart: "./demo", disableOpenapiValidation: true, timeout: 5, ...args },
                { provider },
            );
            return { status: created.status, names: created.resourceNames };
        });
    const greeting = () => (api.objects.get("kube-system/configmaps/demo") as { data: Record<string, string> } | undefined)?.data.greeting;
    const up = async () => {
        const { summary, outputs } = await lab.stack.up();
        return { changes: changes(summary.resourceChanges), outputs };
    };

    beforeAll(async () => {
        // Other labs on this machine use the shared TMPDIR, and killed ones leave Helm's files in it.
        vi.stubEnv("TMPDIR", mkdtempSync(join(directory, "tmp-")));
        chart("1.0.0");
        api = await fakeApi();
        served = await serve(kubernetesPackage({ helm: helm ?? "", directory }));
        lab = await openLab([served], async () => {});
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
        await api.close();
        vi.unstubAllEnvs();
        rmSync(directory, { recursive: true });
    });

    test("preview creates nothing", async () => {
        release({ values: { greeting: pulumi.secret("hidden words") } });
        expect(changes((await lab.stack.preview()).changeSummary)).toEqual({ create: 3 });
        expect(api.objects.size).toBe(0);
    });

    test("up installs the chart, outputs show its objects, and the state contains no secret value", async () => {
        const { outputs } = await up();
        expect(greeting()).toBe("hidden words");
        expect(outputs.status?.value).toMatchObject({
            name: "demo",
            namespace: "kube-system",
            status: "deployed",
            revision: 1,
            version: "1.0.0",
            appVersion: "9",
        });
        expect(outputs.names?.value).toEqual({ "ConfigMap/v1": ["demo"] });
        expect(lab.state()).not.toContain("hidden words");
    });

    test("a second up changes nothing", async () => {
        expect(changes((await lab.stack.preview()).changeSummary)).toEqual({});
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({});
        expect((await up()).changes).toEqual({});
    });

    test("changed values and a new chart version upgrade the release", async () => {
        chart("1.1.0");
        release({ values: { greeting: "good day" } });
        const { changes: changed, outputs } = await up();
        expect(changed).toEqual({ update: 1 });
        expect(outputs.status?.value).toMatchObject({ revision: 2, version: "1.1.0" });
        expect(greeting()).toBe("good day");
    });

    test("refresh detects values changed with Helm and up reverts them", async () => {
        const { helm: run } = await import("../../../providers/kubernetes/helm/helm.ts");
        const args = ["upgrade", "demo", "./demo", "--namespace", "kube-system", "--values", "-", "--disable-openapi-validation"];
        const options = { kubeconfig: api.kubeconfig, stdin: JSON.stringify({ greeting: "hacked" }), signal: new AbortController().signal };
        await run({ helm: helm ?? "", directory }, args, options);
        expect(greeting()).toBe("hacked");
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ update: 1 });
        expect((await up()).changes).toEqual({ update: 1 });
        expect(greeting()).toBe("good day");
    });

    test("preview rejects a chart that does not exist", async () => {
        release({ chart: "./nowhere" });
        await expect(lab.stack.preview()).rejects.toThrow(/nowhere.*not found; check the chart name and repository configuration/s);
    });

    test("keeps a failed release, and the next up fixes it", async () => {
        chart("1.2.0", "data: { greeting: fine }\n---\napiVersion: v1\nkind: Pod\nmetadata: { name: waits }\nspec: { containers: [] }");
        release({ timeout: 2 });
        await expect(lab.stack.up()).rejects.toThrow(/Helm release "kube-system\/demo" failed to initialize completely/);
        expect(lab.state()).toContain('"status": "failed"');
        release({ timeout: 5, skipAwait: true });
        const { changes: changed, outputs } = await up();
        expect(changed).toEqual({ update: 1 });
        expect(outputs.status?.value).toMatchObject({ status: "deployed" });
    });

    test("destroy uninstalls the release and leaves no temporary file", async () => {
        await lab.destroy();
        expect([...api.objects.keys()].filter((key) => !key.includes("waits"))).toEqual([]);
        expect(readdirSync(tmpdir()).filter((name) => name.startsWith("clustermesh-helm-"))).toEqual([]);
    });
});

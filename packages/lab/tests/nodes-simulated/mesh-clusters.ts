import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
    ApiException,
    AppsV1Api,
    CoreV1Api,
    KubeConfig,
    type KubernetesObject,
    KubernetesObjectApi,
    PatchStrategy,
    setHeaderOptions,
    type V1HostAlias,
} from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { ciliumValues } from "../../../../core/cilium/helm-values.ts";
import { issueCertificates } from "../../../../tests/stacks/issue.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { ciliumChart } from "../../tools/cilium.ts";
import { ensureTools } from "../../tools/tools.ts";

const run = promisify(execFile);
const NAMESPACE = "kube-system";

export type Files = Record<string, string>;

/** Applies to a cluster what the program deploys there. @returns the cluster, with the files that its peers get */
export async function meshCluster(cluster: Cluster, id: number, folder: string) {
    const { name } = cluster;
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    const { files } = await issueCertificates(name);
    await mkdir(folder, { recursive: true });
    for (const [secret, data] of Object.entries(files)) await putSecret(secret, data);
    const users = { metadata: { name: "clustermesh-remote-users" }, data: { "users.yaml": "users: []\n" } };
    await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: users });

    async function putSecret(secret: string, data: Files): Promise<void> {
        const body = { metadata: { name: secret, namespace: NAMESPACE }, stringData: data };
        // Replace, do not recreate: kvstoremesh drops a peer whose file is missing for a moment, and does not connect it again for 3 min.
        await core.replaceNamespacedSecret({ name: secret, namespace: NAMESPACE, body }).catch(async (error) => {
            if (!(error instanceof ApiException && error.code === 404)) throw error;
            await core.createNamespacedSecret({ namespace: NAMESPACE, body });
        });
    }

    return {
        name,
        config,
        files,
        putSecret,
        /** Applies the chart's objects over those of an earlier release. */
        async install(kvstoreMesh: boolean): Promise<void> {
            const { helm } = await ensureTools(["helm"]);
            const values = join(folder, "values.json");
            const settings = { name, id, poolCidr: "100.64.0.0/16", mtu: 1500, kvstoreMesh, privileged: false };
            await writeFile(values, JSON.stringify(ciliumValues(settings, {})));
            const args = ["template", "cilium", await ciliumChart(), "-n", NAMESPACE, "--kube-version", "1.36.0", "-f", values];
            const { stdout } = await run(helm, args, { maxBuffer: 2 ** 24 });
            const objects = KubernetesObjectApi.makeApiClient(config);
            for (const object of parseAllDocuments(stdout).flatMap((document): KubernetesObject[] => document.toJS() ?? [])) {
                // Server-side apply, as Helm does: this client supports it only as a type of patch.
                await objects.patch(object, undefined, undefined, "test", true, PatchStrategy.ServerSideApply);
            }
        },
        /** As the mesh stack's DaemonSetPatch does. */
        async putHostAliases(hostAliases: V1HostAlias[]): Promise<void> {
            const body = { spec: { template: { spec: { hostAliases } } } };
            const options = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
            await config.makeApiClient(AppsV1Api).patchNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE, body }, options);
        },
    };
}

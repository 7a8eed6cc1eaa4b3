import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
    type ApiConstructor,
    type ApiType,
    AppsV1Api,
    CoreV1Api,
    KubeConfig,
    type KubernetesObject,
    KubernetesObjectApi,
    type V1Pod,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { verify } from "../../cli/verify.ts";
import { allowOnly, type CiliumNetworkPolicy, EXPIRES, OWNER, ROLE } from "../../core/verify/objects.ts";
import { allPassed } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { KubernetesTestbed } from "../../kubernetes/testbed.ts";
import type { Cluster } from "../../packages/lab/cluster/cluster.ts";
import { type ExecHandler, type ExecRequest, simulatedContainers } from "../../packages/lab/cluster/kubelet.ts";
import { until } from "../../packages/lab/process/until.ts";
import { BUILD_TIMEOUT, temporaryFolder, testCluster, testNode, tools, whyNoGo, whyNoTools } from "../../packages/lab/tests/harness.ts";
import { downloadModule, moduleFolder } from "../../packages/lab/tools/go.ts";
import { remote } from "../unit/verify/fake.ts";

const CRD = "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml";

/**
 * Runs on real API servers and controllers with nodes simulated by kwok. The pods' answers are computed from the objects that verify creates, as in a mesh
 * without faults. This shows that Kubernetes accepts the objects and selects the intended pods, not that a data plane enforces them.
 */
describe.skipIf((await whyNoTools()) ?? (await whyNoGo()))("verify against real API servers", { timeout: 180_000 }, () => {
    let folder: string;
    const clusters: Cluster[] = [];
    /** Error of a container's command; undefined: the command succeeds. */
    let commandError: (request: ExecRequest) => string | undefined = () => undefined;
    const kubeconfigs = () => Object.fromEntries(clusters.map(({ name, kubeconfig }) => [name, kubeconfig]));

    beforeAll(async () => {
        folder = await temporaryFolder();
        await tools();
        const source = await downloadModule("github.com/cilium/cilium", moduleFolder("cilium"));
        const names = ["c1", "c2"];
        clusters.push(
            ...(await Promise.all(
                names.map((name) => testCluster(name, join(folder, name), { containers: simulatedContainers(execHandler(name)) })),
            )),
        );
        await Promise.all(
            clusters.map(async (cluster, i) => {
                const at = (node: number, zone: string) =>
                    testNode(node, {
                        name: `${cluster.name}-${node}`,
                        internalIp: `10.${i}.1.${node}`,
                        zone,
                        podCidr: `10.${i}.${100 + node}.0/24`,
                    });
                const tainted = at(2, "eu-west-1b");
                await cluster.addNodes([
                    at(1, "eu-west-1a"),
                    { ...tainted, taints: [{ key: "dedicated", value: "x", effect: "NoSchedule" }] },
                ]);
                await client(cluster, KubernetesObjectApi).create(parse(readFileSync(join(source, CRD), "utf8")));
                await client(cluster, AppsV1Api).createNamespacedDaemonSet({ namespace: "kube-system", body: ciliumDaemonSet });
                const ready = async () => {
                    const { status } = await client(cluster, AppsV1Api).readNamespacedDaemonSet({
                        namespace: "kube-system",
                        name: "cilium",
                    });
                    return status?.numberReady === 2 || undefined;
                };
                await until(ready, 60_000, `${cluster.name}: the agents are not ready`);
                // For a moment after the CRD is created, requests fail with "storage is (re)initializing".
                await until(() => fetchObjects(cluster, "default"), 60_000, `${cluster.name}: policies cannot be listed`);
            }),
        );
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await Promise.all(clusters.map((cluster) => cluster.destroy()));
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    test("all its objects are valid, satisfy the restricted pod security level, and are deleted afterwards", async () => {
        const lines: string[] = [];
        const report = await verify(kubeconfigs(), { log: (line) => lines.push(line) });
        console.log(reportTable(report));
        expect(report.checks.flatMap(({ findings }) => findings.filter(({ outcome }) => outcome !== "passed"))).toEqual([]);
        expect(allPassed(report)).toBe(true);
        expect(report.pairs).toMatchObject([
            { from: "c1", to: "c2", passed: 4, tried: 4 },
            { from: "c2", to: "c1", passed: 4, tried: 4 },
        ]);
        expect(await namespaces()).toEqual([]);
    });

    test("reports a command that fails for each pod, and leaves nothing after an abort", async () => {
        commandError = ({ command, pod }) => (command[0] === "sh" && /^probe-/.test(pod) ? "the image has no curl" : undefined);
        const report = await verify(kubeconfigs(), { only: ["pairs"] });
        expect(report.checks.find(({ id }) => id === "pairs")?.findings.map(({ why }) => why)).toEqual(
            Array(8).fill("probe failed: the image has no curl"),
        );

        const abort = new AbortController();
        commandError = ({ command }) => {
            if (command[0] === "sh") abort.abort(new Error("stopped by hand"));
            return undefined;
        };
        await expect(verify(kubeconfigs(), { only: ["pairs"], signal: abort.signal })).rejects.toThrow("stopped by hand");
        commandError = () => undefined;
        expect(await namespaces()).toEqual([]);
    });

    test("removes expired namespaces of earlier runs, and touches no other namespace", async () => {
        const [cluster] = clusters;
        if (!cluster) throw new Error("no cluster");
        const make = (name: string, labels: Record<string, string>, expires: number) =>
            client(cluster, CoreV1Api).createNamespace({
                body: { metadata: { name, labels, annotations: { [EXPIRES]: new Date(expires).toISOString() } } },
            });
        await make("left", OWNER, Date.now() - 1000);
        await make("at-work", OWNER, Date.now() + 3_600_000);
        await make("unrelated", {}, Date.now() - 1000);

        const bed = new KubernetesTestbed({
            kubeconfigs: kubeconfigs(),
            namespace: "unrelated",
            expires: new Date(),
            removeSeconds: 20,
        });
        expect(await bed.removeExpired("c1")).toEqual(["left"]);
        await expect(bed.createNamespace("c1")).rejects.toMatchObject({ code: 409 });
        await bed.removeNamespace("c1");
        const { items } = await client(cluster, CoreV1Api).listNamespace();
        const alive = items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name);
        expect(alive).toEqual(expect.arrayContaining(["at-work", "unrelated"]));
        await Promise.all(["at-work", "unrelated"].map((name) => client(cluster, CoreV1Api).deleteNamespace({ name })));
    });

    test("Cilium's CRD accepts the policy and rejects an invalid one", async () => {
        const [cluster] = clusters;
        if (!cluster) throw new Error("no cluster");
        const api = client(cluster, KubernetesObjectApi);
        const dryRun = (object: KubernetesObject) => api.create(object, undefined, "All");
        const policy = allowOnly(["c1", "c2"], "default");
        expect(await dryRun(policy)).toMatchObject({ spec: policy.spec });
        const { endpointSelector: _, ...rest } = policy.spec;
        await expect(dryRun({ ...policy, spec: { ...rest, ingress: "c1" } } as KubernetesObject)).rejects.toThrow("ingress");
    });

    async function namespaces(): Promise<string[]> {
        const label = Object.entries(OWNER).map(([key, value]) => `${key}=${value}`);
        const lists = await Promise.all(
            clusters.map((cluster) => client(cluster, CoreV1Api).listNamespace({ labelSelector: label.join(",") })),
        );
        return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata?.name ?? ""));
    }

    /** Answers the commands that verify runs in a cluster's containers. */
    function execHandler(name: string): ExecHandler {
        return async (request) => {
            const { command, namespace, pod } = request;
            const error = commandError(request);
            if (error) return { stderr: `${error}\n`, exitCode: 127 };
            const line = command.join(" ");
            if (line === "cilium-dbg status -o json")
                return {
                    stdout: JSON.stringify({ "cluster-mesh": { clusters: ["c1", "c2"].filter((peer) => peer !== name).map(remote) } }),
                };
            if (line === "cilium-dbg node list -o json")
                return { stdout: JSON.stringify(["c1/c1-1", "c1/c1-2", "c2/c2-1", "c2/c2-2"].map((node) => ({ name: node }))) };
            const [path = "", times, bytes, , ...targets] = command.slice(4);
            const all = (await Promise.all(clusters.map((cluster) => fetchObjects(cluster, namespace)))).flat();
            const from = all.find(({ cluster, pods }) => cluster === name && pods.some(({ metadata }) => metadata?.name === pod));
            const source = from?.pods.find(({ metadata }) => metadata?.name === pod)?.status?.podIP;
            const print = (target: string) => {
                const [address = ""] = target.split(":");
                const bodies = Array.from({ length: Number(times) }, (_, turn) => answer(address, path, source ?? "", turn));
                const failed = bodies.indexOf(undefined);
                const shown = (failed < 0 ? bodies : bodies.slice(0, failed + 1)).map((body) =>
                    body === undefined ? "\n@@ 28 000 0.0 0.0 0 timed out\n" : `${body}\n@@ 0 200 0.001 0.0015 10 \n`,
                );
                const large = Number(bytes) > 0 && failed < 0 ? `@@large\n\n@@ 0 200 0.001 0.0015 ${bytes} \n` : "";
                return `@@target ${target}\n${shown.join("")}${large}`;
            };
            return { stdout: targets.map(print).join("") };

            /** The answer to a request to a pod's address, or to a service's in this cluster; undefined if there is none. */
            function answer(address: string, path: string, source: string, turn: number): string | undefined {
                const service = from?.services.find(({ spec }) => spec?.clusterIP === address);
                const own = all.filter(({ cluster }) => cluster === name).flatMap(backends);
                const local = service?.metadata?.annotations?.["service.cilium.io/affinity"] === "local" && own.length > 0;
                const candidates = service
                    ? local
                        ? own
                        : all.flatMap(backends)
                    : all.flatMap(({ pods }) => pods).filter((pod) => pod.status?.podIP === address);
                const server = candidates[turn % candidates.length];
                const { policies } = all.find(({ pods }) => server && pods.includes(server)) ?? { policies: [] };
                const admitted = policies.flatMap(({ spec }) => spec.ingress.flatMap(({ fromEndpoints }) => fromEndpoints));
                const admits = admitted.some(({ matchLabels }) => matchLabels["io.cilium.k8s.policy.cluster"] === name);
                const guarded = policies.length > 0 && server?.metadata?.labels?.[ROLE] === "backend";
                if (!server || (guarded && !admits)) return undefined;
                return path === "/clientip" ? `${source}:40000` : server.metadata?.name;
            }
        };
    }
});

async function fetchObjects(cluster: Cluster, namespace: string) {
    const core = client(cluster, CoreV1Api);
    const [pods, services, policies] = await Promise.all([
        core.listNamespacedPod({ namespace }),
        core.listNamespacedService({ namespace }),
        client(cluster, KubernetesObjectApi).list<CiliumNetworkPolicy>("cilium.io/v2", "CiliumNetworkPolicy", namespace),
    ]);
    return { cluster: cluster.name, pods: pods.items, services: services.items, policies: policies.items };
}

function backends({ pods }: { pods: V1Pod[] }): V1Pod[] {
    return pods.filter(
        ({ metadata, status }) => metadata?.labels?.[ROLE] === "backend" && !metadata.deletionTimestamp && status?.phase === "Running",
    );
}

function client<T extends ApiType>(cluster: Cluster, type: ApiConstructor<T>): T {
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig);
    return config.makeApiClient(type);
}

const ciliumDaemonSet = {
    metadata: { name: "cilium" },
    spec: {
        selector: { matchLabels: { "k8s-app": "cilium" } },
        template: {
            metadata: { labels: { "k8s-app": "cilium" } },
            spec: { tolerations: [{ operator: "Exists" }], containers: [{ name: "cilium-agent", image: "cilium" }] },
        },
    },
};

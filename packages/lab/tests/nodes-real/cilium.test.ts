import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { AppsV1Api, CoreV1Api, CustomObjectsApi, type V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ciliumValues } from "../../../../core/cilium/helm-values.ts";
import { defaultPool } from "../../../../core/network/cidr.ts";
import { issueCertificates } from "../../../../tests/stacks/issue.ts";
import { nodePrograms } from "../../nodes-real/node-programs.ts";
import { until } from "../../process/until.ts";
import { ciliumChart } from "../../tools/cilium.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { ensureTools } from "../../tools/tools.ts";
import { BUILD_TIMEOUT, temporaryFolder, testNode } from "../harness.ts";
import { addon, client, exec, isReady, type NodeCluster, nodeCluster, podIs, whyNoNodes } from "./harness.ts";

const WAIT = 120_000;
const NAMESPACE = "kube-system";
const CILIUM = { group: "cilium.io", version: "v2", namespace: "default" };
const NOT_READY = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NoExecute" };
const datapath = await tryDatapath({ log: console.log });

describe.skipIf(await whyNoNodes())("Cilium's chart on lab nodes", { timeout: 300_000 }, () => {
    let folder: string;
    let cluster: NodeCluster;
    let core: CoreV1Api;

    beforeAll(async () => {
        folder = await temporaryFolder();
        if (!datapath.programs) throw new Error(datapath.why);
        const [programs, chart, { helm }] = await Promise.all([
            nodePrograms(datapath.programs, { log: console.log }),
            ciliumChart(),
            ensureTools(["helm"], { log: console.log }),
        ]);
        cluster = await nodeCluster(folder, programs, { backOffMilliseconds: 500 });
        core = client(cluster, CoreV1Api);
        await addon(cluster, "vpc-cni");
        await addon(cluster, "kube-proxy");
        await Promise.all([1, 2].map((index) => cluster.addNode(index, { taints: [NOT_READY] })));
        // What the cluster stack creates before the release.
        for (const [name, stringData] of Object.entries((await issueCertificates("east")).files)) {
            await core.createNamespacedSecret({ namespace: NAMESPACE, body: { metadata: { name }, stringData } });
        }
        const users = { metadata: { name: "clustermesh-remote-users" }, data: { "users.yaml": "users: []\n" } };
        await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: users });
        const settings = { name: "east", id: 1, poolCidr: defaultPool(1), mtu: 9001, kvstoreMesh: false, privileged: false };
        await writeFile(join(folder, "values.json"), JSON.stringify(ciliumValues(settings, {})));
        await writeFile(join(folder, "kubeconfig"), cluster.config.exportConfig(), { mode: 0o600 });
        const files = ["-f", join(folder, "values.json"), "--kubeconfig", join(folder, "kubeconfig")];
        await promisify(execFile)(helm, ["install", "cilium", chart, "-n", NAMESPACE, ...files], { timeout: WAIT });
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await cluster?.stop();
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    const agents = async () => (await core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=cilium" })).items;
    const agentOn = async (index: number) => {
        const found = (await agents()).find(
            ({ spec, metadata }) => spec?.nodeName === testNode(index).name && !metadata?.deletionTimestamp,
        );
        if (!found) throw new Error(`node ${index} has no agent`);
        return found;
    };
    const ask = ({ metadata }: V1Pod, ...command: string[]) =>
        exec(cluster, { namespace: NAMESPACE, pod: metadata?.name ?? "", container: "cilium-agent" }, command);
    const allReady = () =>
        until(
            async () => {
                const [set, deployments] = await Promise.all([
                    client(cluster, AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE }),
                    client(cluster, AppsV1Api).listNamespacedDeployment({ namespace: NAMESPACE }),
                ]);
                const waiting = deployments.items.filter(({ spec, status }) => status?.availableReplicas !== spec?.replicas);
                return (set.status?.numberReady === 2 && waiting.length === 0) || undefined;
            },
            WAIT,
            "Cilium is not ready",
        );
    const endpoints = async (): Promise<{ metadata: { name: string }; status: { id: number; identity: { id: number } } }[]> => {
        const { items } = await client(cluster, CustomObjectsApi).listNamespacedCustomObject({ ...CILIUM, plural: "ciliumendpoints" });
        return items;
    };
    async function pod(name: string, index: number, args: string[]): Promise<V1Pod> {
        const container = { name: "c", image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args };
        const spec = { nodeName: testNode(index).name, containers: [container], terminationGracePeriodSeconds: 1 };
        await core.createNamespacedPod({ namespace: "default", body: { metadata: { name, labels: { app: name } }, spec } });
        return podIs(cluster, name, isReady);
    }
    /** The client address that the server sees; undefined when it does not answer. */
    async function askServer(): Promise<string | undefined> {
        const { status } = await core.readNamespacedPod({ name: "server", namespace: "default" });
        const script = `exec 3<>/dev/tcp/${status?.podIP}/8080; printf 'GET /clientip HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3`;
        const { stdout } = await exec(cluster, { pod: "client" }, ["timeout", "2", "bash", "-c", script]);
        return stdout.split(":")[0] || undefined;
    }

    test("agents, operator and clustermesh-apiserver become ready, and the operator removes the taint", async () => {
        await allReady();
        await until(
            async () => (await core.listNode()).items.every(({ spec }) => !spec?.taints?.length) || undefined,
            WAIT,
            "the taint has not been removed",
        );
        const status = JSON.parse((await ask(await agentOn(1), "cilium-dbg", "status", "-o", "json")).stdout);
        expect(status).toMatchObject({ cilium: { state: "Ok" }, "cni-chaining": { mode: "aws-cni" } });
    });

    test("Cilium handles the packets of pods: they have endpoints, and policies apply", async () => {
        await pod("server", 1, ["netexec", "--http-port=8080"]);
        const { status } = await pod("client", 2, ["pause"]);
        // The client's own address: nothing on the path may translate it.
        expect(await until(askServer, WAIT, "no answer")).toBe(status?.podIP);
        expect((await endpoints()).map(({ metadata }) => metadata.name).sort()).toEqual(["client", "server"]);

        const policies = client(cluster, CustomObjectsApi);
        const body = {
            apiVersion: "cilium.io/v2",
            kind: "CiliumNetworkPolicy",
            metadata: { name: "closed" },
            spec: { endpointSelector: { matchLabels: { app: "server" } }, ingress: [{}] },
        };
        await policies.createNamespacedCustomObject({ ...CILIUM, plural: "ciliumnetworkpolicies", body });
        await until(async () => (await askServer()) === undefined || undefined, WAIT, "the policy does not drop packets");
        const allowing = { ...body, spec: { ...body.spec, ingress: [{ fromEndpoints: [{ matchLabels: { app: "client" } }] }] } };
        const policy = { ...CILIUM, plural: "ciliumnetworkpolicies", name: "closed" };
        const { metadata } = (await policies.getNamespacedCustomObject(policy)) as { metadata: object };
        await policies.replaceNamespacedCustomObject({ ...policy, body: { ...allowing, metadata } });
        expect(await until(askServer, WAIT, "the policy does not allow packets")).toBe(status?.podIP);
        await policies.deleteNamespacedCustomObject(policy);
    });

    test("a replaced agent restores its endpoints", async () => {
        const before = (await endpoints()).map(({ metadata, status }) => [metadata.name, status.id]);
        const agent = await agentOn(1);
        await core.deleteNamespacedPod({ name: agent.metadata?.name ?? "", namespace: NAMESPACE });
        await until(
            async () => (await agents()).every(({ metadata }) => metadata?.uid !== agent.metadata?.uid) || undefined,
            WAIT,
            "the old agent has not been deleted",
        );
        await allReady();
        expect(await until(askServer, WAIT, "no answer")).toBeDefined();
        expect((await endpoints()).map(({ metadata, status }) => [metadata.name, status.id])).toEqual(before);
    });

    test("deleting a pod deletes its endpoint", async () => {
        await core.deleteNamespacedPod({ name: "client", namespace: "default" });
        await until(
            async () => !(await endpoints()).some(({ metadata }) => metadata.name === "client") || undefined,
            WAIT,
            "the endpoint has not been deleted",
        );
    });
});

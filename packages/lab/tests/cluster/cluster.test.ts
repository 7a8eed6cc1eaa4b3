import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AppsV1Api, AuthorizationV1Api, CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubernetesAgents } from "../../../../kubernetes/agents.ts";
import { kubernetesClients } from "../../../../kubernetes/clients.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { simulatedContainers } from "../../cluster/kubelet.ts";
import { until } from "../../process/until.ts";
import { BUILD_TIMEOUT, running, temporaryFolder, testCluster, testNode, tools, whyNoTools } from "../harness.ts";

const WAIT = 30_000;

describe.skipIf(await whyNoTools())("a simulated EKS cluster", { timeout: 180_000 }, () => {
    let folder: string;
    let east: Cluster;
    let west: Cluster;

    beforeAll(async () => {
        folder = await temporaryFolder();
        await tools();
        const started = performance.now();
        [east, west] = await Promise.all([
            testCluster("east", join(folder, "east"), {
                containers: simulatedContainers(async ({ pod, container, command }) => {
                    if (command[0] === "fail") return { stderr: "no such thing\n", exitCode: 3 };
                    return { stdout: JSON.stringify({ pod, container, command, padding: "x".repeat(100_000) }) };
                }),
            }),
            testCluster("west", join(folder, "west"), { serviceCidr: "172.21.0.0/16" }),
        ]);
        await Promise.all([east.addNodes([testNode(1), testNode(2, { zone: "eu-west-1b" })]), west.addNodes([testNode(1)])]);
        console.log(
            `two clusters with their nodes: ${Math.round(performance.now() - started)} ms, ${figures([...east.pids, ...west.pids])}`,
        );
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await Promise.all([east?.destroy(), west?.destroy()]);
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    test("nodes have the labels and addresses that EKS registers", async () => {
        const { metadata, spec, status } = await client(east, CoreV1Api).readNode({ name: testNode(2).name });
        expect(metadata?.labels).toMatchObject({
            "eks.amazonaws.com/nodegroup": "main",
            "topology.kubernetes.io/zone": "eu-west-1b",
            "node.kubernetes.io/instance-type": "m6i.large",
        });
        expect(spec).toMatchObject({ providerID: testNode(2).providerId });
        expect(status?.addresses).toContainEqual({ type: "InternalIP", address: "10.0.1.2" });
        expect(status?.nodeInfo?.kubeletVersion).toBe(east.version);
    });

    test("a DaemonSet and a Deployment roll out", async () => {
        const apps = client(east, AppsV1Api);
        await apps.createNamespacedDaemonSet({ namespace: "kube-system", body: daemonSet("cilium") });
        await apps.createNamespacedDeployment({ namespace: "default", body: deployment("web", 3) });
        await until(
            async () => {
                const { status } = await apps.readNamespacedDaemonSet({ namespace: "kube-system", name: "cilium" });
                return (status?.numberReady === 2 && status.updatedNumberScheduled === 2) || undefined;
            },
            WAIT,
            "the DaemonSet did not roll out",
        );
        await until(
            async () => {
                const { status } = await apps.readNamespacedDeployment({ namespace: "default", name: "web" });
                return status?.availableReplicas === 3 || undefined;
            },
            WAIT,
            "the Deployment did not roll out",
        );
        const { items } = await client(east, CoreV1Api).listNamespacedPod({ namespace: "default", labelSelector: "app=web" });
        const addresses = items.map(({ status }) => status?.podIP ?? "");
        expect(new Set(addresses).size).toBe(3);
        for (const address of addresses) expect(address).toMatch(/^10\.0\.10[12]\./);
    });

    test("a command runs in an agent's container through the API server", async () => {
        const agents = kubernetesAgents(kubernetesClients({ east: east.kubeconfig }));
        const { running, expected } = await agents.list("east");
        expect([running.length, expected]).toEqual([2, 2]);
        for (const agent of running) {
            expect(JSON.parse(await agents.status(agent))).toMatchObject({
                pod: agent.pod,
                container: "cilium-agent",
                command: ["cilium-dbg", "status", "-o", "json"],
            });
        }
    });

    test("a restarted agent becomes ready again", async () => {
        const agents = kubernetesAgents(kubernetesClients({ east: east.kubeconfig }));
        const [first] = (await agents.list("east")).running;
        if (!first) throw new Error("no agent");
        await agents.restart(first);
        await until(
            async () => {
                const { running } = await agents.list("east");
                return (running.length === 2 && !running.some(({ uid }) => uid === first.uid)) || undefined;
            },
            WAIT,
            "the agent is not ready again",
        );
    });

    test("a NoExecute taint repels and evicts pods that do not tolerate it", async () => {
        const core = client(east, CoreV1Api);
        const taint = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NoExecute" };
        await east.addNodes([testNode(3, { taints: [taint] })]);
        const on = async (node: string) => (await core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${node}` })).items;
        // The DaemonSet's pods tolerate all taints; the Deployment's do not.
        await until(async () => (await on(testNode(3).name)).length === 1 || undefined, WAIT, "the agent is not on the new node");

        await core.patchNode({ name: testNode(1).name, body: { spec: { taints: [taint] } } }, strategicMerge);
        await until(
            async () => {
                const { items } = await core.listNamespacedPod({ namespace: "default", labelSelector: "app=web" });
                const ready = items.filter(({ status }) => status?.phase === "Running");
                return (ready.length === 3 && ready.every(({ spec }) => spec?.nodeName === testNode(2).name)) || undefined;
            },
            WAIT,
            "the pods did not move to the only node without the taint",
        );
        expect((await on(testNode(1).name)).map(({ metadata }) => metadata?.namespace)).toEqual(["kube-system"]);
    });

    test("removing a node deletes its pods", async () => {
        const core = client(east, CoreV1Api);
        await east.removeNode(testNode(3).name);
        await east.removeNode(testNode(3).name);
        const gone = async () => {
            const { items } = await core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${testNode(3).name}` });
            return items.length === 0 || undefined;
        };
        await until(gone, WAIT, "pods remain on the removed node");
        await until(
            async () => {
                const { status } = await client(east, AppsV1Api).readNamespacedDaemonSet({ namespace: "kube-system", name: "cilium" });
                return status?.desiredNumberScheduled === 2 || undefined;
            },
            WAIT,
            "the DaemonSet still counts the node",
        );
    });

    test("a foreground deletion deletes dependents first, and completes", async () => {
        const [apps, core] = [client(east, AppsV1Api), client(east, CoreV1Api)];
        const secret = { metadata: { name: "cilium-clustermesh" }, stringData: { west: "endpoints: []" } };
        await core.createNamespacedSecret({ namespace: "kube-system", body: secret });
        await core.deleteNamespacedSecret({ namespace: "kube-system", name: "cilium-clustermesh", propagationPolicy: "Foreground" });
        await apps.deleteNamespacedDeployment({ namespace: "default", name: "web", propagationPolicy: "Foreground" });
        await until(
            async () => {
                const { items } = await apps.listNamespacedDeployment({ namespace: "default" });
                return items.length === 0 || undefined;
            },
            WAIT,
            "the Deployment was not deleted",
        );
        expect((await core.listNamespacedPod({ namespace: "default" })).items).toEqual([]);
        expect((await core.listNamespacedSecret({ namespace: "kube-system" })).items).toEqual([]);
    });

    test("RBAC is on: a ServiceAccount may not read Secrets", async () => {
        const review = await client(east, AuthorizationV1Api).createSubjectAccessReview({
            body: {
                spec: {
                    user: "system:serviceaccount:default:default",
                    resourceAttributes: { verb: "get", resource: "secrets", namespace: "kube-system" },
                },
            },
        });
        expect(review.status?.allowed).toBe(false);
    });

    test("two clusters share no port, CA or token", async () => {
        expect(west.endpoint).not.toBe(east.endpoint);
        expect(west.certificateAuthority).not.toBe(east.certificateAuthority);
        const crossed = JSON.parse(west.kubeconfig);
        crossed.users[0].user.token = east.token;
        const config = new KubeConfig();
        config.loadFromString(JSON.stringify(crossed));
        await expect(config.makeApiClient(CoreV1Api).listNode()).rejects.toMatchObject({ code: 401 });
        expect((await client(west, CoreV1Api).listNode()).items).toHaveLength(1);
    });

    test.skipIf(process.platform !== "linux")("all programs listen on loopback only", () => {
        const foreign = ["tcp", "tcp6"].flatMap((table) => listeners(table, [...east.pids, ...west.pids]));
        expect(foreign.length).toBeGreaterThan(0);
        expect(foreign.filter((address) => address !== "0100007F")).toEqual([]);
    });

    test.skipIf(process.platform !== "linux")("no secret is in the arguments of a process", () => {
        for (const pid of [...east.pids, ...west.pids]) {
            const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
            expect(command).not.toMatch(/PRIVATE KEY/);
            expect(command).not.toContain(east.token);
        }
    });

    test("refuses a folder in use, and its cluster keeps running", async () => {
        const second = testCluster("west", join(folder, "west"), { serviceCidr: "172.21.0.0/16" });
        await expect(second).rejects.toThrow(`is in use by process ${process.pid}`);
        expect((await client(west, CoreV1Api).listNode()).items).toHaveLength(1);
    });

    test("stop ends every process, and a restart keeps state and credentials", async () => {
        const { pids, token, certificateAuthority } = west;
        await client(west, CoreV1Api).createNamespacedSecret({ namespace: "kube-system", body: { metadata: { name: "kept" } } });
        const asked = performance.now();
        await west.stop();
        console.log(`stopped in ${Math.round(performance.now() - asked)} ms`);
        await ended(pids);
        await expect(reach(west.endpoint)).rejects.toMatchObject({ code: "ECONNREFUSED" });

        west = await testCluster("west", join(folder, "west"), { serviceCidr: "172.21.0.0/16" });
        // The address may differ: another test may have got the port meanwhile.
        expect(west).toMatchObject({ token, certificateAuthority });
        await client(west, CoreV1Api).readNamespacedSecret({ namespace: "kube-system", name: "kept" });
        await west.addNodes([testNode(1)]);
    });

    test("destroy leaves no process and no file", async () => {
        const { pids } = west;
        await west.destroy();
        await ended(pids);
        expect(readdirSync(folder)).toEqual(["east"]);
    });

    test("every process ends when the owner is killed", async () => {
        const owner = spawn(process.execPath, ["packages/lab/tests/cluster/owner.ts", join(folder, "owned")], {
            stdio: ["ignore", "pipe", "inherit"],
        });
        let reported: { endpoint: string; pids: number[] } | undefined;
        for await (const line of createInterface({ input: owner.stdout })) {
            if (line.startsWith("{")) reported = JSON.parse(line);
            if (reported) break;
        }
        if (!reported) throw new Error("the owner reported no cluster");
        expect(running(reported.pids)).toEqual(expect.arrayContaining(reported.pids));
        const exit = once(owner, "exit");
        owner.kill("SIGKILL");
        await exit;
        await ended(reported.pids);

        // The state stays. The port may differ: another test may have got it meanwhile.
        const again = await testCluster("owned", join(folder, "owned"));
        expect((await client(again, CoreV1Api).listNode()).items).toHaveLength(1);
        await again.destroy();
    });

    test("an error names the program that cannot start, with its output, and nothing keeps running", async () => {
        const programs = { ...(await tools()), "kube-scheduler": "/bin/ls" };
        const start = testCluster("broken", join(folder, "broken"), { tools: programs });
        await expect(start).rejects.toThrow(/^broken: kube-scheduler ended with code 2[\s\S]*kubeconfig/);
        for (const port of Object.values(JSON.parse(readFileSync(join(folder, "broken", "ports.json"), "utf8")))) {
            await expect(reach(`https://127.0.0.1:${port}`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
        }
    });
});

/** Waits for the watchers too: they end a moment after `stop` returns. */
async function ended(pids: readonly number[]): Promise<void> {
    await until(async () => running(pids).length === 0 || undefined, 5_000, "processes still run");
}

const strategicMerge = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);

type Api = Parameters<KubeConfig["makeApiClient"]>[0];

function client<Constructor extends Api>(cluster: Cluster, api: Constructor): InstanceType<Constructor> {
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig);
    return config.makeApiClient(api) as InstanceType<Constructor>;
}

function daemonSet(name: string) {
    const labels = { "k8s-app": name };
    const spec = { containers: [{ name: "cilium-agent", image: "cilium" }], tolerations: [{ operator: "Exists" }], hostNetwork: true };
    return { metadata: { name }, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } };
}

function deployment(name: string, replicas: number) {
    const labels = { app: name };
    const template = { metadata: { labels }, spec: { containers: [{ name, image: name }], terminationGracePeriodSeconds: 0 } };
    return { metadata: { name }, spec: { replicas, selector: { matchLabels: labels }, template } };
}

async function reach(endpoint: string): Promise<void> {
    const { hostname, port } = new URL(endpoint);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect").finally(() => socket.destroy());
}

/** Processor time since the processes' start, and memory. Shared memory counts once. */
function figures(pids: readonly number[]): string {
    if (process.platform !== "linux") return "figures on Linux only";
    const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
    const kib = sum((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]));
    const ticks = sum((pid) => {
        const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ").slice(11, 13) ?? [];
        return Number(user) + Number(system);
    });
    return `${ticks / 100} s of processor time, ${Math.round(kib / 1024)} MiB`;
}

/** Local addresses, in hexadecimal, on which the processes listen. */
function listeners(table: string, pids: readonly number[]): string[] {
    return pids.flatMap((pid) => {
        const own = new Set(sockets(pid));
        const rows = readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1);
        return rows
            .map((row) => row.trim().split(/\s+/))
            .filter(([, , , state, , , , , , inode]) => state === "0A" && own.has(inode ?? ""))
            .map(([, local]) => local?.split(":")[0] ?? "");
    });
}

/** Inodes of the process's sockets. */
function sockets(pid: number): string[] {
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
            return "";
        }
    });
    return files.flatMap((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1] ?? []);
}

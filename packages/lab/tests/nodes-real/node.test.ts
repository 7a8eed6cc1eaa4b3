import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AppsV1Api } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { until } from "../../process/until.ts";
import { testNode } from "../harness.ts";
import { addon, client, type NodeCluster, whyNoNodes } from "./harness.ts";
import { type podTools, STAY, shell, withCluster } from "./pods.ts";

const WAIT = 60_000;
const AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53";
const NAMESPACE = "default";

describe.skipIf(await whyNoNodes())("a lab node", { timeout: 180_000 }, () => {
    let folder: string;
    let cluster: NodeCluster;
    let pods: ReturnType<typeof podTools>;

    withCluster(async (...started) => {
        [folder, cluster, pods] = started;
    });

    test("becomes ready when the VPC CNI add-on has written its conflist", async () => {
        const joining = cluster.addNode(1);
        const conditions = await until(
            async () => (await pods.core.readNode({ name: testNode(1).name })).status?.conditions?.filter(({ type }) => type === "Ready"),
            WAIT,
            "the node does not exist",
        );
        expect(conditions[0]).toMatchObject({ status: "False", message: expect.stringContaining("cni plugin not initialized") });
        await addon(cluster, "vpc-cni");
        await addon(cluster, "kube-proxy");
        await joining;
        const { metadata, status } = await pods.core.readNode({ name: testNode(1).name });
        expect(Object.keys(metadata?.annotations ?? {})).not.toContain("kwok.x-k8s.io/node");
        expect(status?.nodeInfo?.containerRuntimeVersion).toBe("crun://");
    });

    test("a Deployment has addresses of the node's prefix and answers behind a Service", async () => {
        const labels = { app: "web" };
        const readinessProbe = { httpGet: { path: "/hostname", port: "http" }, periodSeconds: 1 };
        const ports = [{ name: "http", containerPort: 8080 }];
        const container = { name: "c", image: AGNHOST, args: ["netexec", "--http-port=8080"], readinessProbe, ports };
        await client(cluster, AppsV1Api).createNamespacedDeployment({
            namespace: NAMESPACE,
            body: {
                metadata: { name: "web" },
                spec: {
                    replicas: 2,
                    selector: { matchLabels: labels },
                    template: { metadata: { labels }, spec: { containers: [container] } },
                },
            },
        });
        const found = await until(
            async () => {
                const { items } = await pods.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "app=web" });
                const ready = items.filter(({ status }) => status?.containerStatuses?.every(({ ready }) => ready));
                return ready.length === 2 ? ready : undefined;
            },
            WAIT,
            "the Deployment is not ready",
        );
        for (const { status } of found) expect(status?.podIP).toMatch(/^10\.0\.1\.(8\d|9[0-5])$/);

        const service = await pods.core.createNamespacedService({
            namespace: NAMESPACE,
            body: { metadata: { name: "web" }, spec: { selector: labels, ports: [{ port: 80, targetPort: "http" }] } },
        });
        await pods.run("asker", { containers: [shell(STAY)] });
        await pods.running("asker");
        const fetch = [
            "bash",
            "-c",
            `exec 3<>/dev/tcp/${service.spec?.clusterIP}/80; printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3`,
        ];
        const answer = await until(
            async () => {
                const { stdout, exitCode } = await pods.exec("asker", fetch);
                return exitCode === 0 ? stdout.trim() : undefined;
            },
            WAIT,
            "the Service does not answer",
        );
        expect(found.map(({ metadata }) => metadata?.name)).toContain(answer);
    });

    test("containers survive a restart of the API server, and pods can be created and deleted after it", async () => {
        await pods.run("stays", { containers: [shell(STAY)] });
        const before = await pods.running("stays");
        await cluster.restart();
        await pods.run("after", { containers: [shell(STAY)] });
        await pods.running("after");
        const after = await pods.running("stays");
        expect(after.status?.containerStatuses).toEqual(before.status?.containerStatuses);
        await pods.core.deleteNamespacedPod({ name: "stays", namespace: NAMESPACE });
        await pods.gone("stays");
    });

    test("removing a node deletes its pods", async () => {
        await cluster.addNode(2);
        await cluster.nodes.removeNode(testNode(2).name);
        const { items } = await pods.core.listNode();
        expect(items.map(({ metadata }) => metadata?.name)).toEqual([testNode(1).name]);
        const left = await pods.core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${testNode(2).name}` });
        expect(left.items).toEqual([]);
    });

    test("nothing is left behind when the lab is killed", async () => {
        const owner = spawn(process.execPath, ["packages/lab/tests/nodes-real/owner.ts", join(folder, "owned")], {
            stdio: ["ignore", "pipe", "inherit"],
        });
        const [line] = await once(createInterface(owner.stdout), "line");
        expect(line).toBe("runs");
        const owned = descendants(owner.pid ?? 0);
        const groups = new Set(owned.flatMap((pid) => /^0::(\/clustermesh-\w+)/m.exec(readProc(pid, "cgroup"))?.[1] ?? []));
        const namespaces = new Set(owned.flatMap(namespacesOf).filter((namespace) => !namespacesOf(process.pid).includes(namespace)));
        // PID, network, mount, UTS and IPC namespaces of the node and of the container, and one cgroup.
        expect([namespaces.size, groups.size]).toEqual([expect.any(Number), 1]);
        expect(namespaces.size).toBeGreaterThan(9);

        const exit = once(owner, "exit");
        owner.kill("SIGKILL");
        await exit;
        const left = () => {
            const alive = allProcesses().filter((pid) => owned.includes(pid) && !/^State:\s+Z/m.test(readProc(pid, "status")));
            const held = allProcesses()
                .flatMap(namespacesOf)
                .filter((namespace) => namespaces.has(namespace));
            const mounted = readFileSync("/proc/self/mounts", "utf8")
                .split("\n")
                .filter((mount) => mount.includes(folder));
            const kept = [...groups].filter((group) => CGROUPS.some((root) => existsSync(join(root, group))));
            return [...alive, ...new Set(held), ...mounted, ...kept];
        };
        await until(async () => left().length === 0 || undefined, 10_000, "something is left behind").catch((error) => {
            throw new Error(`${error.message}: ${left().join(", ")}`);
        });
    });
});

const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

function allProcesses(): number[] {
    return readdirSync("/proc").map(Number).filter(Boolean);
}

/** Reads a file of /proc. Empty when the process has just ended. */
function readProc(pid: number, file: string): string {
    try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
        return "";
    }
}

function descendants(pid: number): number[] {
    const parents = new Map(allProcesses().map((child) => [child, Number(/^PPid:\s+(\d+)/m.exec(readProc(child, "status"))?.[1])]));
    const below = (root: number): number[] =>
        [...parents].filter(([, parent]) => parent === root).flatMap(([child]) => [child, ...below(child)]);
    return below(pid);
}

function namespacesOf(pid: number): string[] {
    return ["mnt", "net", "pid", "uts", "ipc"].flatMap((kind) => {
        try {
            return [readlinkSync(`/proc/${pid}/ns/${kind}`)];
        } catch {
            return [];
        }
    });
}

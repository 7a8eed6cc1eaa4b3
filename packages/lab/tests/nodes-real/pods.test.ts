import type { V1Container } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { until } from "../../process/until.ts";
import { testNode } from "../harness.ts";
import { addon, isReady, type NodeCluster, podIs, whyNoNodes } from "./harness.ts";
import { type podTools, STAY, shell, withCluster } from "./pods.ts";

const NAMESPACE = "default";

describe.skipIf(await whyNoNodes())("pods on a lab node", { timeout: 180_000 }, () => {
    let cluster: NodeCluster;
    let pods: ReturnType<typeof podTools>;

    withCluster(async (_, ...started) => {
        [cluster, pods] = started;
        await addon(cluster, "vpc-cni");
        await cluster.addNode(1);
    });

    test("a container has its environment, hosts file and volumes, and sees a changed Secret", async () => {
        await pods.core.createNamespacedSecret({
            namespace: NAMESPACE,
            body: { metadata: { name: "keys" }, stringData: { key: "first" } },
        });
        await pods.core.createNamespacedConfigMap({
            namespace: NAMESPACE,
            body: { metadata: { name: "settings" }, data: { color: "blue" } },
        });
        await pods.run("full", {
            hostAliases: [{ ip: "10.2.0.16", hostnames: ["west.mesh.cilium.io"] }],
            containers: [
                shell(`echo color=$COLOR node=$NODE api=$KUBERNETES_SERVICE_HOST; cat /etc/hosts; ${STAY}`, {
                    env: [
                        { name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } },
                        { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
                    ],
                    volumeMounts: [
                        { name: "keys", mountPath: "/keys", readOnly: true },
                        { name: "scratch", mountPath: "/scratch" },
                        { name: "host", mountPath: "/host" },
                    ],
                }),
            ],
            volumes: [
                { name: "keys", secret: { secretName: "keys" } },
                { name: "scratch", emptyDir: {} },
                { name: "host", hostPath: { path: "/etc/cni/net.d" } },
            ],
        });
        await pods.running("full");
        const text = await pods.log("full");
        expect(text).toContain(`color=blue node=${testNode(1).name} api=172.20.0.1`);
        expect(text).toContain("10.2.0.16\twest.mesh.cilium.io");
        expect((await pods.exec("full", ["ls", "/host"])).stdout.trim()).toBe("10-aws.conflist");
        expect((await pods.exec("full", ["sh", "-c", "echo 1 > /scratch/a && cat /scratch/a"])).stdout).toBe("1\n");
        expect((await pods.exec("full", ["sh", "-c", "echo 1 > /keys/a"])).stderr).toContain("Read-only file system");
        expect((await pods.exec("full", ["cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"])).stdout).toBe(NAMESPACE);
        expect((await pods.exec("full", ["cat", "/keys/key"])).stdout).toBe("first");

        await pods.core.replaceNamespacedSecret({
            name: "keys",
            namespace: NAMESPACE,
            body: { metadata: { name: "keys" }, stringData: { key: "second", more: "new" } },
        });
        const changed = async () =>
            (await pods.exec("full", ["cat", "/keys/key", "/keys/more"])).stdout === "secondnew" ? true : undefined;
        await until(changed, 5_000, "the files do not have the changed Secret");
    });

    test("a pod waits for a missing Secret, and its status names it", async () => {
        await pods.run("waits", { containers: [shell(STAY, { envFrom: [{ secretRef: { name: "late" } }] })] });
        await podIs(
            cluster,
            "waits",
            ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.message === 'secret "late" not found',
        );
        await pods.core.createNamespacedSecret({ namespace: NAMESPACE, body: { metadata: { name: "late" }, stringData: { A: "1" } } });
        await pods.running("waits");
    });

    test("exec returns output and exit code, and passes input", async () => {
        await pods.run("execs", { containers: [shell(STAY)] });
        await pods.running("execs");
        expect(await pods.exec("execs", ["sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({
            stdout: "out\n",
            stderr: "err\n",
            exitCode: 7,
        });
        expect(await pods.exec("execs", ["cat"], "from the client")).toEqual({ stdout: "from the client", stderr: "", exitCode: 0 });
        const { stdout } = await pods.exec("execs", ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]);
        expect(stdout).toHaveLength(3_000_000);
        expect((await pods.exec("execs", ["no-such-program"])).exitCode).not.toBe(0);
    });

    test("init containers run in order, and a sidecar keeps running", async () => {
        const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
        const step = (name: string, script: string, more: Partial<V1Container> = {}) => ({
            ...shell(script, { volumeMounts, ...more }),
            name,
        });
        await pods.run("ordered", {
            initContainers: [
                step("first", "echo first >> /shared/order"),
                step("side", `echo side >> /shared/order; ${STAY}`, {
                    restartPolicy: "Always",
                    startupProbe: { exec: { command: ["grep", "side", "/shared/order"] }, periodSeconds: 1 },
                }),
                step("second", "echo second >> /shared/order"),
            ],
            containers: [shell(`cat /shared/order; ${STAY}`, { volumeMounts })],
            volumes: [{ name: "shared", emptyDir: {} }],
        });
        const { status } = await pods.running("ordered");
        expect(await pods.log("ordered", { container: "c" })).toBe("first\nside\nsecond\n");
        expect(status?.initContainerStatuses?.map(({ state }) => Object.keys(state ?? {}).join())).toEqual([
            "terminated",
            "running",
            "terminated",
        ]);
    });

    test("a failing init container is retried, and the containers wait", async () => {
        const failing = { ...shell("exit 3"), name: "init" };
        await pods.run("stuck", { initContainers: [failing], containers: [shell(STAY)] });
        const { status } = await podIs(cluster, "stuck", ({ status }) => (status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 2);
        expect(status?.phase).toBe("Pending");
        expect(status?.initContainerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(3);
        expect(status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("PodInitializing");
    });

    test("a failing container is restarted with back-off, and its last output is kept", async () => {
        await pods.run("crashes", { containers: [shell("echo words; exit 2", { terminationMessagePolicy: "FallbackToLogsOnError" })] });
        const { status } = await podIs(cluster, "crashes", ({ status }) => {
            const [container] = status?.containerStatuses ?? [];
            return container?.state?.waiting?.reason === "CrashLoopBackOff" && container.restartCount >= 2;
        });
        expect(status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 2, reason: "Error", message: "words" });
        expect(await pods.log("crashes", { previous: true })).toBe("words\n");
    });

    test("a container whose process is killed is restarted at once", async () => {
        await pods.run("killed", { containers: [shell(STAY)] });
        await pods.running("killed");
        await cluster.nodes.crash?.({ namespace: NAMESPACE, pod: "killed", container: "c" });
        const { status } = await podIs(cluster, "killed", (pod) => isReady(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1);
        expect(status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(137);
    });

    test("the readiness probe sets readiness, and a failing liveness probe restarts the container", async () => {
        const file = (name: string) => ({ exec: { command: ["test", "-e", `/tmp/${name}`] }, periodSeconds: 1, failureThreshold: 1 });
        await pods.run("probed", {
            containers: [
                shell(`touch /tmp/live; ${STAY}`, {
                    readinessProbe: file("ready"),
                    livenessProbe: { ...file("live"), initialDelaySeconds: 1 },
                }),
            ],
        });
        const ready = (wanted: boolean) =>
            podIs(
                cluster,
                "probed",
                ({ status }) => status?.containerStatuses?.[0]?.started === true && status.containerStatuses[0].ready === wanted,
            );
        await ready(false);
        await pods.exec("probed", ["touch", "/tmp/ready"]);
        await ready(true);
        await pods.exec("probed", ["rm", "/tmp/live"]);
        const { status } = await podIs(cluster, "probed", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
        expect(status?.containerStatuses?.[0]?.lastState?.terminated?.message).toContain("liveness probe failed");
    });

    test("a container is restarted when its startup probe never passes", async () => {
        const startupProbe = { tcpSocket: { port: 81 }, periodSeconds: 1, failureThreshold: 2 };
        await pods.run("unborn", { containers: [shell(STAY, { startupProbe })] });
        const { status } = await podIs(cluster, "unborn", ({ status }) => (status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
        expect(status?.containerStatuses?.[0]?.lastState?.terminated?.message).toContain(
            "startup probe failed: connect: Connection refused",
        );
    });

    test("deletion runs the preStop hook, sends TERM and waits for the grace period", async () => {
        const lifecycle = { preStop: { exec: { command: ["sh", "-c", "echo hook > /proc/1/fd/1"] } } };
        await pods.run("polite", { containers: [shell("trap 'sleep 1; echo bye; exit 0' TERM; sleep 1000 & wait", { lifecycle })] });
        await pods.running("polite");
        const followed = pods.log("polite", { follow: true });
        await pods.core.deleteNamespacedPod({ name: "polite", namespace: NAMESPACE, gracePeriodSeconds: 20 });
        expect(await followed).toBe("hook\nbye\n");
        await pods.gone("polite");
    });

    test("a container that ignores TERM is killed after the grace period", async () => {
        await pods.run("stubborn", { containers: [shell("trap '' TERM; while :; do sleep 1; done")] });
        await pods.running("stubborn");
        await pods.core.deleteNamespacedPod({ name: "stubborn", namespace: NAMESPACE, gracePeriodSeconds: 1 });
        await pods.gone("stubborn");
    });

    test("a hostNetwork pod has the node's address and name, and a finished pod keeps its status", async () => {
        await pods.run("host", { hostNetwork: true, containers: [shell(`hostname; ${STAY}`)] });
        const { status } = await pods.running("host");
        expect(status?.podIP).toBe(testNode(1).internalIp);
        expect(await pods.log("host")).toBe(`${testNode(1).name}\n`);

        await pods.run("once", { restartPolicy: "Never", containers: [shell("exit 4")] });
        const ended = await podIs(cluster, "once", ({ status }) => status?.phase === "Failed");
        expect(ended.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(4);
    });

    test("the node's own packets to a pod come from the node's address, as behind the VPC CNI", async () => {
        await pods.run("server", {
            containers: [{ name: "c", image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args: ["netexec", "--http-port=8080"] }],
        });
        const { status } = await pods.running("server");
        const ask = `exec 3<>/dev/tcp/${status?.podIP}/8080; printf 'GET /clientip HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3`;
        await pods.run("on-the-host", { hostNetwork: true, containers: [shell(`bash -c "${ask}"; ${STAY}`)] });
        expect(await pods.logged("on-the-host", (text) => text.includes(":"))).toContain(`${status?.hostIP}:`);
    });

    test("an unprivileged user can read its token, and its group the volumes", async () => {
        const securityContext = { runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, runAsNonRoot: true };
        const capabilities = { drop: ["ALL"] };
        await pods.run("nobody", {
            securityContext,
            containers: [
                shell(
                    `id -u; cat /keys/key; head -c 2 /var/run/secrets/kubernetes.io/serviceaccount/token; touch /data/a && echo; ${STAY}`,
                    {
                        securityContext: { allowPrivilegeEscalation: false, capabilities },
                        volumeMounts: [
                            { name: "keys", mountPath: "/keys" },
                            { name: "data", mountPath: "/data" },
                        ],
                    },
                ),
            ],
            volumes: [
                { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
                { name: "data", emptyDir: {} },
            ],
        });
        await pods.running("nobody");
        expect(await pods.logged("nobody", (text) => text.endsWith("\n") && text.length > 6)).toBe("65532\nsecondey\n");
    });

    test("a pod whose image has no program is ready, and exec explains why it fails", async () => {
        await pods.run("image", { containers: [{ name: "c", image: "eks/coredns:v1.13.1" }] });
        await pods.running("image");
        const { stderr, exitCode } = await pods.exec("image", ["ls"]);
        expect([exitCode, stderr]).toEqual([126, expect.stringContaining("its image may have no program in the lab")]);
    });

    test("a container cannot write to the root file system or the settings of others and the machine", async () => {
        const securityContext = { privileged: true };
        const script = `echo 1 > /etc/clustermesh-test; echo x > /proc/sys/kernel/core_pattern; ls /root /tmp; ${STAY}`;
        await pods.run("rooted", { containers: [shell(script, { securityContext })] });
        await pods.running("rooted");
        expect(await pods.logged("rooted", (text) => text.includes("/tmp:"))).toMatch(
            /core_pattern: Read-only file system\n\/root:\n(\.?\w*\n)*\n\/tmp:\n$/,
        );
        expect((await pods.exec("rooted", ["cat", "/etc/clustermesh-test"])).stdout).toBe("1\n");
        await pods.run("other", { containers: [shell(STAY)] });
        await pods.running("other");
        expect((await pods.exec("other", ["cat", "/etc/clustermesh-test"])).exitCode).toBe(1);
    });
});

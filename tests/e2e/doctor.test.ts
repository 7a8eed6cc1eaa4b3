import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh } from "../../cli/engine/driver.ts";
import { DoctorReport } from "../../core/doctor/diagnose.ts";
import { StatusReport } from "../../core/doctor/status.ts";
import { until } from "../../packages/lab/process/until.ts";
import { onTerminal } from "../../packages/lab/recording/terminal.ts";
import { BUILD_TIMEOUT } from "../../packages/lab/tests/harness.ts";
import { NO_INGRESS, NO_ROUTE, OTHER_CA, SOURCE_NAT, WRONG_ALIAS } from "./mesh-faults.ts";
import { ALL, PLACE, type RealLab, startRealLab, whyNoRealLab } from "./real-lab.ts";

const MAIN = resolve("cli/main.ts");
const POD = { name: "unmanaged", namespace: "default" };
/** Rules that may fail as a consequence of the faults below, at any time, and are reported as symptoms. */
const SYMPTOMS = ["peer-behind", "nodes-unknown", "health-failing"];

describe.skipIf(await whyNoRealLab())("doctor and status in a lab with real agents", { timeout: 400_000 }, () => {
    let real: RealLab;

    beforeAll(async () => {
        real = await startRealLab();
        await deployMesh(ALL, real.driver);
        await real.waitUntilHealthy();
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    const options = () => ({ cwd: real.driver.folder, env: { ...process.env, ...real.driver.env }, maxBuffer: 1e8 });
    /** Runs the command line in a separate process. */
    const clustermesh = async (...args: string[]) => {
        const start = performance.now();
        const { code, stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], options()).then(
            ({ stdout }) => ({ code: 0, stdout }),
            (error: { code: number; stdout: string; stderr: string }) => {
                if (error.code !== 1) throw error;
                return error;
            },
        );
        console.log(`clustermesh ${args.join(" ")}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
        return { code, stdout };
    };
    const doctor = async () => {
        const { code, stdout } = await clustermesh("doctor", "--json");
        const { rules } = DoctorReport.parse(JSON.parse(stdout));
        return { code, rules, found: rules.filter(({ findings }) => findings.length > 0) };
    };
    const nodes = async (cluster: string) => (await real.core(cluster).listNode()).items.map(({ metadata }) => metadata?.name ?? "");

    /** Starts a pod while the node's CNI chain has only the VPC CNI, as before Cilium's agent first runs on a node. */
    const startUnmanaged = async (cluster: string, node: string) => {
        const folder = join(dirname(real.lab.project), "nodes", PLACE.account, PLACE.region, cluster, node, "host/etc/cni/net.d");
        const first = join(folder, "00-alone.conflist");
        copyFileSync(join(folder, "10-aws.conflist"), first);
        const containers = [{ name: "idle", image: "busybox", command: ["sleep", "infinity"] }];
        const spec = { containers, nodeName: node, terminationGracePeriodSeconds: 0 };
        await real.core(cluster).createNamespacedPod({ namespace: POD.namespace, body: { metadata: { name: POD.name }, spec } });
        const runs = async () => ((await real.core(cluster).readNamespacedPod(POD)).status?.phase === "Running" ? true : undefined);
        await until(runs, 60_000, "the pod does not run");
        rmSync(first);
    };

    test("doctor checks every rule and finds nothing in a healthy mesh, and its evidence has no secrets", async () => {
        const file = join(dirname(real.lab.project), "evidence.json");
        const { code, stdout } = await clustermesh("doctor", "--evidence", file);
        expect(stdout).toMatch(/^no problems found: \d+ rules checked for cluster1, cluster2 in [\d.]+ s\n$/);
        expect(code).toBe(0);
        const { data = {} } = await real.core("cluster1").readNamespacedSecret({ name: "cilium-clustermesh", namespace: "kube-system" });
        expect(Object.keys(data)).toContain("cluster2.etcd-client.key");
        const evidence = readFileSync(file, "utf8");
        expect(evidence).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE/);
        for (const secret of Object.values(data)) expect(evidence).not.toContain(secret.slice(0, 60));
    });

    test("status reports each cluster and the pair", async () => {
        const { code, stdout } = await clustermesh("status", "--json");
        const { clusters, pairs, problems } = StatusReport.parse(JSON.parse(stdout));
        const ready = { ready: 2, all: 2 };
        const cluster = { agents: ready, replicas: ready, balancer: "active", targets: ready, certificateDays: 364 };
        expect(clusters).toMatchObject([
            { cluster: "cluster1", ...cluster },
            { cluster: "cluster2", ...cluster },
        ]);
        expect(pairs).toEqual([{ a: "cluster1", b: "cluster2", aSeesB: ready, bSeesA: ready, link: "peering active" }]);
        expect(problems).toEqual([]);
        expect(code).toBe(0);
    });

    test("status --watch runs until an interrupt and exits with 0; with --json it prints one document per line", async () => {
        const child = spawn(process.execPath, [MAIN, "status", "--watch", "--json", "--interval", "1"], {
            ...options(),
            stdio: ["ignore", "pipe", "ignore"],
        });
        const ended = once(child, "exit");
        const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
        const seen = [await lines.next(), await lines.next()].map(({ value }) => StatusReport.parse(JSON.parse(String(value))));
        expect(Date.parse(seen[1]?.at ?? "")).toBeGreaterThan(Date.parse(seen[0]?.at ?? ""));
        child.kill("SIGINT");
        expect(await ended).toEqual([0, null]);
    });

    test("status --watch redraws in place on a terminal, also after a resize", async () => {
        const folder = dirname(real.lab.project);
        const line = `${process.execPath} ${MAIN} status --cwd ${real.driver.folder} --watch --interval 1`;
        const screen = await onTerminal(line, folder, { ...real.driver.env }, 120, 30);
        const drawnAt = async () => (await screen.lines()).flatMap((text) => /^(\d{4}-\S+Z), Ctrl-C to end/.exec(text)?.[1] ?? []);
        const again = async (before: string | undefined) => {
            const next = async () => ((await drawnAt()).at(-1) === before ? undefined : await drawnAt());
            return until(async () => (await next())?.at(-1), 60_000, "status is not redrawn");
        };
        const first = await again(undefined);
        await again(first);
        // Narrower than the lines, but high enough that wrapped lines do not scroll out of the screen, where they could not be redrawn.
        await screen.resize(70, 24);
        await again((await drawnAt()).at(-1));
        await again((await drawnAt()).at(-1));
        expect(await drawnAt()).toHaveLength(1);
        expect((await screen.lines()).filter((text) => text.startsWith("cluster1 ↔ cluster2"))).toHaveLength(1);
        screen.type("\x03");
        expect(await screen.ended).toBe(0);
    });

    test("doctor finds six faults at once, each by its own rule with subject and values, and links symptoms to causes", async () => {
        const [[near = "", far = ""], [other = ""]] = await Promise.all([nodes("cluster1"), nodes("cluster2")]);
        await startUnmanaged("cluster2", other);
        const target1 = { cluster: "cluster1", peer: "cluster2" };
        const target2 = { cluster: "cluster2", peer: "cluster1", node: other };
        await NO_ROUTE.make(real, { ...target1, node: near });
        await NO_INGRESS.make(real, { ...target1, node: near });
        await SOURCE_NAT.make(real, target2);
        await Promise.all([OTHER_CA.make(real, { ...target1, node: far }), WRONG_ALIAS.make(real, target2)]);

        const wanted = ["route-missing", "ingress-missing", "source-nat", "host-aliases", "peer-ca", "pods-unmanaged"];
        const { found, code } = await until(
            async () => {
                const result = await doctor();
                return wanted.every((id) => result.found.some((rule) => rule.id === id)) &&
                    result.found.some(({ id }) => id === "peer-behind")
                    ? result
                    : undefined;
            },
            120_000,
            "doctor does not find all faults",
        );
        expect(code).toBe(1);
        expect(
            found
                .map(({ id }) => id)
                .filter((id) => !SYMPTOMS.includes(id))
                .toSorted(),
        ).toEqual(wanted.toSorted());
        const texts = Object.fromEntries(
            found.map(({ id, findings }) => [id, findings.map(({ subject, found }) => `${subject}: ${found}`).join("\n")]),
        );
        expect(texts["route-missing"]).toMatch(
            /^cluster1 → cluster2: table rtb-\w+ routes 192\.168\.0\.0\/16 by 0\.0\.0\.0\/0 to nat-\w+ instead of pcx-\w+$/,
        );
        expect(texts["ingress-missing"]).toMatch(
            /^cluster2 → cluster1: sg-\w+ of cluster1 does not admit all traffic from 192\.168\.0\.0\/16$/,
        );
        expect(texts["source-nat"]).toMatch(/^cluster2: AWS_VPC_K8S_CNI_EXTERNALSNAT is false/);
        expect(texts["host-aliases"]).toMatch(/^cluster2 → cluster1: .* lacks 10\.248\.\d+\.16, .* and resolves to 192\.168\.0\.99/);
        expect(texts["peer-ca"]).toMatch(/^cluster1 → cluster2: .*\(Cilium CA cluster1\), the peer's is [0-9a-f]{16}$/);
        expect(texts["pods-unmanaged"]).toContain(`default/unmanaged on ${other}`);
        const behind = found.find(({ id }) => id === "peer-behind")?.findings ?? [];
        expect(behind.find(({ subject }) => subject === "cluster1 → cluster2")).toMatchObject({
            found: expect.stringContaining("certificate signed by unknown authority"),
            because: expect.arrayContaining(["peer-ca"]),
        });
        expect((await clustermesh("status")).code).toBe(1);
    });

    test("the remedies that doctor prints fix the faults", async () => {
        const { found } = await doctor();
        const remedies = found.flatMap(({ findings }) => findings.flatMap(({ remedy }) => remedy));
        const ups = [...new Set(remedies.filter((command) => command.startsWith("npx clustermesh up")))].toSorted();
        expect(ups).toEqual(["npx clustermesh up --refresh cluster2", "npx clustermesh up --refresh mesh"]);
        for (const command of ups) expect((await clustermesh(...command.split(" ").slice(2))).code).toBe(0);
        expect(remedies).toContain("in cluster2: kubectl -n default delete pod unmanaged");
        await real.core("cluster2").deleteNamespacedPod(POD);
        await WRONG_ALIAS.undo?.(real, { cluster: "cluster2", peer: "cluster1", node: "" });
        const after = await until(
            async () => {
                const result = await doctor();
                return result.found.length === 0 ? result : undefined;
            },
            120_000,
            "doctor still finds something",
        );
        expect(after.code).toBe(0);
    });
});

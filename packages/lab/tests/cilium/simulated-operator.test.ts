import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../cluster/cluster.ts";
import { until } from "../../process/until.ts";
import { BUILD_TIMEOUT, temporaryFolder, testCluster, testNode, tools, whyNoGo } from "../harness.ts";
import { agentPod, ciliumNode, endpoint, NOT_READY, pod } from "./cilium-objects.ts";
import { CiliumPrograms } from "./cilium-programs.ts";

const WAIT = 60_000;

describe.skipIf(await whyNoGo())("the stand-in for Cilium's operator", { timeout: 180_000 }, () => {
    let folder: string;
    let east: Cluster;
    let cilium: CiliumPrograms;
    let operators: Awaited<ReturnType<typeof cilium.startOperator>>[];

    beforeAll(async () => {
        folder = await temporaryFolder();
        await tools();
        east = await testCluster("east", join(folder, "cluster"));
        cilium = await CiliumPrograms.prepare(east, folder);
        await east.addNodes([1, 2, 3].map((index) => testNode(index, { taints: [NOT_READY] })));
        await cilium.install("east", 1, "100.64.0.0/20");
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await cilium?.stop();
        await east?.destroy();
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    test("the operator starts with the chart's configuration and registers the CRDs", async () => {
        operators = [await cilium.startOperator("operator-1"), await cilium.startOperator("operator-2")];
        const crds = ["ciliumnodes", "ciliumendpoints", "ciliumidentities", "ciliumnetworkpolicies"].map((name) => `crd/${name}.cilium.io`);
        const registered = () => cilium.kubectl("wait", "--for=condition=Established", "--timeout=1s", ...crds);
        await until(registered, WAIT, "the CRDs are not registered");
        for (const { name, healthy } of operators) await until(healthy, WAIT, `${name} is not healthy`);
        expect((await cilium.log("operator-1")).split("\n")[0]).toContain("SIMULATED");
    });

    test("one of two replicas leads and gives each node a CIDR of the pool", async () => {
        for (const index of [1, 2]) await cilium.apply(ciliumNode(index));
        const cidrs = await Promise.all([podCidr(1), podCidr(2)]);
        for (const cidr of cidrs) expect(cidr).toMatch(/^100\.64\.\d+\.\d+\/28$/);
        expect(new Set(cidrs).size).toBe(2);
        expect(await leaders()).toHaveLength(1);
    });

    test("only a node whose agent is ready loses the taint and gets NetworkUnavailable=False", async () => {
        await cilium.apply(agentPod(testNode(1).name));
        const untainted = async () => {
            const node = await cilium.get("node", testNode(1).name);
            return node.spec.taints?.some(({ key }: { key: string }) => key === NOT_READY.key) ? undefined : node;
        };
        const { status } = await until(untainted, WAIT, "the taint stays");
        const up = { type: "NetworkUnavailable", status: "False", reason: "CiliumIsUp" };
        expect(status.conditions).toContainEqual(expect.objectContaining(up));
        const { spec } = await cilium.get("node", testNode(2).name);
        expect(spec.taints).toContainEqual(expect.objectContaining(NOT_READY));
    });

    test("a node whose agent is no longer ready is tainted again, for new pods only", async () => {
        const conditions = [{ type: "Ready", status: "False", lastTransitionTime: new Date().toISOString() }];
        await cilium.apply(agentPod(testNode(3).name, "cilium-3"));
        const taints = async () => (await cilium.get("node", testNode(3).name)).spec.taints?.map(({ key }: { key: string }) => key) ?? [];
        await until(async () => ((await taints()).includes(NOT_READY.key) ? undefined : true), WAIT, "the taint stays");
        // kwok sets the pod's status once; after that the patched status stays.
        const patch = JSON.stringify({ status: { conditions } });
        await cilium.kubectl("patch", "pod", "cilium-3", "-n", "kube-system", "--subresource=status", "-p", patch);
        await until(async () => ((await taints()).includes(NOT_READY.key) ? true : undefined), WAIT, "the taint is missing");
        const { spec } = await cilium.get("node", testNode(3).name);
        expect(spec.taints).toContainEqual({ key: NOT_READY.key, effect: "NoSchedule" });
    });

    test("when the leader ends, the other replica takes over", async () => {
        const [first] = await leaders();
        await first?.process.stop();
        await cilium.apply(ciliumNode(3));
        expect(await podCidr(3)).toMatch(/\/28$/);
        expect([await podCidr(1), await podCidr(2)]).not.toContain(await podCidr(3));
        expect(await leaders()).toHaveLength(2);
    });

    test("removes endpoints and nodes without an owner, and keeps the others", async () => {
        for (const { process } of operators) await process.stop();
        await cilium.apply(pod("web-3", testNode(1).name), endpoint("web-3"), endpoint("gone"), ciliumNode(4));
        await cilium.startOperator("operator-3", "--cilium-endpoint-gc-interval=1s", "--nodes-gc-interval=1s");
        const names = async (kind: string) =>
            (await cilium.get(kind)).items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
        const removed = async () => ((await names("ciliumendpoints")).includes("gone") ? undefined : true);
        await until(removed, WAIT, "the endpoint stays");
        await until(async () => ((await names("ciliumnodes")).length === 3 ? true : undefined), WAIT, "the node stays");
        expect(await names("ciliumendpoints")).toEqual(["web-3"]);
        expect(await names("ciliumnodes")).toEqual([1, 2, 3].map((index) => testNode(index).name));
    });

    async function leaders() {
        const logs = await Promise.all(operators.map(({ name }) => cilium.log(name)));
        return operators.filter((_, index) => logs[index]?.includes("Leading the operator HA deployment"));
    }

    async function podCidr(index: number): Promise<string> {
        const given = async () => (await cilium.get("ciliumnode", testNode(index).name)).spec.ipam?.podCIDRs?.[0];
        return until(given, WAIT, `node ${index} has no CIDR of the pool`);
    }
});

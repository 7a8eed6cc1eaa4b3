import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh, destroyMesh, previewMesh } from "../../cli/engine/driver.ts";
import { allPassed, type VerifyReport } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import { until } from "../../packages/lab/process/until.ts";
import { BUILD_TIMEOUT } from "../../packages/lab/tests/harness.ts";
import { killProcesses, measurePropagation, replaceReplica, replicaNames, scaleNodeGroup, waitUntilForgotten } from "./disturbances.ts";
import { type HeldConnection, holdConnection } from "./held-connection.ts";
import { recordTraces } from "./leftovers.ts";
import {
    ALL,
    CLUSTERS,
    clusterStacks,
    GATE,
    MESH,
    meshWith,
    type RealLab,
    restartAgents,
    startRealLab,
    timed,
    whyNoRealLab,
} from "./real-lab.ts";
import { followWorkloadsReadme } from "./workloads.ts";

/** In another region, with one node. */
const THIRD = {
    stack: "cluster3",
    config: {
        kind: "cluster",
        name: "cluster3",
        id: 3,
        region: "us-east-1",
        vpcCidr: "172.16.0.0/16",
        nat: "single",
        nodeGroup: { min: 1, desired: 1 },
        endpoint: { publicCidrs: ["0.0.0.0/0"] },
    },
};
/** Upper bound that the issue sets for a mesh that has lost an etcd. */
const RECOVERY_SECONDS = 15;

describe.skipIf(await whyNoRealLab())("real agents over real packets", { timeout: 300_000 }, () => {
    let real: RealLab;
    let held: HeldConnection;
    /** Each returns what is left on this machine of the lab's state at the time of recording. */
    const leftovers: (() => string[])[] = [];
    const recordLab = () =>
        leftovers.push(recordTraces(dirname(real.lab.project), real.lab.dataPlane.network?.namespaceOf("").replace(/-$/, "") ?? ""));

    beforeAll(async () => {
        real = await startRealLab();
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    const expectPassed = (report: VerifyReport) => {
        if (!allPassed(report)) console.log(reportTable(report));
        expect(allPassed(report)).toBe(true);
    };
    const expectNoChanges = async () => {
        for (const [stack, { same: _, read: __, ...changes }] of await previewMesh(ALL, real.driver)) expect(changes, stack).toEqual({});
    };
    /** The number of host aliases in a cluster's DaemonSet, and of agents that do not run its current revision yet. */
    const hostAliases = async (cluster: string) => {
        const { metadata, spec, status } = await real.apps(cluster).readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
        const { observedGeneration, desiredNumberScheduled = 0, updatedNumberScheduled = 0 } = status ?? {};
        const updated = observedGeneration === metadata?.generation ? updatedNumberScheduled : 0;
        return { aliases: spec?.template.spec?.hostAliases?.length ?? 0, old: desiredNumberScheduled - updated };
    };

    test("without the mesh stack no pod reaches a pod of the other cluster", async () => {
        await timed("both clusters", () => deployMesh(CLUSTERS, real.driver));
        recordLab();
        const { pairs } = await real.verify({ only: ["pairs"] });
        expect(pairs.map(({ from, to, passed, tried }) => `${from} → ${to}: ${passed} of ${tried}`).toSorted()).toEqual([
            "cluster1 → cluster2: 0 of 4",
            "cluster2 → cluster1: 0 of 4",
        ]);
    });

    test("the mesh stack connects the clusters, verify passes, and a preview shows no changes", async () => {
        await timed("mesh", () => deployMesh(MESH, real.driver));
        await timed("verify", async () => expectPassed(await real.verify()));
        await expectNoChanges();
        held = await holdConnection(real, "cluster1", "cluster2");
    });

    test("the workload examples work as their README says: global service, affinity, failover, network policy", async () => {
        await timed("workload examples", () => followWorkloadsReadme(real));
        await held.assertOpen();
    });

    describe("a connection between pods on untouched nodes stays open while", () => {
        test("all agents restart", async () => {
            await timed("all agents restarted", async () => {
                await Promise.all(CLUSTERS.clusters.map((cluster) => restartAgents(real, cluster)));
                await real.waitUntilHealthy();
            });
            await held.assertOpen();
        });

        test("one etcd of a cluster is killed, then all of them at once", async () => {
            const before = await measurePropagation(real, "cluster1", "cluster2");
            console.log(`a new pod is known to all agents after ${before.toFixed(1)} s`);
            const all = await replicaNames(real, "cluster1");
            expect(all).toHaveLength(2);
            for (const pods of [all.slice(0, 1), all]) {
                expect(killProcesses(pods, "etcd")).toBe(pods.length);
                const seconds = await timed(`${pods.length} of 2 etcds killed: a new pod is known`, () =>
                    measurePropagation(real, "cluster1", "cluster2"),
                );
                expect(seconds).toBeLessThan(RECOVERY_SECONDS);
                await real.waitUntilHealthy();
            }
            await held.assertOpen();
        });

        test("a clustermesh-apiserver replica is deleted", async () => {
            await timed("replica replaced", () => replaceReplica(real, "cluster1"));
            await real.waitUntilHealthy();
            await held.assertOpen();
        });

        test("a node is added, and one is removed", async () => {
            for (const nodes of [3, 2]) {
                await timed(`${nodes} nodes`, async () => {
                    await scaleNodeGroup(real, "cluster2", nodes);
                    await real.waitUntilHealthy();
                });
                const { nodeLists } = await real.verify({ only: ["agents"] });
                const counts = { nodes: 2 + nodes, complete: expect.any(Number) };
                expect(nodeLists).toMatchObject([counts, counts]);
                for (const { complete, agents } of nodeLists) expect(complete).toBe(agents);
            }
            await held.assertOpen();
        });

        test("the wiring is switched to KVStoreMesh, and verify passes", async () => {
            real.lab.configure(clusterStacks({ kvstoreMesh: true }));
            await timed("KVStoreMesh in both clusters", () => deployMesh(CLUSTERS, real.driver));
            await held.assertOpen();
            await timed("the mesh with KVStoreMesh", () => real.up(MESH));
            // `up` waits for the rollout of the agents that lose their host aliases.
            for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toEqual({ aliases: 0, old: 0 });
            await held.assertOpen();
            expectPassed(await real.verify());
            await expectNoChanges();
            const longest = await held.assertOpen();
            console.log(`longest time without an answer on the connection: ${longest.toFixed(2)} s`);
        });

        test("the wiring is switched back to direct, and verify passes", async () => {
            real.lab.configure(clusterStacks({ kvstoreMesh: false }));
            await timed("both clusters without KVStoreMesh", () => deployMesh(CLUSTERS, real.driver));
            await held.assertOpen();
            await timed("the mesh with direct wiring", () => real.up(MESH));
            for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toEqual({ aliases: 3, old: 0 });
            expectPassed(await real.verify());
            await expectNoChanges();
            await held.assertOpen();
        });

        test("a third cluster joins and leaves", async () => {
            const { stack, config } = THIRD;
            real.lab.configure({ [stack]: config });
            await timed("a third cluster", () => deployMesh({ clusters: [stack], meshes: [] }, real.driver));
            recordLab();
            real.lab.configure({ mesh: { ...meshWith(GATE), clusters: [...CLUSTERS.clusters, stack] } });
            await timed("the third cluster joins", async () => {
                await real.up(MESH);
                const { checks } = await real.verify({ only: ["agents", "pairs"] });
                expect(checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
            });
            await held.assertOpen();

            real.lab.configure({ mesh: meshWith(GATE) });
            await timed("the third cluster leaves", async () => {
                await real.up(MESH);
                await Promise.all([
                    waitUntilForgotten(real, stack, CLUSTERS.clusters),
                    ...CLUSTERS.clusters.map((cluster) => waitUntilForgotten(real, cluster, [stack])),
                ]);
            });
            const { pairs } = await real.verify({ only: ["pairs"], nodesPerCluster: 1 });
            expect(pairs).toHaveLength(6);
            for (const { from, to, passed } of pairs) expect(passed, `${from} → ${to}`).toBe(from === stack || to === stack ? 0 : 1);
            await held.assertOpen();
        });
    });

    test("destroying the mesh removes all host aliases, and destroying the lab leaves nothing on this machine", async () => {
        await destroyMesh(MESH, real.driver);
        for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toMatchObject({ aliases: 0 });
        await destroyMesh({ clusters: [...CLUSTERS.clusters, THIRD.stack], meshes: [] }, real.driver);
        expect(real.lab.aws.remains(ALL_TABLES)).toEqual([]);
        await real.lab.destroy();
        // A cgroup can be removed once the last process in it has been reaped.
        const all = () => leftovers.flatMap((remaining) => remaining());
        await until(async () => (all().length === 0 ? true : undefined), 10_000, "something is left").catch(() => {});
        expect(all()).toEqual([]);
    });
});

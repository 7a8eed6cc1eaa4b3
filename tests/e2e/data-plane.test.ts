import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh, destroyMesh, previewMesh } from "../../cli/engine/driver.ts";
import { allPassed, type VerifyReport } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import { until } from "../../packages/lab/process/until.ts";
import { BUILD_TIMEOUT } from "../../packages/lab/tests/harness.ts";
import { forgotten, killIn, propagates, replaceReplica, replicas, scaleTo } from "./disturbances.ts";
import { type HeldConnection, holdConnection } from "./held-connection.ts";
import { noteTraces } from "./leftovers.ts";
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

/** Of another region, and as small as can be. */
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
/** The bound for the mesh without one of its etcds. */
const RECOVERY_SECONDS = 15;

describe.skipIf(await whyNoRealLab())("real agents over real packets", { timeout: 300_000 }, () => {
    let real: RealLab;
    let held: HeldConnection;
    /** What is left of the lab, by what was noted as clusters came. */
    const left: (() => string[])[] = [];
    const note = () =>
        left.push(noteTraces(dirname(real.lab.project), real.lab.dataPlane.network?.namespaceOf("").replace(/-$/, "") ?? ""));

    beforeAll(async () => {
        real = await startRealLab();
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    const proven = (report: VerifyReport) => {
        if (!allPassed(report)) console.log(reportTable(report));
        expect(allPassed(report)).toBe(true);
    };
    const unchanged = async () => {
        for (const [stack, { same: _, read: __, ...changes }] of await previewMesh(ALL, real.driver)) expect(changes, stack).toEqual({});
    };
    /** Host aliases of a cluster's agents, and how many agents have not been told of them yet. */
    const hostAliases = async (cluster: string) => {
        const { metadata, spec, status } = await real.apps(cluster).readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
        const { observedGeneration, desiredNumberScheduled = 0, updatedNumberScheduled = 0 } = status ?? {};
        const updated = observedGeneration === metadata?.generation ? updatedNumberScheduled : 0;
        return { aliases: spec?.template.spec?.hostAliases?.length ?? 0, old: desiredNumberScheduled - updated };
    };
    test("before the mesh stack all pairs of pods are closed", async () => {
        await timed("both clusters", () => deployMesh(CLUSTERS, real.driver));
        note();
        const { pairs } = await real.verify({ only: ["pairs"] });
        expect(pairs.map(({ from, to, passed, tried }) => `${from} → ${to}: ${passed} of ${tried}`).toSorted()).toEqual([
            "cluster1 → cluster2: 0 of 4",
            "cluster2 → cluster1: 0 of 4",
        ]);
    });

    test("the mesh stack joins them, verify proves it, and a preview shows no changes", async () => {
        await timed("mesh", () => deployMesh(MESH, real.driver));
        await timed("verify", async () => proven(await real.verify()));
        await unchanged();
        held = await holdConnection(real, "cluster1", "cluster2");
    });

    test("the workload examples do what their README says: both clusters answer, affinity, failover, a policy", async () => {
        await timed("workload examples", () => followWorkloadsReadme(real));
        await held.goesOn();
    });

    describe("a connection between pods of untouched nodes goes on while", () => {
        test("every agent is restarted", async () => {
            await timed("every agent restarted", async () => {
                await Promise.all(CLUSTERS.clusters.map((cluster) => restartAgents(real, cluster)));
                await real.healthy();
            });
            await held.goesOn();
        });

        test("a mesh's etcd is killed, and all of a cluster's at once", async () => {
            const before = await propagates(real, "cluster1", "cluster2");
            console.log(`news of a pod are everywhere after ${before.toFixed(1)} s`);
            const all = await replicas(real, "cluster1");
            expect(all).toHaveLength(2);
            for (const victims of [all.slice(0, 1), all]) {
                expect(killIn(victims, "etcd")).toBe(victims.length);
                const seconds = await timed(`${victims.length} of 2 etcds killed: news of a pod`, () =>
                    propagates(real, "cluster1", "cluster2"),
                );
                expect(seconds).toBeLessThan(RECOVERY_SECONDS);
                await real.healthy();
            }
            await held.goesOn();
        });

        test("a replica of a clustermesh-apiserver is lost", async () => {
            await timed("replica replaced", () => replaceReplica(real, "cluster1"));
            await real.healthy();
            await held.goesOn();
        });

        test("a node comes, and one goes", async () => {
            for (const nodes of [3, 2]) {
                await timed(`${nodes} nodes`, async () => {
                    await scaleTo(real, "cluster2", nodes);
                    await real.healthy();
                });
                const { nodeLists } = await real.verify({ only: ["agents"] });
                const counts = { nodes: 2 + nodes, complete: expect.any(Number) };
                expect(nodeLists).toMatchObject([counts, counts]);
                for (const { complete, agents } of nodeLists) expect(complete).toBe(agents);
            }
            await held.goesOn();
        });

        test("the wiring is switched to KVStoreMesh, which verify proves", async () => {
            real.lab.configure(clusterStacks({ kvstoreMesh: true }));
            await timed("KVStoreMesh in both clusters", () => deployMesh(CLUSTERS, real.driver));
            await held.goesOn();
            await timed("the mesh by KVStoreMesh", () => real.up(MESH));
            // The agents that lose their aliases have been waited for.
            for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toEqual({ aliases: 0, old: 0 });
            await held.goesOn();
            proven(await real.verify());
            await unchanged();
            const longest = await held.goesOn();
            console.log(`longest time without an answer on the connection: ${longest.toFixed(2)} s`);
        });

        test("it is switched back to direct wiring, which verify proves", async () => {
            real.lab.configure(clusterStacks({ kvstoreMesh: false }));
            await timed("both clusters without KVStoreMesh", () => deployMesh(CLUSTERS, real.driver));
            await held.goesOn();
            await timed("the mesh by direct wiring", () => real.up(MESH));
            for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toEqual({ aliases: 3, old: 0 });
            proven(await real.verify());
            await unchanged();
            await held.goesOn();
        });

        test("a third cluster joins, and leaves", async () => {
            const { stack, config } = THIRD;
            real.lab.configure({ [stack]: config });
            await timed("a third cluster", () => deployMesh({ clusters: [stack], meshes: [] }, real.driver));
            note();
            real.lab.configure({ mesh: { ...meshWith(GATE), clusters: [...CLUSTERS.clusters, stack] } });
            await timed("it joins", async () => {
                await real.up(MESH);
                const { checks } = await real.verify({ only: ["agents", "pairs"] });
                expect(checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
            });
            await held.goesOn();

            real.lab.configure({ mesh: meshWith(GATE) });
            await timed("it leaves", async () => {
                await real.up(MESH);
                await Promise.all([
                    forgotten(real, stack, CLUSTERS.clusters),
                    ...CLUSTERS.clusters.map((one) => forgotten(real, one, [stack])),
                ]);
            });
            const { pairs } = await real.verify({ only: ["pairs"], nodesPerCluster: 1 });
            expect(pairs).toHaveLength(6);
            for (const { from, to, passed } of pairs) expect(passed, `${from} → ${to}`).toBe(from === stack || to === stack ? 0 : 1);
            await held.goesOn();
        });
    });

    test("destroyed, nothing is left: no host alias after the mesh, nothing of this machine after the lab", async () => {
        await destroyMesh(MESH, real.driver);
        for (const cluster of CLUSTERS.clusters) expect(await hostAliases(cluster)).toMatchObject({ aliases: 0 });
        await destroyMesh({ clusters: [...CLUSTERS.clusters, THIRD.stack], meshes: [] }, real.driver);
        expect(real.lab.aws.remains(ALL_TABLES)).toEqual([]);
        await real.lab.destroy();
        // A cgroup can be removed once the last process in it has been reaped.
        const all = () => left.flatMap((found) => found());
        await until(async () => (all().length === 0 ? true : undefined), 10_000, "something is left").catch(() => {});
        expect(all()).toEqual([]);
    });
});

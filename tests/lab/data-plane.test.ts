import { dirname } from "node:path";
import { AppsV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh, destroyMesh, previewMesh, type Stacks } from "../../cli/driver.ts";
import { allPassed, type VerifyReport } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { ALL_TABLES } from "../../lab/aws/aws.ts";
import { until } from "../../lab/until.ts";
import { blockedFrom, killIn, propagates, replaceReplica, replicas, scaleTo } from "./disturbances.ts";
import { BUILD_TIMEOUT } from "./harness.ts";
import { type HeldConnection, holdConnection } from "./held-connection.ts";
import { noteTraces } from "./leftovers.ts";
import {
    type Fault,
    NO_INGRESS,
    NO_ROUTE,
    OTHER_CA,
    OTHER_CLIENT_CA,
    SOURCE_NAT,
    UNKNOWN_USER,
    type Victim,
    WRONG_ALIAS,
} from "./mesh-faults.ts";
import { ALL, CLUSTERS, clusterStacks, MESH, meshWith, type RealLab, restartAgents, startRealLab, whyNoRealLab } from "./real-lab.ts";

/** The bound for the mesh without one of its etcds. */
const RECOVERY_SECONDS = 15;

describe.skipIf(await whyNoRealLab())("real agents over real packets", { timeout: 300_000 }, () => {
    let real: RealLab;
    let held: HeldConnection;
    let left: () => string[];

    beforeAll(async () => {
        real = await startRealLab();
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    /** Seconds that something took, told. */
    const timed = async (what: string, work: () => Promise<unknown>): Promise<number> => {
        const start = performance.now();
        await work();
        const seconds = (performance.now() - start) / 1000;
        console.log(`${what}: ${seconds.toFixed(1)} s`);
        return seconds;
    };
    const proven = (report: VerifyReport) => {
        if (!allPassed(report)) console.log(reportTable(report));
        expect(allPassed(report)).toBe(true);
    };
    const unchanged = async () => {
        for (const [stack, { same: _, read: __, ...changes }] of await previewMesh(ALL, real.driver)) expect(changes, stack).toEqual({});
    };
    /** Of the nodes of a cluster, in the order in which they came: the first are the first to go. */
    const node = async (cluster: string, index: number) => {
        const { items } = await real.core(cluster).listNode();
        const first = (one: (typeof items)[number]) => Number(one.metadata?.creationTimestamp ?? 0);
        return items.toSorted((a, b) => first(a) - first(b))[index]?.metadata?.name ?? "";
    };

    test("before the mesh stack all pairs of pods are closed", async () => {
        await timed("both clusters", () => deployMesh(CLUSTERS, real.driver));
        const id = real.lab.dataPlane.network?.namespaceOf("").replace(/-$/, "") ?? "";
        left = noteTraces(dirname(real.lab.project), id);
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
        const [from, to] = await Promise.all(CLUSTERS.clusters.map(async (cluster) => ({ cluster, node: await node(cluster, 1) })));
        if (!from || !to) throw new Error("there are no two clusters");
        held = await holdConnection(real, from, to);
    });

    describe("what is broken by hand is named by verify, with whom and why, and put back by a refresh and `up`:", () => {
        /** With the cluster in which it is made. Two at once where neither gets in the other's way: each costs a restart of agents. */
        const faults: [string, [Fault, string][], Stacks][] = [
            ["source NAT switched on", [[SOURCE_NAT, "cluster1"]], { clusters: ["cluster1"], meshes: [] }],
            ["a route taken away", [[NO_ROUTE, "cluster1"]], MESH],
            ["an ingress rule taken away", [[NO_INGRESS, "cluster1"]], MESH],
            [
                "another cluster's CA in one, a client certificate for a user whom etcd does not know in the other",
                [
                    [OTHER_CA, "cluster1"],
                    [UNKNOWN_USER, "cluster2"],
                ],
                MESH,
            ],
            [
                "a host alias with a wrong address in one, a client certificate of another CA in the other",
                [
                    [WRONG_ALIAS, "cluster1"],
                    [OTHER_CLIENT_CA, "cluster2"],
                ],
                MESH,
            ],
        ];

        test.each(faults)("%s", async (name, made, stacks) => {
            const victims = await Promise.all(
                made.map(async ([fault, cluster]) => {
                    const peer = cluster === "cluster1" ? "cluster2" : "cluster1";
                    const victim: Victim = { cluster, peer, node: await node(cluster, 0) };
                    await fault.make(real, victim);
                    return { fault, victim };
                }),
            );
            await real.lab.dataPlane.network?.settled();
            const only = made.map(([{ check }]) => check);
            const { checks } = await real.verify({ only, settleSeconds: 3 });
            const said = checks
                .filter(({ id }) => only.some((check) => check === id))
                .flatMap(({ findings }) => findings)
                .filter(({ outcome }) => outcome !== "passed");
            const expected = victims.map(({ fault, victim }) => new RegExp(`${fault.subject(victim)}`));
            for (const [index, { fault, victim }] of victims.entries()) {
                const own = said.filter(({ subject }) => expected[index]?.test(subject));
                expect(own.length, name).toBeGreaterThan(0);
                for (const { why } of own) expect(why).toMatch(new RegExp(fault.why(victim)));
            }
            expect(said.filter(({ subject }) => !expected.some((one) => one.test(subject)))).toEqual([]);

            await timed(`${name}, put back`, () => real.putBack(stacks));
            for (const { fault, victim } of victims) await fault.undo?.(real, victim);
            const again = await real.verify({ only });
            expect(again.checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
            await held.goesOn();
        });
    });

    test("the gate restarts an agent that stays behind, twice and no more, says so, and fails; once nothing is in the way, it passes", async () => {
        const behind = await node("cluster1", 0);
        const unblock = await blockedFrom(real, { cluster: "cluster1", node: behind }, "192.168.0.0/16", 2379);
        try {
            const agent = (await real.agents("cluster1")).find(({ node }) => node === behind);
            await real.core("cluster1").deleteNamespacedPod({ name: agent?.pod ?? "", namespace: "kube-system" });
            real.lab.configure({ mesh: meshWith({ timeoutSeconds: 60, healAfterSeconds: 10 }) });
            const said = await real.up(MESH).then(
                () => expect.fail("the gate has passed"),
                (error: AggregateError) => String((error.errors[0] as Error).cause),
            );
            // The engine prints each line several times.
            expect([...new Set(said.match(/cluster1: restarting the agent of .*/g))]).toEqual([
                `cluster1: restarting the agent of ${behind}, which stayed behind for 10 s (1 of 2)`,
                `cluster1: restarting the agent of ${behind}, which stayed behind for 10 s (2 of 2)`,
            ]);
            expect(said).toMatch(new RegExp(`✖ cluster1, agent of ${behind}: cluster2: no connection to its etcd`));
            expect(said).toContain("it was restarted 2 times");
            expect(said).not.toContain("✖ cluster2");
        } finally {
            await unblock();
        }
        await timed("the gate, once nothing is in the way", () => real.up(MESH));
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
            await held.goesOn();
            proven(await real.verify());
            await unchanged();
            const longest = await held.goesOn();
            console.log(`longest time without an answer on the connection: ${longest.toFixed(2)} s`);
        });
    });

    test("destroyed, nothing is left: no host alias after the mesh, nothing of this machine after the lab", async () => {
        await destroyMesh(MESH, real.driver);
        for (const cluster of CLUSTERS.clusters) {
            const { spec } = await real
                .clients()
                .client(cluster, AppsV1Api)
                .readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
            expect(spec?.template.spec?.hostAliases ?? []).toEqual([]);
        }
        await destroyMesh(CLUSTERS, real.driver);
        expect(real.lab.aws.remains(ALL_TABLES)).toEqual([]);
        await real.lab.destroy();
        // A cgroup can be removed once the last process in it has been reaped.
        await until(async () => (left().length === 0 ? true : undefined), 10_000, "something is left").catch(() => {});
        expect(left()).toEqual([]);
    });
});

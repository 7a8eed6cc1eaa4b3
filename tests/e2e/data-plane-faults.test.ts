import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh, type Stacks } from "../../cli/engine/driver.ts";
import { BUILD_TIMEOUT } from "../../packages/lab/tests/harness.ts";
import { blockTraffic } from "./disturbances.ts";
import { type HeldConnection, holdConnection } from "./held-connection.ts";
import type { FaultTarget } from "./material.ts";
import {
    type Fault,
    NO_INGRESS,
    NO_ROUTE,
    OTHER_CA,
    OTHER_CLIENT_CA,
    PEERS_ID,
    SOURCE_NAT,
    UNKNOWN_USER,
    UNUSED_ID,
    WRONG_ALIAS,
    WRONG_SERVER_NAME,
} from "./mesh-faults.ts";
import { ALL, MESH, meshWith, nodeOf, type RealLab, startRealLab, timed, whyNoRealLab } from "./real-lab.ts";

/** Faults with the clusters they are injected into, and the stacks whose `up` restores them. Independent faults run together, as each restarts agents. */
const FAULTS: [string, [Fault, string][], Stacks][] = [
    [
        "source NAT on in one cluster, an agent with an unused cluster id in the other",
        [
            [SOURCE_NAT, "cluster1"],
            [UNUSED_ID, "cluster2"],
        ],
        { clusters: ["cluster1"], meshes: [] },
    ],
    [
        "an etcd server certificate without its mesh host name, an agent with the peer's cluster id",
        [
            [WRONG_SERVER_NAME, "cluster1"],
            [PEERS_ID, "cluster2"],
        ],
        { clusters: ["cluster2"], meshes: [] },
    ],
    ["a deleted route", [[NO_ROUTE, "cluster1"]], MESH],
    ["a revoked ingress rule", [[NO_INGRESS, "cluster1"]], MESH],
    [
        "the wrong CA for the peer in one cluster, a client certificate for an unknown etcd user in the other",
        [
            [OTHER_CA, "cluster1"],
            [UNKNOWN_USER, "cluster2"],
        ],
        MESH,
    ],
    [
        "a host alias with a wrong address in one cluster, a client certificate from the wrong CA in the other",
        [
            [WRONG_ALIAS, "cluster1"],
            [OTHER_CLIENT_CA, "cluster2"],
        ],
        MESH,
    ],
];

describe.skipIf(await whyNoRealLab())("faults in a mesh of real agents", { timeout: 300_000 }, () => {
    let real: RealLab;
    let held: HeldConnection;

    beforeAll(async () => {
        real = await startRealLab();
        await deployMesh(ALL, real.driver);
        held = await holdConnection(real, "cluster1", "cluster2");
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    test.each(FAULTS)("%s: verify reports subject and reason, and `up` with a refresh fixes it", async (name, faults, stacks) => {
        const targets = await Promise.all(
            faults.map(async ([fault, cluster]) => {
                const peer = cluster === "cluster1" ? "cluster2" : "cluster1";
                const target: FaultTarget = { cluster, peer, node: await nodeOf(real, cluster, 0) };
                await fault.make(real, target);
                return { fault, target };
            }),
        );
        const checkIds = faults.map(([{ check }]) => check);
        try {
            await real.lab.dataPlane.network?.settled();
            const { checks } = await real.verify({ only: checkIds, settleSeconds: 3 });
            const failures = checks
                .filter(({ id }) => checkIds.some((check) => check === id))
                .flatMap(({ findings }) => findings)
                .filter(({ outcome }) => outcome !== "passed");
            const expected = targets.map(({ fault, target }) => new RegExp(`${fault.subject(target)}`));
            for (const [index, { fault, target }] of targets.entries()) {
                const ownFailures = failures.filter(({ subject }) => expected[index]?.test(subject));
                expect(ownFailures.length, name).toBeGreaterThan(0);
                for (const { why } of ownFailures) expect(why).toMatch(new RegExp(fault.why(target)));
            }
            expect(failures.filter(({ subject }) => !expected.some((subjectPattern) => subjectPattern.test(subject)))).toEqual([]);
        } finally {
            // Even after a failed assertion, so that the next faults are the only ones.
            await timed(`${name}, fixed`, () => real.upWithRefresh(stacks));
            for (const { fault, target } of targets) await fault.undo?.(real, target);
        }
        const again = await real.verify({ only: checkIds });
        expect(again.checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
        await held.assertOpen();
    });

    test("the gate restarts a lagging agent at most twice, logs each restart, and fails; it passes once the traffic is unblocked", async () => {
        const behind = await nodeOf(real, "cluster1", 0);
        const unblock = await blockTraffic(real, { cluster: "cluster1", node: behind }, "192.168.0.0/16", 2379);
        try {
            const agent = (await real.agents("cluster1")).find(({ node }) => node === behind);
            await real.core("cluster1").deleteNamespacedPod({ name: agent?.pod ?? "", namespace: "kube-system" });
            real.lab.configure({ mesh: meshWith({ timeoutSeconds: 60, healAfterSeconds: 10 }) });
            const output = await real.up(MESH).then(
                () => expect.fail("the gate passed"),
                (error: AggregateError) => String((error.errors[0] as Error).cause),
            );
            // The engine prints each line several times.
            expect([...new Set(output.match(/cluster1: restarting the agent on .*/g))]).toEqual([
                `cluster1: restarting the agent on ${behind}, behind for 10 s (restart 1 of 2)`,
                `cluster1: restarting the agent on ${behind}, behind for 10 s (restart 2 of 2)`,
            ]);
            expect(output).toMatch(new RegExp(`✖ cluster1, agent on ${behind}: cluster2: no connection to its etcd`));
            expect(output).toContain("the agent was restarted 2 times");
            expect(output).not.toContain("✖ cluster2");
        } finally {
            await unblock();
        }
        await timed("the gate, once the traffic is unblocked", () => real.up(MESH));
        await held.assertOpen();
    });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployMesh, type Stacks } from "../../cli/engine/driver.ts";
import { BUILD_TIMEOUT } from "../../packages/lab/tests/harness.ts";
import { blockedFrom } from "./disturbances.ts";
import { type HeldConnection, holdConnection } from "./held-connection.ts";
import type { Victim } from "./material.ts";
import {
    type Fault,
    NO_INGRESS,
    NO_ROUTE,
    NOBODYS_ID,
    OTHER_CA,
    OTHER_CLIENT_CA,
    PEERS_ID,
    SOURCE_NAT,
    UNKNOWN_USER,
    WRONG_ALIAS,
    WRONG_SERVER_NAME,
} from "./mesh-faults.ts";
import { ALL, MESH, meshWith, nodeOf, type RealLab, startRealLab, timed, whyNoRealLab } from "./real-lab.ts";

/** With the cluster in which it is made. Two at once where neither gets in the other's way: each costs a restart of agents. */
const FAULTS: [string, [Fault, string][], Stacks][] = [
    [
        "source NAT switched on in one, an agent with an id that nobody has in the other",
        [
            [SOURCE_NAT, "cluster1"],
            [NOBODYS_ID, "cluster2"],
        ],
        { clusters: ["cluster1"], meshes: [] },
    ],
    [
        "a server certificate of one without its name in the mesh, an agent of it with the other's id",
        [
            [WRONG_SERVER_NAME, "cluster1"],
            [PEERS_ID, "cluster2"],
        ],
        { clusters: ["cluster2"], meshes: [] },
    ],
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

describe.skipIf(await whyNoRealLab())("what is broken on a mesh of real agents", { timeout: 300_000 }, () => {
    let real: RealLab;
    let held: HeldConnection;

    beforeAll(async () => {
        real = await startRealLab();
        await deployMesh(ALL, real.driver);
        held = await holdConnection(real, "cluster1", "cluster2");
    }, BUILD_TIMEOUT);
    afterAll(() => real?.lab.destroy(), 120_000);

    test.each(FAULTS)("%s: named by verify, with whom and why, and put back by `up` with a refresh", async (name, made, stacks) => {
        const victims = await Promise.all(
            made.map(async ([fault, cluster]) => {
                const peer = cluster === "cluster1" ? "cluster2" : "cluster1";
                const victim: Victim = { cluster, peer, node: await nodeOf(real, cluster, 0) };
                await fault.make(real, victim);
                return { fault, victim };
            }),
        );
        const only = made.map(([{ check }]) => check);
        try {
            await real.lab.dataPlane.network?.settled();
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
        } finally {
            // Whatever was said: the next fault must be the only one.
            await timed(`${name}, put back`, () => real.putBack(stacks));
            for (const { fault, victim } of victims) await fault.undo?.(real, victim);
        }
        const again = await real.verify({ only });
        expect(again.checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome !== "passed")).toEqual([]);
        await held.goesOn();
    });

    test("the gate restarts an agent that stays behind, twice and no more, says so, and fails; once nothing is in the way, it passes", async () => {
        const behind = await nodeOf(real, "cluster1", 0);
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
            expect([...new Set(said.match(/cluster1: restarting the agent on .*/g))]).toEqual([
                `cluster1: restarting the agent on ${behind}, behind for 10 s (restart 1 of 2)`,
                `cluster1: restarting the agent on ${behind}, behind for 10 s (restart 2 of 2)`,
            ]);
            expect(said).toMatch(new RegExp(`✖ cluster1, agent on ${behind}: cluster2: no connection to its etcd`));
            expect(said).toContain("the agent was restarted 2 times");
            expect(said).not.toContain("✖ cluster2");
        } finally {
            await unblock();
        }
        await timed("the gate, once nothing is in the way", () => real.up(MESH));
        await held.goesOn();
    });
});

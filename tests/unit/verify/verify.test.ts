import fc from "fast-check";
import { expect, test } from "vitest";
import { allPassed, CHECKS, type Finding, VerifyReport } from "../../../core/verify/report.ts";
import { reportTable } from "../../../core/verify/table.ts";
import { failures, fakeMesh, NAMESPACE, remote, TIMED_OUT } from "./fake.ts";
import { FAULTS } from "./faults.ts";

test("verifies a mesh without faults, with findings in every check, and leaves nothing behind", async () => {
    const { run, namespaces, lines } = fakeMesh(2);
    const report = await run();
    expect(allPassed(report)).toBe(true);
    expect(report.checks.map(({ id }) => id).toSorted()).toEqual(Object.keys(CHECKS).toSorted());
    expect(VerifyReport.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(namespaces).toEqual(new Set());
    expect(lines).toMatchInlineSnapshot(`
      [
        "c1: removed clustermesh-verify-old, left behind by an earlier run",
        "0 s  every agent sees every other cluster ready and synced: 4 of 4",
        "0 s  every agent's node list has every node of every cluster: 4 of 4",
        "0 s  test pods start: 6 of 6",
        "0 s  pods reach pods of every other cluster by IP, without source NAT: 8 of 8",
        "0 s  large requests and answers pass between clusters: 8 of 8",
        "0 s  a global service is answered by every cluster, from every cluster: 4 of 4",
        "0 s  a global service with local affinity is answered by the local cluster only: 4 of 4",
        "0 s  clients fail over to other clusters while their own has no backends: 4 of 4",
        "0 s  a network policy on the peer's cluster name drops and allows traffic: 8 of 8",
        "0 s  test pods are removed: 2 of 2",
      ]
    `);
    expect(reportTable(report)).toMatchInlineSnapshot(`
      "node lists
        cluster  agents with a complete list  nodes
        c1       2 of 2                       4
        c2       2 of 2                       4

      agents that see the peer ready
        from \\ to  c1      c2
        c1         -       2 of 2
        c2         2 of 2  -

      pods by IP: round trip, or node pairs that passed
        from \\ to  c1       c2
        c1         -        0.40 ms
        c2         0.40 ms  -

      services: answers by cluster, for the clients in each cluster
        cluster  service         c1  c2
        c1       global          20  20
        c2       global          20  20
        c1       local affinity  40  0
        c2       local affinity  0   40

      checks
        ✓  every agent sees every other cluster ready and synced                       4 of 4  0.0 s
        ✓  every agent's node list has every node of every cluster                     4 of 4  0.0 s
        ✓  test pods start                                                             6 of 6  0.0 s
        ✓  pods reach pods of every other cluster by IP, without source NAT            8 of 8  0.0 s
        ✓  large requests and answers pass between clusters                            8 of 8  0.0 s
        ✓  a global service is answered by every cluster, from every cluster           4 of 4  0.0 s
        ✓  a global service with local affinity is answered by the local cluster only  4 of 4  0.0 s
        ✓  clients fail over to other clusters while their own has no backends         4 of 4  0.0 s
        ✓  a network policy on the peer's cluster name drops and allows traffic        8 of 8  0.0 s
        ✓  test pods are removed                                                       2 of 2  0.0 s

      mesh verified: c1, c2, in 0.0 s"
    `);
});

test("tests each cluster as client, as server and without backends, for any number of clusters", async () => {
    await fc.assert(
        fc.asyncProperty(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 2 }), async (count, nodesPerCluster) => {
            const { run } = fakeMesh(count);
            const report = await run({ nodesPerCluster });
            expect(allPassed(report)).toBe(true);
            const findings = (id: string) => report.checks.find((check) => check.id === id)?.findings.length;
            const pairs = count * (count - 1);
            expect(findings("pairs")).toBe(pairs * nodesPerCluster ** 2);
            expect(report.pairs).toHaveLength(pairs);
            expect(findings("global")).toBe(count * nodesPerCluster);
            expect(findings("failover")).toBe(2 * count);
            expect(findings("policy")).toBe(2 * count ** 2);
        }),
        { numRuns: 12 },
    );
});

test.each(FAULTS)("reports %s, with subject and reason, and no other failure", async (_, faults, expected) => {
    const { run, namespaces } = fakeMesh(2, faults);
    const report = await run();
    const failed = Object.fromEntries(
        report.checks.flatMap(({ id }) => {
            const lines = failures(report, id);
            return lines.length > 0 ? [[id, lines]] : [];
        }),
    );
    expect(failed).toEqual(expected);
    expect(allPassed(report)).toBe(false);
    expect(namespaces).toEqual(new Set());
    expect(reportTable(report)).toContain("mesh NOT verified");
});

test("waits for what comes late, and passes", async () => {
    const { run } = fakeMesh(2, {
        status: (_, __, seconds) => JSON.stringify({ "cluster-mesh": { clusters: seconds < 10 ? [] : [remote("c1"), remote("c2")] } }),
        nodeList: (_, __, seconds) =>
            JSON.stringify(["c1/n1", "c1/n2", "c2/n1", ...(seconds < 20 ? [] : ["c2/n2"])].map((name) => ({ name }))),
        identity: (client, server, seconds) => (client.cluster === server.cluster || seconds > 30 ? client.cluster : "unknown"),
        service: (_, __, ___, seconds) => (seconds < 25 ? ["c1"] : undefined),
    });
    const report = await run();
    expect(report.checks.flatMap(({ id }) => failures(report, id))).toEqual([]);
    expect(allPassed(report)).toBe(true);
    expect(report.seconds).toBeGreaterThan(20);
    expect(report.seconds).toBeLessThan(60);
});

test("no wait exceeds its limit", async () => {
    const { run } = fakeMesh(3, { status: () => "{}", service: () => [], stuck: (cluster) => (cluster === "c3" ? "Pending" : undefined) });
    const report = await run({ settleSeconds: 10, startSeconds: 20 });
    // Agents and pods are waited for in parallel; then both services, two rounds of failover and back.
    expect(report.seconds).toBeLessThan(20 + 10 + 4 * 10 + 20);
    expect(allPassed(report)).toBe(false);
});

test.each(["nodeList", "createNamespace", "apply", "pods", "probe", "apply CiliumNetworkPolicy"])(
    "an abort at %s ends the run, and nothing is left behind",
    async (call) => {
        const { run, namespaces, calls } = fakeMesh(3, { abortAt: call });
        await expect(run()).rejects.toThrow("stopped by hand");
        expect(namespaces).toEqual(new Set());
        expect(calls.filter((call) => call.startsWith("removeNamespace"))).toHaveLength(3);
        expect(calls.findIndex((call) => call.startsWith("removeNamespace"))).toBe(calls.length - 3);
    },
);

test("a namespace that is not removed fails the run, with the command that removes it", async () => {
    const { run } = fakeMesh(2, {
        fails: (call, cluster) => (call === "removeNamespace" && cluster === "c2" ? "still exists after 120 s" : undefined),
    });
    const report = await run();
    expect(allPassed(report)).toBe(false);
    expect(report.checks.at(-1)).toMatchObject({
        id: "cleanup",
        findings: [
            { subject: "c1", outcome: "passed" },
            { subject: "c2", outcome: "failed", why: "still exists after 120 s", next: `in c2: kubectl delete namespace ${NAMESPACE}` },
        ],
    });
});

test("single parts: agents create nothing; pairs fail while all paths are closed", async () => {
    const agents = fakeMesh(2);
    const report = await agents.run({ only: ["agents"] });
    expect(reportTable(report)).toContain("checks passed (not run: pods, pairs, large, global, affinity, failover, policy, cleanup)");
    expect(allPassed(report)).toBe(true);
    expect(report.checks.map(({ id }) => id)).toEqual(["agents", "nodes"]);
    expect(agents.calls.filter((call) => /createNamespace|apply|probe|remove/.test(call))).toEqual([]);

    const closed = await fakeMesh(2, { status: () => "{}", route: () => TIMED_OUT }).run({ only: ["pairs"] });
    expect(closed.checks.map(({ id }) => id)).toEqual(["pods", "pairs", "large", "cleanup"]);
    expect(closed.pairs.map(({ passed, tried }) => [passed, tried])).toEqual([
        [0, 4],
        [0, 4],
    ]);
    expect(closed.checks.find(({ id }) => id === "large")?.findings.map(({ outcome }) => outcome)).toEqual(Array(8).fill("skipped"));
    expect(allPassed(closed)).toBe(false);
});

test("the number of commands in pods does not grow with the square of the nodes", async () => {
    const probes = async (nodes: number) => {
        const { run, calls } = fakeMesh(3, { nodes: () => Array.from({ length: nodes }, (_, i) => `n${i + 1}`) });
        expect(allPassed(await run({ nodesPerCluster: 3 }))).toBe(true);
        return calls.filter((call) => call.startsWith("probe")).length;
    };
    expect(await probes(40)).toBe(await probes(3));
});

test("skips checks that need a cluster's test pods when they do not start, and runs the others", async () => {
    const { run } = fakeMesh(3, { stuck: (cluster) => (cluster === "c3" ? "Pending" : undefined) });
    const report = await run();
    const skipped = (id: string) =>
        report.checks
            .find((check) => check.id === id)
            ?.findings.flatMap(({ subject, outcome }) => (outcome === "skipped" ? [subject] : []));
    for (const id of ["pairs", "large"]) expect(skipped(id)).toEqual(["c1 → c3", "c2 → c3", "c3 → c1", "c3 → c2"]);
    for (const id of ["global", "affinity", "failover", "policy"]) expect(skipped(id)).toEqual(["c3"]);
    expect(report.pairs.map(({ passed }) => passed)).toEqual([4, 0, 4, 0, 0, 0]);
    expect(report.checks.flatMap(({ id, findings }) => (findings.some(({ outcome }) => outcome === "failed") ? [id] : []))).toEqual([
        "pods",
    ]);
});

test("refuses a single cluster", async () => {
    await expect(fakeMesh(1).run()).rejects.toThrow("verify needs a mesh of at least two clusters; got 1");
});

test("a check without findings does not pass", () => {
    const passed = { subject: "c1", tried: "x", outcome: "passed" as const };
    const check = (findings: Finding[]) => ({ checks: [{ id: "pairs" as const, title: "", seconds: 0, findings }] });
    expect(allPassed(check([passed]))).toBe(true);
    expect(allPassed(check([]))).toBe(false);
    expect(allPassed({ checks: [] })).toBe(false);
    expect(allPassed(check([passed, { ...passed, outcome: "skipped" }]))).toBe(false);
});

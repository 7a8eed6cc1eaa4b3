import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Evidence, NOT_FETCHED } from "../../../core/doctor/evidence.ts";
import { StatusReport, statusReport, statusText } from "../../../core/doctor/status.ts";

const RECORDED = readFileSync(new URL("../recorded/healthy-mesh.json", import.meta.url), "utf8");
const recorded = (change: (evidence: Evidence) => void = () => {}) => {
    const evidence = Evidence.parse(JSON.parse(RECORDED));
    change(evidence);
    return StatusReport.parse(statusReport(evidence));
};

test("prints one line per cluster, other stack and pair", () => {
    expect(statusText(recorded())).toMatchInlineSnapshot(`
      "cluster   last operation    agents ready  apiserver  load balancer           certificates
      cluster1  update succeeded  3 of 3        2 of 2     active, 3 of 3 healthy  364 days
      cluster2  update succeeded  3 of 3        2 of 2     active, 3 of 3 healthy  364 days
      mesh      update succeeded

      pair                 agents that see the other  link
      cluster1 ↔ cluster2  3 of 3 → ← 3 of 3          peering active"
    `);
});

test("evidence that status does not fetch is not a problem", () => {
    const report = recorded(({ clusters }) => {
        for (const { kubernetes, aws } of clusters) {
            for (const part of ["vpcCni", "pods", "peers", "remoteUsers"] as const) kubernetes[part] = NOT_FETCHED;
            for (const name of Object.keys(kubernetes.material)) kubernetes.material[name] = NOT_FETCHED;
            for (const part of ["routes", "rules"] as const) aws[part] = NOT_FETCHED;
        }
    });
    expect(report).toEqual(recorded());
    expect(report.problems).toEqual([]);
});

test("counts and reports agents that are behind, and shows unknown counts as ?", () => {
    const report = recorded(({ stacks, clusters }) => {
        const [cluster1, cluster2] = clusters;
        if (!cluster1 || !cluster2 || !("value" in cluster1.kubernetes.agents)) throw new Error("the record has no agents");
        Object.assign(stacks[2] ?? {}, { last: { kind: "update", result: "failed", at: "2026-11-25T08:00:00.000Z" } });
        Object.assign(cluster1.kubernetes.agents.value[0] ?? {}, { lagging: { value: [{ peer: "cluster2", why: "not configured" }] } });
        Object.assign(cluster1.aws, { balancer: { value: null }, connections: { value: {} } });
        cluster2.kubernetes.agents = { unknown: "connect ECONNREFUSED" };
        cluster2.kubernetes.daemonSet = { unknown: "connect ECONNREFUSED" };
        cluster2.aws.connections = { unknown: "ExpiredToken" };
    });
    expect(report.pairs).toEqual([{ a: "cluster1", b: "cluster2", aSeesB: { ready: 2, all: 3 }, bSeesA: null, link: "peering gone" }]);
    expect(statusText(report)).toMatchInlineSnapshot(`
      "cluster   last operation    agents ready  apiserver  load balancer           certificates
      cluster1  update succeeded  3 of 3        2 of 2     gone, 0 of 0 healthy    364 days
      cluster2  update succeeded  ?             2 of 2     active, 3 of 3 healthy  364 days
      mesh      update failed

      pair                 agents that see the other  link
      cluster1 ↔ cluster2  2 of 3 → ← ?               peering gone

      ✖ mesh: the last update ended with "failed" on 2026-11-25T08:00:00.000Z
      ✖ cluster2: connect ECONNREFUSED
      ✖ cluster2: ExpiredToken
      ✖ cluster1 ↔ cluster2: peering pcx-0cf942d3b87ef0153 is gone, not active
      ✖ cluster1: no load balancer has the security group sg-0c7be10336c5c60cc
      ✖ cluster1 → cluster2: 1 of 3 agents: not configured (ip-10-248-0-4.eu-central-1.compute.internal)
      run \`npx clustermesh doctor\` for causes and fixes"
    `);
});

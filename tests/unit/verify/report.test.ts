import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeXml } from "../../../core/text/xml.ts";
import { reportJunit } from "../../../core/verify/junit.ts";
import type { VerifyReport } from "../../../core/verify/report.ts";
import { reportTable } from "../../../core/verify/table.ts";
import { fakeMesh, TIMED_OUT } from "./fake.ts";

const report: VerifyReport = {
    version: 1,
    startedAt: "2026-01-02T03:04:05.000Z",
    seconds: 12.3,
    clusters: ["c1", "c2"],
    readiness: [],
    nodeLists: [],
    pairs: [],
    services: [],
    checks: [
        {
            id: "pairs",
            title: 'pods & "pairs"',
            seconds: 1.5,
            findings: [
                { subject: "c1/n1 → c2/n1", tried: "GET", outcome: "passed" },
                { subject: "c1/n1 → c2/n2", tried: "GET", outcome: "failed", why: "no <answer>\n\u001b[31mred", next: "a && b" },
                { subject: "c2 → c1", tried: "GET", outcome: "skipped", why: "no pods" },
            ],
        },
    ],
};

test("JUnit: one suite per check, one case per finding, everything escaped", () => {
    expect(reportJunit(report)).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="clustermesh verify" tests="3" failures="1" skipped="1" time="12.300"><testsuite name="pods &amp; &quot;pairs&quot;" tests="3" failures="1" errors="0" skipped="1" time="1.500" timestamp="2026-01-02T03:04:05.000Z"><testcase classname="verify.pairs" name="c1/n1 → c2/n1: GET"/>
      <testcase classname="verify.pairs" name="c1/n1 → c2/n2: GET"><failure message="no &lt;answer&gt;&#10;�[31mred">no &lt;answer&gt;&#10;�[31mred&#10;next: a &amp;&amp; b</failure>
      </testcase>
      <testcase classname="verify.pairs" name="c2 → c1: GET"><skipped message="no pods"/>
      </testcase>
      </testsuite>
      </testsuites>
      "
    `);
});

test("escaping keeps every text that XML can represent, and no text breaks out of an attribute or element", () => {
    fc.assert(
        fc.property(fc.string({ unit: "binary" }), (text) => {
            const escaped = escapeXml(text);
            expect(escaped).toMatch(/^[^<>"\n\t]*$/);
            expect(escaped.replaceAll(/&(amp|lt|gt|quot|#10|#9);/g, "")).not.toContain("&");
            const back = escaped.replaceAll(/&(\w+|#\d+);/g, (_, name: string) => BACK[name] ?? "?");
            const writable = text.toWellFormed().replaceAll(/[^\t\n\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD");
            expect(back).toBe(writable);
        }),
    );
});

const BACK: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#10": "\n", "#9": "\t" };

test("the table prints a reason that several pairs share only once", async () => {
    const { run } = fakeMesh(3, {
        route: ({ cluster }, { cluster: to, role }) => (role === "probe" && cluster !== "c3" && to !== "c3" ? TIMED_OUT : undefined),
    });
    const table = reportTable(await run());
    expect(table.slice(table.indexOf("pods by IP"), table.indexOf("services:"))).toMatchInlineSnapshot(`
      "pods by IP: round trip, or node pairs that passed
        from \\ to  c1       c2       c3
        c1         -        0 of 4   0.40 ms
        c2         0 of 4   -        0.40 ms
        c3         0.40 ms  0.40 ms  -

      "
    `);
    expect(table.slice(table.indexOf("failed: "))).toMatchInlineSnapshot(`
      "failed: pods reach pods of every other cluster by IP, without source NAT
        ✖ c1/n1 → c2/n1 (and 3 more like it): no connection within 3 s, and the reverse path fails too: a route, the peering or an ingress rule is missing
          tried: GET 10.2.1.1:8080/clientip by IP
          next: npx clustermesh up --refresh restores routes and security group rules; in c2: kubectl -n kube-system exec $(kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=n1 -o name) -c cilium-agent -- cilium-dbg monitor --type drop
        ✖ c2/n1 → c1/n1 (and 3 more like it): no connection within 3 s, and the reverse path fails too: a route, the peering or an ingress rule is missing
          tried: GET 10.1.1.1:8080/clientip by IP
          next: npx clustermesh up --refresh restores routes and security group rules; in c1: kubectl -n kube-system exec $(kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=n1 -o name) -c cilium-agent -- cilium-dbg monitor --type drop

      mesh NOT verified: c1, c2, c3, in 0.0 s"
    `);
});

test("counts the failures that it does not print", () => {
    const [check] = report.checks;
    if (!check) throw new Error("no check");
    const findings = Array.from({ length: 9 }, (_, i) => ({
        subject: `c${i} → c9`,
        tried: "GET",
        outcome: "failed" as const,
        why: "lost",
    }));
    expect(reportTable({ ...report, checks: [{ ...check, findings }] })).toContain("  ... and 4 more");
});

import { z } from "zod";

/** What `verify` checks, in this order. */
export const CHECKS = {
    agents: "every agent sees every other cluster ready and synced",
    nodes: "every agent's node list has every node of every cluster",
    pods: "test pods start",
    pairs: "pods reach pods of every other cluster by IP, without source NAT",
    large: "large requests and answers pass between clusters",
    global: "a global service is answered by every cluster, from every cluster",
    affinity: "a global service with local affinity is answered by the local cluster only",
    failover: "clients fail over to other clusters while their own has no backends",
    policy: "a network policy on the peer's cluster name drops and allows traffic",
    cleanup: "test pods are removed",
} as const;

/** Parts of verify that can be run separately. All but `agents` start test pods. */
export const PARTS = ["agents", "pairs", "services", "failover", "policy"] as const;
export type Part = (typeof PARTS)[number];

const CheckId = z.enum(Object.keys(CHECKS) as [keyof typeof CHECKS]);

const Finding = z.strictObject({
    /** What the finding is about: "c1/node-a", "c1/node-a → c2/node-b", "c1". */
    subject: z.string(),
    /** What was tested. */
    tried: z.string(),
    /** Skipped: something it depends on failed, which has a finding of its own. */
    outcome: z.enum(["passed", "failed", "skipped"]),
    /** Reason, if it failed or was skipped. */
    why: z.string().optional(),
    /** Next step: a command, or where to look. */
    next: z.string().optional(),
});

const Check = z.strictObject({ id: CheckId, title: z.string(), seconds: z.number(), findings: z.array(Finding) });

/** The result of `verify`, as printed by `--json`. `version` increases when a field changes its meaning or is removed. */
export const VerifyReport = z.strictObject({
    version: z.literal(1),
    startedAt: z.iso.datetime(),
    seconds: z.number(),
    clusters: z.array(z.string()),
    checks: z.array(Check),
    /** Agents of `cluster` that see `peer` ready and synced (`ready`), of all nodes that need one (`agents`). */
    readiness: z.array(z.strictObject({ cluster: z.string(), peer: z.string(), ready: z.int(), agents: z.int() })),
    /** Agents whose node list is complete, of all nodes that need one (`agents`). `nodes`: nodes in the whole mesh. */
    nodeLists: z.array(z.strictObject({ cluster: z.string(), complete: z.int(), agents: z.int(), nodes: z.int() })),
    /** Ordered pairs of clusters: node pairs that were tested and passed, and the median round trip of a small request; null when none passed. */
    pairs: z.array(
        z.strictObject({
            from: z.string(),
            to: z.string(),
            passed: z.int(),
            tried: z.int(),
            roundTripMilliseconds: z.number().nullable(),
        }),
    ),
    /** Answers to clients in `cluster`, counted by the cluster that answered. */
    services: z.array(z.strictObject({ cluster: z.string(), service: z.string(), answers: z.record(z.string(), z.int()) })),
});

export type CheckId = z.infer<typeof CheckId>;
export type Finding = z.infer<typeof Finding>;
export type Check = z.infer<typeof Check>;
export type VerifyReport = z.infer<typeof VerifyReport>;

/** Whether every check passed. A check without findings proves nothing, so it counts as failed. */
export function allPassed({ checks }: Pick<VerifyReport, "checks">): boolean {
    return (
        checks.length > 0 && checks.every(({ findings }) => findings.length > 0 && findings.every(({ outcome }) => outcome === "passed"))
    );
}

/** Number of findings per outcome. */
export function tally(findings: readonly Finding[]): Record<Finding["outcome"], number> {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const { outcome } of findings) counts[outcome] += 1;
    return counts;
}

import { z } from "zod";

/** What `verify` checks, in the order in which it does. */
export const CHECKS = {
    agents: "every agent sees every other cluster ready and synced",
    nodes: "the node list of every agent holds every node of every cluster",
    pods: "test pods start",
    pairs: "pods reach pods of every other cluster by IP, and their own address arrives",
    large: "large requests and answers pass between the clusters",
    global: "a global service is answered by every cluster, in every cluster",
    affinity: "a global service with local affinity is answered by the own cluster alone",
    failover: "without backends of its own, a cluster is answered by the others",
    policy: "a network policy on the peer's cluster drops, and admits",
    cleanup: "the test pods are gone",
} as const;

/** Parts of verify that can be left out. All but `agents` start test pods. */
export const PARTS = ["agents", "pairs", "services", "failover", "policy"] as const;
export type Part = (typeof PARTS)[number];

const CheckId = z.enum(Object.keys(CHECKS) as [keyof typeof CHECKS]);

const Finding = z.strictObject({
    /** Whom it is about: "c1/node-a", "c1/node-a → c2/node-b", "c1". */
    subject: z.string(),
    /** What was tried or asked. */
    tried: z.string(),
    /** Skipped: what it needs failed already, and that is told elsewhere. */
    outcome: z.enum(["passed", "failed", "skipped"]),
    /** Of what failed and what was skipped. */
    why: z.string().optional(),
    /** What to do next: a command, or where to look. */
    next: z.string().optional(),
});

const Check = z.strictObject({ id: CheckId, title: z.string(), seconds: z.number(), findings: z.array(Finding) });

/** What `verify` found, as it is printed by `--json`. `version` rises when a field changes its meaning or goes away. */
export const VerifyReport = z.strictObject({
    version: z.literal(1),
    startedAt: z.iso.datetime(),
    seconds: z.number(),
    clusters: z.array(z.string()),
    checks: z.array(Check),
    /** How many agents of `cluster` see `peer` ready and synced, of all its nodes. */
    readiness: z.array(z.strictObject({ cluster: z.string(), peer: z.string(), ready: z.int(), agents: z.int() })),
    /** How many agents' node lists hold all `nodes` of the mesh. */
    nodeLists: z.array(z.strictObject({ cluster: z.string(), complete: z.int(), agents: z.int(), nodes: z.int() })),
    /** Ordered pairs of clusters: node pairs that were tried and passed, and the median round trip of a small request, null when none passed. */
    pairs: z.array(
        z.strictObject({
            from: z.string(),
            to: z.string(),
            passed: z.int(),
            tried: z.int(),
            roundTripMilliseconds: z.number().nullable(),
        }),
    ),
    /** Answers to the clients in `cluster`, by the cluster that answered. */
    services: z.array(z.strictObject({ cluster: z.string(), service: z.string(), answers: z.record(z.string(), z.int()) })),
});

export type CheckId = z.infer<typeof CheckId>;
export type Finding = z.infer<typeof Finding>;
export type Check = z.infer<typeof Check>;
export type VerifyReport = z.infer<typeof VerifyReport>;

/** Whether the mesh is proven: nothing failed, and no check came to nothing (one that tried nothing proves nothing). */
export function allPassed({ checks }: Pick<VerifyReport, "checks">): boolean {
    return (
        checks.length > 0 && checks.every(({ findings }) => findings.length > 0 && findings.every(({ outcome }) => outcome === "passed"))
    );
}

/** How many findings had which outcome. */
export function tally(findings: readonly Finding[]): Record<Finding["outcome"], number> {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const { outcome } of findings) counts[outcome] += 1;
    return counts;
}

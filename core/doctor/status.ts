import { z } from "zod";
import { shortStackName } from "../stack-names.ts";
import { columns } from "../text/columns.ts";
import { diagnose } from "./diagnose.ts";
import type { ClusterEvidence, Evidence, Known, MeshEvidence } from "./evidence.ts";
import { carriesPackets, connectionOf } from "./routes.ts";
import { clusterPairs } from "./rule.ts";
import { scopesOf } from "./scope.ts";
import { subjectText } from "./text.ts";

const DAY = 86_400_000;

/** null: unknown. */
const Count = z.strictObject({ ready: z.int(), all: z.int() }).nullable();

/** What status prints with `--json`. `version` increases when a field changes its meaning or is removed. */
export const StatusReport = z.strictObject({
    version: z.literal(1),
    at: z.iso.datetime(),
    /** Result of each stack's last operation: "update succeeded". */
    stacks: z.array(z.strictObject({ stack: z.string(), last: z.string() })),
    clusters: z.array(
        z.strictObject({
            cluster: z.string(),
            stack: z.string(),
            agents: Count,
            /** Of clustermesh-apiserver. */
            replicas: Count,
            /** State of the etcd's load balancer; null: unknown. */
            balancer: z.string().nullable(),
            targets: Count,
            /** Days until the first of the etcd's certificates expires. */
            certificateDays: z.int(),
        }),
    ),
    /** Each pair of clusters of a mesh once. Counts are of agents that see the other cluster ready. */
    pairs: z.array(z.strictObject({ a: z.string(), b: z.string(), aSeesB: Count, bSeesA: Count, link: z.string().nullable() })),
    /** Problems by doctor's ids. `mesh` only where the project has several meshes. */
    problems: z.array(z.strictObject({ id: z.string(), mesh: z.string().optional(), subject: z.string(), found: z.string() })),
});

export type StatusReport = z.infer<typeof StatusReport>;
type Count = z.infer<typeof Count>;

/** The status of all meshes, as far as there is evidence. */
export function statusReport(evidence: Evidence): StatusReport {
    const now = Date.parse(evidence.gatheredAt);
    return {
        version: 1,
        at: evidence.gatheredAt,
        stacks: evidence.stacks.map(({ stack, last, locked }) => ({
            stack,
            last: locked ? "in progress" : last ? `${last.kind} ${last.result}` : "never run",
        })),
        clusters: evidence.clusters.map((cluster) => clusterStatus(cluster, now)),
        pairs: scopesOf(evidence)
            .flatMap(clusterPairs)
            .map(({ mesh, ends: [a, b] }) => ({
                a: a.facts.name,
                b: b.facts.name,
                aSeesB: agentsThatSee(a, b),
                bSeesA: agentsThatSee(b, a),
                link: linkState(mesh, a, b),
            })),
        problems: diagnose(evidence).flatMap(({ id, findings }) =>
            findings.map(({ mesh, subject, found }) => ({ id, ...(mesh !== undefined && { mesh }), subject, found })),
        ),
    };
}

function clusterStatus({ facts, kubernetes, aws }: ClusterEvidence, now: number): StatusReport["clusters"][number] {
    const balancer = value(aws.balancer);
    return {
        cluster: facts.name,
        stack: shortStackName(facts.stack),
        agents: count(value(kubernetes.daemonSet), ({ ready, desired }) => [ready, desired]),
        replicas: count(value(kubernetes.apiserver), ({ ready, replicas }) => [ready, replicas]),
        balancer: balancer === undefined ? null : (balancer?.state ?? "gone"),
        targets: count(balancer, ({ targets }) => [targets.filter(({ state }) => state === "healthy").length, targets.length]),
        certificateDays: Math.floor((Date.parse(facts.etcdCertificatesExpire) - now) / DAY),
    };
}

function value<T>(part: Known<T>): T | undefined {
    return "value" in part ? part.value : undefined;
}

function count<T>(part: T | null | undefined, counts: (part: T) => [number, number]): Count {
    if (part === undefined) return null;
    const [ready, all] = part === null ? [0, 0] : counts(part);
    return { ready, all };
}

function agentsThatSee(from: ClusterEvidence, to: ClusterEvidence): Count {
    const agents = value(from.kubernetes.agents);
    if (!agents) return null;
    const ready = agents.filter(({ lagging }) => value(lagging)?.every(({ peer }) => peer !== to.facts.name));
    const desired = value(from.kubernetes.daemonSet)?.desired ?? 0;
    return { ready: ready.length, all: Math.max(agents.length, desired) };
}

/** "peering active"; for Transit Gateways the worse of the two attachments. */
function linkState(mesh: MeshEvidence, a: ClusterEvidence, b: ClusterEvidence): string | null {
    const states = [
        { cluster: a, id: connectionOf(mesh, a, b) },
        { cluster: b, id: connectionOf(mesh, b, a) },
    ].flatMap(({ cluster, id }) => {
        const known = value(cluster.aws.connections);
        return known ? [known[id ?? ""] ?? "gone"] : [];
    });
    if (states.length === 0) return null;
    return `${mesh.network} ${states.find((state) => !carriesPackets(state)) ?? states[0]}`;
}

/** One line per cluster, other stack and pair, then the problems. */
export function statusText({ stacks, clusters, pairs, problems }: StatusReport): string {
    const last = (name: string) => stacks.find(({ stack }) => stack === name)?.last ?? "";
    const others = stacks.filter(({ stack }) => !clusters.some((cluster) => cluster.stack === stack));
    const clusterRows = [
        ["cluster", "last operation", "agents ready", "apiserver", "load balancer", "certificates"],
        ...clusters.map(({ cluster, stack, agents, replicas, balancer, targets, certificateDays }) => [
            cluster,
            last(stack),
            countText(agents),
            countText(replicas),
            balancer === null ? "?" : `${balancer}, ${countText(targets)} healthy`,
            `${certificateDays} days`,
        ]),
        ...others.map(({ stack, last }) => [stack, last]),
    ];
    const pairRows = [
        ["pair", "agents that see the other", "link"],
        ...pairs.map(({ a, b, aSeesB, bSeesA, link }) => [`${a} ↔ ${b}`, `${countText(aSeesB)} → ← ${countText(bSeesA)}`, link ?? "?"]),
    ];
    return [
        columns(clusterRows),
        ...(pairs.length > 0 ? [columns(pairRows)] : []),
        ...(problems.length > 0
            ? [
                  [
                      ...problems.map((problem) => `✖ ${subjectText(problem)}: ${problem.found}`),
                      "run `npx clustermesh doctor` for causes and fixes",
                  ].join("\n"),
              ]
            : []),
    ].join("\n\n");
}

function countText(count: Count): string {
    return count ? `${count.ready} of ${count.all}` : "?";
}

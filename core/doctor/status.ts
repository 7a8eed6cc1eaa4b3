import { z } from "zod";
import { shortStackName } from "../stack-names.ts";
import { columns } from "../text/columns.ts";
import { diagnose } from "./diagnose.ts";
import type { ClusterEvidence, Evidence, Known } from "./evidence.ts";
import { links } from "./rule.ts";

const DAY = 86_400_000;

/** Of all; null: could not be asked. */
const Count = z.strictObject({ ready: z.int(), all: z.int() }).nullable();

/** What status prints by `--json`. `version` rises when a field changes its meaning or goes away. */
export const StatusReport = z.strictObject({
    version: z.literal(1),
    at: z.iso.datetime(),
    /** How the last operation of each stack ended: "update succeeded". */
    stacks: z.array(z.strictObject({ stack: z.string(), last: z.string() })),
    clusters: z.array(
        z.strictObject({
            cluster: z.string(),
            stack: z.string(),
            agents: Count,
            /** Of clustermesh-apiserver. */
            replicas: Count,
            /** State of the load balancer before its etcd; null as above. */
            balancer: z.string().nullable(),
            targets: Count,
            /** Until the first of the etcd's certificates ends. */
            certificateDays: z.int(),
        }),
    ),
    /** Each two clusters of a mesh once; counts are of the one's agents that see the other ready. */
    pairs: z.array(z.strictObject({ a: z.string(), b: z.string(), aSeesB: Count, bSeesA: Count, link: z.string().nullable() })),
    /** What is not as it should be, by the ids of doctor. */
    problems: z.array(z.strictObject({ id: z.string(), subject: z.string(), found: z.string() })),
});

export type StatusReport = z.infer<typeof StatusReport>;
type Count = z.infer<typeof Count>;

/** How a mesh stands, by as much of the evidence as there is. */
export function statusReport(evidence: Evidence): StatusReport {
    const now = Date.parse(evidence.gatheredAt);
    return {
        version: 1,
        at: evidence.gatheredAt,
        stacks: evidence.stacks.map(({ stack, last, locked }) => ({
            stack,
            last: locked ? "in progress" : last ? `${last.kind} ${last.result}` : "never run",
        })),
        clusters: evidence.clusters.map(({ facts, kubernetes, aws }) => {
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
        }),
        pairs: links(evidence).map(({ mesh, ends: [a, b] }) => ({
            a: a.facts.name,
            b: b.facts.name,
            aSeesB: seeing(a, b),
            bSeesA: seeing(b, a),
            link: linkState(mesh.network, [a, b], mesh.connections),
        })),
        problems: diagnose(evidence).flatMap(({ id, findings }) => findings.map(({ subject, found }) => ({ id, subject, found }))),
    };
}

function value<T>(part: Known<T>): T | undefined {
    return "value" in part ? part.value : undefined;
}

function count<T>(of: T | null | undefined, counts: (of: T) => [number, number]): Count {
    if (of === undefined) return null;
    const [ready, all] = of === null ? [0, 0] : counts(of);
    return { ready, all };
}

function seeing(from: ClusterEvidence, to: ClusterEvidence): Count {
    const agents = value(from.kubernetes.agents);
    if (!agents) return null;
    const well = agents.filter(({ lagging }) => value(lagging)?.every(({ peer }) => peer !== to.facts.name));
    const desired = value(from.kubernetes.daemonSet)?.desired ?? 0;
    return { ready: well.length, all: Math.max(agents.length, desired) };
}

/** "peering active"; of Transit Gateways the worse of the two attachments. */
function linkState(network: string, ends: [ClusterEvidence, ClusterEvidence], connections: Record<string, string>): string | null {
    const [a, b] = ends;
    const pair = connections[`${a.facts.name}.${b.facts.name}`] ?? connections[`${b.facts.name}.${a.facts.name}`] ?? "";
    const states = ends.map(({ facts, aws }) => {
        const known = value(aws.connections);
        return known && (known[network === "peering" ? pair : (connections[facts.region] ?? "")] ?? "gone");
    });
    const seen = states.filter((state) => state !== undefined);
    if (seen.length === 0) return null;
    return `${network} ${seen.find((state) => !["active", "available"].includes(state)) ?? seen[0]}`;
}

/** A line for each stack that is no cluster's, each cluster and each pair; then what is not as it should be. */
export function statusText({ stacks, clusters, pairs, problems }: StatusReport): string {
    const last = (stack: string) => stacks.find((one) => one.stack === stack)?.last ?? "";
    const others = stacks.filter(({ stack }) => !clusters.some((cluster) => cluster.stack === stack));
    const rows = [
        ["cluster", "last operation", "agents ready", "apiserver", "load balancer", "certificates"],
        ...clusters.map(({ cluster, stack, agents, replicas, balancer, targets, certificateDays }) => [
            cluster,
            last(stack),
            of(agents),
            of(replicas),
            balancer === null ? "?" : `${balancer}, ${of(targets)} healthy`,
            `${certificateDays} days`,
        ]),
        ...others.map(({ stack, last }) => [stack, last]),
    ];
    const ways = [
        ["pair", "agents that see the other", "link"],
        ...pairs.map(({ a, b, aSeesB, bSeesA, link }) => [`${a} ↔ ${b}`, `${of(aSeesB)} → ← ${of(bSeesA)}`, link ?? "?"]),
    ];
    return [
        columns(rows),
        ...(pairs.length > 0 ? [columns(ways)] : []),
        ...(problems.length > 0
            ? [
                  [...problems.map(({ subject, found }) => `✖ ${subject}: ${found}`), "clustermesh doctor tells why, and what to do"].join(
                      "\n",
                  ),
              ]
            : []),
    ].join("\n\n");
}

function of(count: Count): string {
    return count ? `${count.ready} of ${count.all}` : "?";
}

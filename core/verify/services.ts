import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import { answeringCluster, backend } from "./objects.ts";
import type { StartedCluster } from "./pods.ts";
import { exchangeError, NO_RESULT } from "./probe.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { deadline, MAX_PARALLEL, nodeAgentCommand, settle, type TestPod, type VerifyContext } from "./testbed.ts";

const TIMEOUT_SECONDS = 3;
/** Probability that a series of requests misses a cluster that does answer. */
const MISS_PROBABILITY = 1e-6;

type Answers = Record<string, number>;
type Kind = "global" | "local";

/** What a client got from both services. */
interface ClientResult {
    client: TestPod;
    global: Series;
    local: Series;
}

interface Series {
    answers: Answers;
    /** Why the series is incomplete. */
    why?: string;
}

/** Every client sends requests to both services until every cluster answers the global one, and only the local cluster the one with affinity. */
export async function checkServices(context: VerifyContext, started: readonly StartedCluster[]) {
    const all = started.map(({ cluster }) => cluster);
    const results = await requestUntil(context, started, ({ client, global, local }) => ({
        global: mismatch(global, all, []),
        local: mismatch(local, [client.cluster], without(context.clusters, [client.cluster])),
    }));
    const absent = without(context.clusters, all);
    const findings = (kind: Kind, tried: string) => [
        ...absent.map((cluster): Finding => ({ subject: cluster, tried, outcome: "skipped", why: "no test pods" })),
        ...results.map(({ result, wrong }): Finding => {
            const subject = `${result.client.cluster}/${result.client.node}`;
            const why = wrong[kind];
            if (why === undefined) return { subject, tried, outcome: "passed" };
            return { subject, tried, outcome: "failed", why, next: serviceList(result.client) };
        }),
    ];
    return {
        global: findings("global", `${requestCount(all.length)} requests to a global service`),
        affinity: findings("local", `${requestCount(all.length)} requests to a global service with service.cilium.io/affinity: local`),
        services: (["global", "local"] as const).flatMap((kind) =>
            all.map((cluster): VerifyReport["services"][number] => ({
                cluster,
                service: kind === "global" ? "global" : "local affinity",
                answers: sum(results.filter(({ result }) => result.client.cluster === cluster).map(({ result }) => result[kind].answers)),
            })),
        ),
    };
}

/**
 * Removes the backends of every second cluster, then those of the other half, so two rounds cover any number of clusters. While a cluster has no backends, the
 * others must answer its clients on both services, and nobody may get an answer from it. Once its backends are back, all must be as before.
 */
export async function checkFailover(context: VerifyContext, started: readonly StartedCluster[]): Promise<Finding[]> {
    const all = started.map(({ cluster }) => cluster);
    const findings = without(context.clusters, all).map((cluster) => skipped(cluster, "no test pods"));
    for (const parity of [0, 1]) {
        const changed = started.filter((_, i) => i % 2 === parity);
        const stopped = changed.map(({ cluster }) => cluster);
        const left = without(all, stopped);
        if (left.length === 0) {
            findings.push(...stopped.map((cluster) => skipped(cluster, "no other cluster has test pods")));
            continue;
        }
        findings.push(
            ...(await failoverRound(context, started, changed, 0, ({ client, global, local }) => {
                const must = left.includes(client.cluster) ? [client.cluster] : left;
                return { global: mismatch(global, left, stopped), local: mismatch(local, must, without(all, must.concat(left))) };
            })),
            ...(await failoverRound(context, started, changed, 1, ({ client, global, local }) => ({
                global: mismatch(global, all, []),
                local: mismatch(local, [client.cluster], without(context.clusters, [client.cluster])),
            }))),
        );
    }
    return findings;
}

const TRIED = { 0: "own backends removed: the other clusters answer", 1: "own backends restored: the cluster answers again" };

function skipped(subject: string, why: string): Finding {
    return { subject, tried: TRIED[0], outcome: "skipped", why };
}

/** Scales the backends of some clusters and checks what all clients get. */
async function failoverRound(
    context: VerifyContext,
    started: readonly StartedCluster[],
    changed: readonly StartedCluster[],
    replicas: 0 | 1,
    wrong: (result: ClientResult) => Record<Kind, string | undefined>,
): Promise<Finding[]> {
    const tried = TRIED[replicas];
    try {
        await Promise.all(changed.map(({ cluster, pods }) => context.testbed.apply(cluster, backend(cluster, replicas, pods))));
    } catch (error) {
        const why = `the backends could not be scaled to ${replicas}: ${explain(error)}`;
        return changed.map(({ cluster }) => ({ subject: cluster, tried, outcome: "failed", why }));
    }
    const results = await requestUntil(context, started, wrong);
    return changed.map(({ cluster }) => {
        const isOwn = ({ result }: (typeof results)[number]) => result.client.cluster === cluster;
        // Its own clients come first. Clients of an unchanged cluster fail because of it too, if they still get answers from it, or none.
        const failed = results
            .filter(({ wrong }) => wrong.global ?? wrong.local)
            .toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)))
            .find((client) => isOwn(client) || !changed.some((other) => other.cluster === client.result.client.cluster));
        if (!failed) return { subject: cluster, tried, outcome: "passed" };
        const { client } = failed.result;
        const service = failed.wrong.global ? "global service" : "global service with local affinity";
        return {
            subject: cluster,
            tried,
            outcome: "failed",
            why: `${service}, requested from ${client.cluster}: ${failed.wrong.global ?? failed.wrong.local}`,
            next: serviceList(client),
        };
    });
}

/** Every client sends requests to both services. Clients with a wrong result repeat them until the time to settle is up. */
async function requestUntil(
    context: VerifyContext,
    started: readonly StartedCluster[],
    wrong: (result: ClientResult) => Record<Kind, string | undefined>,
) {
    const until = deadline(context);
    const clients = started.flatMap(({ probes, global, local }) => probes.map((client) => ({ client, targets: { global, local } })));
    const count = requestCount(started.length);
    return parallel(clients, MAX_PARALLEL, ({ client, targets }) =>
        settle(
            context.clock,
            until,
            async () => {
                const result = await request(context, client, targets, count);
                return { result, wrong: wrong(result) };
            },
            ({ wrong }) => wrong.global === undefined && wrong.local === undefined,
        ),
    );
}

async function request({ testbed }: VerifyContext, client: TestPod, targets: Record<Kind, string>, times: number): Promise<ClientResult> {
    const probe = { path: "/hostname", times, largeBytes: 0, timeoutSeconds: TIMEOUT_SECONDS } as const;
    try {
        const answers = await testbed.probe(client, { ...probe, targets: [targets.global, targets.local] });
        const series = (kind: Kind): Series => {
            const small = answers.find(({ target }) => target === targets[kind])?.small ?? [];
            const failures = small.flatMap((exchange) => exchangeError(exchange, TIMEOUT_SECONDS) ?? []);
            const names = small
                .filter(({ exit, status }) => exit === 0 && status === 200)
                .map(({ body }) => answeringCluster(body) ?? body);
            const [why] = small.length < times && failures.length === 0 ? [NO_RESULT] : failures;
            return { answers: count(names), ...(why ? { why } : {}) };
        };
        return { client, global: series("global"), local: series("local") };
    } catch (error) {
        const none = { answers: {}, why: `probe failed: ${explain(error)}` };
        return { client, global: none, local: none };
    }
}

/** How a series differs from the expected one, with answers from each of `must` and from none of `never`; undefined: it does not. */
function mismatch({ answers, why }: Series, must: readonly string[], never: readonly string[]): string | undefined {
    const [silent, wrong] = [must.filter((name) => !answers[name]), never.filter((name) => answers[name])];
    const parts = [
        ...(why ? [why] : []),
        ...(silent.length > 0 ? [`no answer from ${silent.join(", ")}`] : []),
        ...(wrong.length > 0 ? [`unexpected answers from ${wrong.join(", ")}`] : []),
    ];
    if (parts.length === 0) return undefined;
    const got = Object.entries(answers).map(([cluster, times]) => `${cluster} ${times}`);
    return `${parts.join("; ")} (got: ${got.join(", ") || "nothing"})`;
}

/** Enough requests that a cluster which answers its share is missed once in a million series. */
function requestCount(clusters: number): number {
    return Math.ceil(Math.log(MISS_PROBABILITY) / Math.log(1 - 1 / Math.max(2, clusters)));
}

function serviceList(client: TestPod): string {
    return nodeAgentCommand(client.cluster, client.node, "cilium-dbg service list --clustermesh-affinity");
}

function count(names: readonly string[]): Answers {
    return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, same]) => [name, same.length]));
}

function sum(all: readonly Answers[]): Answers {
    return count(all.flatMap((answers) => Object.entries(answers).flatMap(([name, times]) => Array.from({ length: times }, () => name))));
}

function without(names: readonly string[], others: readonly string[]): string[] {
    return names.filter((name) => !others.includes(name));
}

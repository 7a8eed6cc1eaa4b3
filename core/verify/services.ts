import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import { answeringCluster, backend } from "./objects.ts";
import type { Started } from "./pods.ts";
import { trouble } from "./probe.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { askAgentOf, type Course, deadline, MOST_AT_A_TIME, settle, type TestPod } from "./testbed.ts";

const TIMEOUT_SECONDS = 3;
/** Chance that a cluster which answers is not met in a series. */
const MISSED = 1e-6;

type Answers = Record<string, number>;
type Kind = "global" | "local";

/** What a client got from both services in one series. */
interface Look {
    client: TestPod;
    global: Series;
    local: Series;
}

interface Series {
    answers: Answers;
    /** Why the series is not whole. */
    why?: string;
}

/** Every client asks both services, until every cluster answers the one, and the own cluster alone the other. */
export async function checkServices(course: Course, started: readonly Started[]) {
    const all = started.map(({ cluster }) => cluster);
    const looks = await askUntil(course, started, ({ client, global, local }) => ({
        global: mismatch(global, all, []),
        local: mismatch(local, [client.cluster], without(course.clusters, [client.cluster])),
    }));
    const absent = without(course.clusters, all);
    const findings = (kind: Kind, tried: string) => [
        ...absent.map((cluster): Finding => ({ subject: cluster, tried, outcome: "skipped", why: "it has no test pods" })),
        ...looks.map(({ look, wrong }): Finding => {
            const subject = `${look.client.cluster}/${look.client.node}`;
            const why = wrong[kind];
            if (why === undefined) return { subject, tried, outcome: "passed" };
            return { subject, tried, outcome: "failed", why, next: serviceList(look.client) };
        }),
    ];
    return {
        global: findings("global", `${requests(all.length)} requests to a global service`),
        affinity: findings("local", `${requests(all.length)} requests to a global service with service.cilium.io/affinity: local`),
        services: (["global", "local"] as const).flatMap((kind) =>
            all.map((cluster): VerifyReport["services"][number] => ({
                cluster,
                service: kind === "global" ? "global" : "local affinity",
                answers: sum(looks.filter(({ look }) => look.client.cluster === cluster).map(({ look }) => look[kind].answers)),
            })),
        ),
    };
}

/**
 * Takes away the backends of every other cluster, then of the others: whatever their number, two rounds try each of them. Without its own backends a cluster
 * must be answered by the others, on both services, and nobody by it; with them again, all must be as before.
 */
export async function checkFailover(course: Course, started: readonly Started[]): Promise<Finding[]> {
    const all = started.map(({ cluster }) => cluster);
    const findings = without(course.clusters, all).map((cluster) => skipped(cluster, "it has no test pods"));
    for (const parity of [0, 1]) {
        const changed = started.filter((_, i) => i % 2 === parity);
        const stopped = changed.map(({ cluster }) => cluster);
        const left = without(all, stopped);
        if (left.length === 0) {
            findings.push(...stopped.map((cluster) => skipped(cluster, "no other cluster has test pods")));
            continue;
        }
        findings.push(
            ...(await round(course, started, changed, 0, ({ client, global, local }) => {
                const must = left.includes(client.cluster) ? [client.cluster] : left;
                return { global: mismatch(global, left, stopped), local: mismatch(local, must, without(all, must.concat(left))) };
            })),
            ...(await round(course, started, changed, 1, ({ client, global, local }) => ({
                global: mismatch(global, all, []),
                local: mismatch(local, [client.cluster], without(course.clusters, [client.cluster])),
            }))),
        );
    }
    return findings;
}

const TRIED = { 0: "without backends of its own: the others answer", 1: "with its backends back: it answers again" };

function skipped(subject: string, why: string): Finding {
    return { subject, tried: TRIED[0], outcome: "skipped", why };
}

/** Sets the backends of some clusters, and sees whether all clients get what they should. */
async function round(
    course: Course,
    started: readonly Started[],
    changed: readonly Started[],
    replicas: 0 | 1,
    wrong: (look: Look) => Record<Kind, string | undefined>,
): Promise<Finding[]> {
    const tried = TRIED[replicas];
    try {
        await Promise.all(changed.map(({ cluster, pods }) => course.bed.apply(cluster, backend(cluster, replicas, pods))));
    } catch (error) {
        const why = `the backends could not be scaled to ${replicas}: ${explain(error)}`;
        return changed.map(({ cluster }) => ({ subject: cluster, tried, outcome: "failed", why }));
    }
    const looks = await askUntil(course, started, wrong);
    return changed.map(({ cluster }) => {
        // Its own clients say most; another cluster's are its fault when they still get answers from here, or none.
        const bad = looks
            .filter(({ wrong }) => wrong.global ?? wrong.local)
            .toSorted((a, b) => Number(b.look.client.cluster === cluster) - Number(a.look.client.cluster === cluster));
        const relevant = bad.find(
            ({ look }) => look.client.cluster === cluster || !changed.some((one) => one.cluster === look.client.cluster),
        );
        if (!relevant) return { subject: cluster, tried, outcome: "passed" };
        const { client } = relevant.look;
        const service = relevant.wrong.global ? "global service" : "global service with local affinity";
        return {
            subject: cluster,
            tried,
            outcome: "failed",
            why: `${service}, asked in ${client.cluster}: ${relevant.wrong.global ?? relevant.wrong.local}`,
            next: serviceList(client),
        };
    });
}

/** Lets every client ask both services, again and again those that got something wrong, until the time to settle is over. */
async function askUntil(course: Course, started: readonly Started[], wrong: (look: Look) => Record<Kind, string | undefined>) {
    const until = deadline(course);
    const clients = started.flatMap(({ probes, global, local }) => probes.map((client) => ({ client, targets: { global, local } })));
    const count = requests(started.length);
    return parallel(clients, MOST_AT_A_TIME, ({ client, targets }) =>
        settle(
            course.clock,
            until,
            async () => {
                const look = await ask(course, client, targets, count);
                return { look, wrong: wrong(look) };
            },
            ({ wrong }) => wrong.global === undefined && wrong.local === undefined,
        ),
    );
}

async function ask({ bed }: Course, client: TestPod, targets: Record<Kind, string>, times: number): Promise<Look> {
    const probe = { path: "/hostname", times, largeBytes: 0, timeoutSeconds: TIMEOUT_SECONDS } as const;
    try {
        const answers = await bed.probe(client, { ...probe, targets: [targets.global, targets.local] });
        const series = (kind: Kind): Series => {
            const small = answers.find(({ target }) => target === targets[kind])?.small ?? [];
            const failures = small.flatMap((exchange) => trouble(exchange, TIMEOUT_SECONDS) ?? []);
            const names = small
                .filter(({ exit, status }) => exit === 0 && status === 200)
                .map(({ body }) => answeringCluster(body) ?? body);
            const [why] = small.length < times && failures.length === 0 ? ["the probe told nothing of it"] : failures;
            return { answers: count(names), ...(why ? { why } : {}) };
        };
        return { client, global: series("global"), local: series("local") };
    } catch (error) {
        const none = { answers: {}, why: `could not be tried: ${explain(error)}` };
        return { client, global: none, local: none };
    }
}

/** How a series differs from one with answers by each of `must` and by none of `never`; undefined: it does not. */
function mismatch({ answers, why }: Series, must: readonly string[], never: readonly string[]): string | undefined {
    const [silent, wrong] = [must.filter((name) => !answers[name]), never.filter((name) => answers[name])];
    const parts = [
        ...(why ? [why] : []),
        ...(silent.length > 0 ? [`no answer from ${silent.join(", ")}`] : []),
        ...(wrong.length > 0 ? [`answers from ${wrong.join(", ")}`] : []),
    ];
    if (parts.length === 0) return undefined;
    const got = Object.entries(answers).map(([cluster, times]) => `${cluster} ${times}`);
    return `${parts.join("; ")} (got: ${got.join(", ") || "nothing"})`;
}

/** So many that a cluster which answers its share is missed once in a million series. */
function requests(clusters: number): number {
    return Math.ceil(Math.log(MISSED) / Math.log(1 - 1 / Math.max(2, clusters)));
}

function serviceList(client: TestPod): string {
    return askAgentOf(client.cluster, client.node, "cilium-dbg service list --clustermesh-affinity");
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

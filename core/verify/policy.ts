import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import { admitOnly } from "./objects.ts";
import type { Started } from "./pods.ts";
import { trouble } from "./probe.ts";
import type { Finding } from "./report.ts";
import { askAgentOf, type Course, deadline, MOST_AT_A_TIME, settle, type TestPod } from "./testbed.ts";

const TIMEOUT_SECONDS = 2;

interface Pair {
    client: TestPod;
    server: TestPod;
}

interface Seen {
    /** Undefined: it could not be tried. */
    admitted: boolean | undefined;
    /** Why there was no answer. */
    why?: string;
}

/**
 * Backends admit by policy first their own cluster alone, then all. Each cluster's client asks each backend by IP: before (else a drop proves nothing), and
 * under each policy until it is enforced. Asked by IP, a client is known by its address alone, so this proves that identities came across.
 */
export async function checkPolicy(course: Course, started: readonly Started[]): Promise<Finding[]> {
    const { bed, clusters, clock } = course;
    const tried = {
        open: "without a policy",
        own: "under a policy that admits the own cluster alone",
        all: "under a policy that admits every cluster by name",
    };
    const ends = await Promise.all(
        started.map(async ({ cluster, probes, pods }) => {
            const backend = await readyBackend(course, cluster);
            return { cluster, client: probes[0], server: backend, namespace: pods.namespace };
        }),
    );
    const fit = ends.flatMap(({ client, server, ...end }) => (client && server ? [{ ...end, client, server }] : []));
    const findings: Finding[] = clusters
        .filter((cluster) => !fit.some((end) => end.cluster === cluster))
        .map((subject) => ({ subject, tried: tried.own, outcome: "skipped", why: "it has no ready client or no ready backend" }));

    const pairs = fit.flatMap(({ client }) => fit.map(({ server }) => ({ client, server })));
    const before = await ask(pairs, () => true);
    const open = before.filter(({ seen }) => seen.admitted);
    for (const { seen, ...pair } of before) {
        if (!seen.admitted)
            findings.push({ subject: subject(pair), tried: tried.open, outcome: "skipped", why: `no answer even so: ${seen.why}` });
    }

    const isOwn = ({ client, server }: Pair) => client.cluster === server.cluster;
    findings.push(...(await under(tried.own, (cluster) => [cluster], isOwn)));
    findings.push(
        ...(await under(
            tried.all,
            () => fit.map(({ cluster }) => cluster),
            () => true,
        )),
    );
    return findings;

    async function under(tried: string, admitted: (cluster: string) => string[], admits: (pair: Pair) => boolean): Promise<Finding[]> {
        try {
            await Promise.all(fit.map(({ cluster, namespace }) => bed.apply(cluster, admitOnly(admitted(cluster), namespace))));
        } catch (error) {
            const why = `the policy could not be made: ${explain(error)}`;
            return open.map((pair) => ({ subject: subject(pair), tried, outcome: "failed", why }));
        }
        const asked = await ask(open, admits);
        return asked.map((pair) => verdict(pair, tried, admits(pair)));
    }

    /** Asks until the answer is as it should be. */
    function ask(pairs: readonly Pair[], admits: (pair: Pair) => boolean): Promise<(Pair & { seen: Seen })[]> {
        const until = deadline(course);
        return parallel(pairs, MOST_AT_A_TIME, async ({ client, server }) => {
            const pair = { client, server };
            return {
                ...pair,
                seen: await settle(
                    clock,
                    until,
                    () => request(pair),
                    ({ admitted }) => admitted === admits(pair),
                ),
            };
        });
    }

    async function request({ client, server }: Pair): Promise<Seen> {
        const targets = [`${server.address}:${course.port}`];
        const probe = {
            targets,
            path: "/hostname",
            times: 1,
            largeBytes: 0,
            timeoutSeconds: TIMEOUT_SECONDS,
        } as const;
        try {
            const [answer] = await bed.probe(client, probe);
            const why = trouble(answer?.small[0], TIMEOUT_SECONDS);
            // What the probe did not even try must not pass for a drop.
            return { admitted: answer?.small[0] ? why === undefined : undefined, ...(why ? { why } : {}) };
        } catch (error) {
            return { admitted: undefined, why: `could not be tried: ${explain(error)}` };
        }
    }
}

/** The backend may have been made anew, so it is looked up and waited for. */
async function readyBackend(course: Course, cluster: string): Promise<TestPod | undefined> {
    const find = async () => (await course.bed.pods(cluster)).find(({ role, ready }) => role === "backend" && ready);
    return settle(
        course.clock,
        deadline(course),
        () => find().catch(() => undefined),
        (pod) => pod !== undefined,
    );
}

function verdict({ client, server, seen: { admitted, why } }: Pair & { seen: Seen }, tried: string, shouldAdmit: boolean): Finding {
    const about = { subject: subject({ client, server }), tried: `${tried}: ${shouldAdmit ? "answers" : "does not answer"}` };
    if (admitted === shouldAdmit) return { ...about, outcome: "passed" };
    if (admitted === undefined) return { ...about, outcome: "failed", why: why ?? "" };
    if (shouldAdmit)
        return {
            ...about,
            outcome: "failed",
            why: `dropped, though the policy admits ${client.cluster}: ${server.cluster} does not know the pod's address as one of ${client.cluster} (${why})`,
            next: `${askAgentOf(server.cluster, server.node, `cilium-dbg bpf ipcache get ${client.address}`)}; then cilium-dbg identity get <the identity>`,
        };
    return {
        ...about,
        outcome: "failed",
        why: `let in, though the policy does not admit ${client.cluster}: ${server.cluster} does not enforce it, or takes the pod for one of its own`,
        next: askAgentOf(server.cluster, server.node, "cilium-dbg endpoint list"),
    };
}

function subject({ client, server }: Pair): string {
    return `${client.cluster} → ${server.cluster}`;
}

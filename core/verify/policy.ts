import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import { allowOnly } from "./objects.ts";
import type { StartedCluster } from "./pods.ts";
import { exchangeError } from "./probe.ts";
import type { Finding } from "./report.ts";
import { deadline, MAX_PARALLEL, nodeAgentCommand, settle, type TestPod, type VerifyContext } from "./testbed.ts";

const TIMEOUT_SECONDS = 2;

const WITHOUT_POLICY = "without a policy";

/** A policy on the backends of every cluster. */
interface Policy {
    title: string;
    /** Names of the clusters that the backends of a cluster allow. */
    allowed: (cluster: string) => string[];
    allows: (pair: Pair) => boolean;
}

/** A cluster with a client and a ready backend. */
interface End {
    cluster: string;
    client: TestPod;
    server: TestPod;
    namespace: string;
}

interface Pair {
    client: TestPod;
    server: TestPod;
}

interface Result {
    /** Undefined: the probe did not run. */
    answered: boolean | undefined;
    /** Why there was no answer. */
    why?: string;
}

type PairResult = Pair & { result: Result };

/**
 * Applies two policies to the backends: first only their own cluster is allowed, then every cluster. A client in each cluster sends requests to every backend by
 * IP: before the policies (otherwise a drop proves nothing), and under each policy until it is enforced. By IP, because a client is then known by its address
 * alone, which proves that identities were propagated.
 */
export async function checkPolicy(context: VerifyContext, started: readonly StartedCluster[]): Promise<Finding[]> {
    const ends = await findEnds(context, started);
    const own: Policy = {
        title: "policy that allows only the own cluster",
        allowed: (cluster) => [cluster],
        allows: ({ client, server }) => client.cluster === server.cluster,
    };
    const all: Policy = {
        title: "policy that allows every cluster by name",
        allowed: () => ends.map(({ cluster }) => cluster),
        allows: () => true,
    };
    const skipped = context.clusters
        .filter((cluster) => !ends.some((end) => end.cluster === cluster))
        .map((subject): Finding => ({ subject, tried: own.title, outcome: "skipped", why: "no ready client or no ready backend" }));

    const pairs = ends.flatMap(({ client }) => ends.map(({ server }) => ({ client, server })));
    const before = await request(context, pairs, () => true);
    const open = before.filter(({ result }) => result.answered);
    const closed = before
        .filter(({ result }) => !result.answered)
        .map(
            ({ result, ...pair }): Finding => ({
                subject: subject(pair),
                tried: WITHOUT_POLICY,
                outcome: "skipped",
                why: `no answer even without a policy: ${result.why}`,
            }),
        );
    return [...skipped, ...closed, ...(await checkUnder(context, own, ends, open)), ...(await checkUnder(context, all, ends, open))];
}

async function findEnds(context: VerifyContext, started: readonly StartedCluster[]): Promise<End[]> {
    const ends = await Promise.all(
        started.map(async ({ cluster, probes, pods }) => {
            const server = await readyBackend(context, cluster);
            return { cluster, client: probes[0], server, namespace: pods.namespace };
        }),
    );
    return ends.flatMap(({ client, server, ...end }) => (client && server ? [{ ...end, client, server }] : []));
}

/** Looks up the backend again and waits for it, because it may have been recreated. */
async function readyBackend(context: VerifyContext, cluster: string): Promise<TestPod | undefined> {
    const find = async () => (await context.testbed.pods(cluster)).find(({ role, ready }) => role === "backend" && ready);
    return settle(
        context.clock,
        deadline(context),
        () => find().catch(() => undefined),
        (pod) => pod !== undefined,
    );
}

async function checkUnder(context: VerifyContext, policy: Policy, ends: readonly End[], pairs: readonly Pair[]): Promise<Finding[]> {
    const { title, allowed, allows } = policy;
    try {
        await Promise.all(ends.map(({ cluster, namespace }) => context.testbed.apply(cluster, allowOnly(allowed(cluster), namespace))));
    } catch (error) {
        const why = `the policy could not be applied: ${explain(error)}`;
        return pairs.map((pair) => ({ subject: subject(pair), tried: title, outcome: "failed", why }));
    }
    const results = await request(context, pairs, allows);
    return results.map((result) => judge(result, title, allows(result)));
}

/** Sends requests until the result is as the policy demands. */
function request(context: VerifyContext, pairs: readonly Pair[], allows: (pair: Pair) => boolean): Promise<PairResult[]> {
    const until = deadline(context);
    return parallel(pairs, MAX_PARALLEL, async ({ client, server }) => {
        const pair = { client, server };
        const result = await settle(
            context.clock,
            until,
            () => requestOnce(context, pair),
            ({ answered }) => answered === allows(pair),
        );
        return { ...pair, result };
    });
}

async function requestOnce({ testbed, port }: VerifyContext, { client, server }: Pair): Promise<Result> {
    const targets = [`${server.address}:${port}`];
    try {
        const [answer] = await testbed.probe(client, {
            targets,
            path: "/hostname",
            times: 1,
            largeBytes: 0,
            timeoutSeconds: TIMEOUT_SECONDS,
        });
        const why = exchangeError(answer?.small[0], TIMEOUT_SECONDS);
        // A request that was never sent must not count as dropped.
        return { answered: answer?.small[0] ? why === undefined : undefined, ...(why ? { why } : {}) };
    } catch (error) {
        return { answered: undefined, why: `probe failed: ${explain(error)}` };
    }
}

function judge({ client, server, result: { answered, why } }: PairResult, title: string, shouldAnswer: boolean): Finding {
    const about = { subject: subject({ client, server }), tried: `${title}: the request is ${shouldAnswer ? "answered" : "dropped"}` };
    if (answered === shouldAnswer) return { ...about, outcome: "passed" };
    if (answered === undefined) return { ...about, outcome: "failed", why: why ?? "" };
    if (shouldAnswer)
        return {
            ...about,
            outcome: "failed",
            why: `dropped although the policy allows ${client.cluster}: ${server.cluster} does not know the pod's address as one of ${client.cluster} (${why})`,
            next: `${nodeAgentCommand(server.cluster, server.node, `cilium-dbg bpf ipcache get ${client.address}`)}; then cilium-dbg identity get <identity>`,
        };
    return {
        ...about,
        outcome: "failed",
        why: `answered although the policy does not allow ${client.cluster}: ${server.cluster} does not enforce the policy, or takes the pod for one of its own`,
        next: nodeAgentCommand(server.cluster, server.node, "cilium-dbg endpoint list"),
    };
}

function subject({ client, server }: Pair): string {
    return `${client.cluster} → ${server.cluster}`;
}

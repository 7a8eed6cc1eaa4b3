import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import type { StartedCluster } from "./pods.ts";
import { type Answer, exchangeError, median, NO_RESULT } from "./probe.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { MAX_PARALLEL, nodeAgentCommand, type TestPod, type VerifyContext } from "./testbed.ts";

const REQUESTS = 6;
const TIMEOUT_SECONDS = 3;
/** Larger than the largest usual packet, which is 9,001 bytes with headers. */
const LARGE_BYTES = 9000;

/** What a client got from a server in another cluster. */
interface PairAttempt {
    client: TestPod;
    server: TestPod;
    answer?: Answer | undefined;
    /** Why the probe could not run. */
    error?: string;
}

/** A path as a request sees it. "translated": requests arrive, but from another address than the client's. */
type PathState = "open" | "translated" | "closed";

/** Every test pod of every cluster sends requests to every test pod of every other cluster, by IP. */
export async function checkPairs(context: VerifyContext, started: readonly StartedCluster[]) {
    const jobs = started.flatMap(({ probes }) =>
        probes.flatMap((client) =>
            started.filter(({ cluster }) => cluster !== client.cluster).map((peer) => ({ client, servers: peer.probes })),
        ),
    );
    const attempts = await parallel(jobs, MAX_PARALLEL, async ({ client, servers }): Promise<PairAttempt[]> => {
        const targets = servers.map(({ address }) => `${address}:${context.port}`);
        try {
            const answers = await context.testbed.probe(client, {
                targets,
                path: "/clientip",
                times: REQUESTS,
                largeBytes: LARGE_BYTES,
                timeoutSeconds: TIMEOUT_SECONDS,
            });
            return servers.map((server, i) => ({ client, server, answer: answers.find(({ target }) => target === targets[i]) }));
        } catch (error) {
            return servers.map((server) => ({ client, server, error: explain(error) }));
        }
    });
    return judgePairs(context, attempts.flat());
}

/** Judges all attempts together, because the state of the reverse path shows what is missing on a failed path. */
function judgePairs({ clusters, port }: Pick<VerifyContext, "clusters" | "port">, attempts: readonly PairAttempt[]) {
    const key = (from: TestPod, to: TestPod) => `${from.cluster}/${from.node} → ${to.cluster}/${to.node}`;
    const paths = new Map(attempts.map((attempt) => [key(attempt.client, attempt.server), pathState(attempt)]));
    const judged = attempts.map((attempt) => {
        const reverse = paths.get(key(attempt.server, attempt.client)) ?? "closed";
        return { ...attempt, small: judgeSmall(attempt, reverse, port), large: judgeLarge(attempt, port) };
    });
    const pairs = clusters.flatMap((from) =>
        clusters
            .filter((to) => to !== from)
            .map((to): VerifyReport["pairs"][number] => {
                const tried = judged.filter(({ client, server }) => client.cluster === from && server.cluster === to);
                const passed = tried.filter(({ small }) => small.outcome === "passed");
                // The first connection includes one-time network work, such as learning addresses.
                const times = passed.flatMap(({ answer }) => answer?.small.slice(1).map(({ milliseconds }) => milliseconds) ?? []);
                const middle = median(times);
                return {
                    from,
                    to,
                    passed: passed.length,
                    tried: tried.length,
                    roundTripMilliseconds: middle === undefined ? null : Math.round(middle * 1000) / 1000,
                };
            }),
    );
    // Without this, a pair that was not tested would look like one without faults.
    const untried = pairs.filter(({ tried }) => tried === 0).map((pair) => untriedFinding(pair, port));
    return {
        pairs,
        small: [...untried, ...judged.map(({ small }) => small)],
        large: [...untried.map((finding) => ({ ...finding, tried: largeTried(port) })), ...judged.map(({ large }) => large)],
    };
}

function untriedFinding({ from, to }: VerifyReport["pairs"][number], port: number): Finding {
    return {
        subject: `${from} → ${to}`,
        tried: `GET :${port}/clientip by IP`,
        outcome: "skipped",
        why: "one of the two clusters has no test pods",
    };
}

function pathState(attempt: PairAttempt): PathState {
    if (whyUnreached(attempt)) return "closed";
    return translatedSource(attempt) === undefined ? "open" : "translated";
}

function judgeSmall(attempt: PairAttempt, reverse: PathState, port: number): Finding {
    const { server, error } = attempt;
    const about = { subject: subject(attempt), tried: `GET ${server.address}:${port}/clientip by IP` };
    if (error) return { ...about, outcome: "failed", why: `probe failed: ${error}` };
    const why = whyUnreached(attempt);
    if (why) {
        const drops = nodeAgentCommand(server.cluster, server.node, "cilium-dbg monitor --type drop");
        return {
            ...about,
            outcome: "failed",
            why: `${why}, ${closedBecause(attempt, reverse, port)}`,
            next: `npx clustermesh up --refresh restores routes and security group rules; ${drops}`,
        };
    }
    const source = translatedSource(attempt);
    if (source !== undefined) return { ...about, outcome: "failed", ...translated(attempt, source) };
    return { ...about, outcome: "passed" };
}

function closedBecause({ client, server }: PairAttempt, reverse: PathState, port: number): string {
    switch (reverse) {
        case "open":
            return `although the reverse path works, so the routes are right: nodes of ${server.cluster} do not admit tcp/${port} from ${client.cluster}, or a policy drops it`;
        case "translated":
            return `and on the reverse path the source address is translated: ${server.cluster} has no route to ${client.cluster}, so replies go to a NAT gateway`;
        case "closed":
            return "and the reverse path fails too: a route, the peering or an ingress rule is missing";
    }
}

function translated({ client, server }: PairAttempt, source: string): Pick<Finding, "why" | "next"> {
    if (source === client.nodeAddress)
        return {
            why: `arrived from ${source}, the node's address, instead of the pod's ${client.address}: source NAT is on`,
            next: `in ${client.cluster}: kubectl -n kube-system set env daemonset/aws-node --list | grep SNAT; npx clustermesh up --refresh restores the setting`,
        };
    return {
        why: `arrived from ${source || "an unknown address"} instead of the pod's ${client.address}: something on the path translates addresses, such as a NAT gateway where the route to ${server.cluster} is missing`,
        next: "npx clustermesh up --refresh restores routes",
    };
}

/** The address, other than the client's own, from which one of its requests arrived. */
function translatedSource({ client, answer }: PairAttempt): string | undefined {
    return answer?.small.map(({ body }) => sourceAddress(body)).find((source) => source !== client.address);
}

function judgeLarge(attempt: PairAttempt, port: number): Finding {
    const about = { subject: subject(attempt), tried: largeTried(port) };
    if (attempt.error || whyUnreached(attempt)) return { ...about, outcome: "skipped", why: "small requests fail as well" };
    const { answer, client, server } = attempt;
    const why = exchangeError(answer?.large, TIMEOUT_SECONDS);
    if (why)
        return {
            ...about,
            outcome: "failed",
            why: `${why}, although small requests pass: packets larger than the path carries are lost`,
            next: `set mtu to at most 8500 in the stack files of ${client.cluster} and ${server.cluster}, then npx clustermesh up; existing pods keep their MTU until they are recreated`,
        };
    if (answer?.large?.received !== LARGE_BYTES)
        return { ...about, outcome: "failed", why: `${answer?.large?.received} of ${LARGE_BYTES} bytes came back` };
    return { ...about, outcome: "passed" };
}

/** Why the client does not reach the server; undefined: it does. */
function whyUnreached({ answer, error }: PairAttempt): string | undefined {
    if (error) return error;
    if (!answer || answer.small.length === 0) return NO_RESULT;
    return answer.small.map((exchange) => exchangeError(exchange, TIMEOUT_SECONDS)).find((why) => why !== undefined);
}

function subject({ client, server }: PairAttempt): string {
    return `${client.cluster}/${client.node} → ${server.cluster}/${server.node}`;
}

function largeTried(port: number): string {
    return `POST :${port}/echo by IP, ${LARGE_BYTES} bytes each way`;
}

/** "10.0.1.7" of netexec's "10.0.1.7:41234". */
function sourceAddress(body: string): string {
    return body.replace(/:\d+$/, "");
}

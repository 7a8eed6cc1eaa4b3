import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import type { Started } from "./pods.ts";
import { type Answer, median, trouble } from "./probe.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { askAgentOf, type Course, MOST_AT_A_TIME, type TestPod } from "./testbed.ts";

const REQUESTS = 6;
const TIMEOUT_SECONDS = 3;
/** More than every usual largest packet, 9,001 bytes with headers included. */
export const LARGE_BYTES = 9000;

/** What a client got from a server of another cluster. */
export interface PairAttempt {
    client: TestPod;
    server: TestPod;
    answer?: Answer | undefined;
    /** Why nothing could be tried. */
    error?: string;
}

/** Every test pod of every cluster asks every test pod of every other one, by IP. */
export async function checkPairs(course: Course, started: readonly Started[]) {
    const jobs = started.flatMap(({ probes }) =>
        probes.flatMap((client) =>
            started.filter(({ cluster }) => cluster !== client.cluster).map((peer) => ({ client, servers: peer.probes })),
        ),
    );
    const attempts = await parallel(jobs, MOST_AT_A_TIME, async ({ client, servers }): Promise<PairAttempt[]> => {
        const targets = servers.map(({ address }) => `${address}:${course.port}`);
        try {
            const answers = await course.bed.probe(client, {
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
    return judgePairs(course, attempts.flat());
}

/** Judges all attempts together: whether the other way works tells what is missing this way. */
export function judgePairs({ clusters, port }: Pick<Course, "clusters" | "port">, attempts: readonly PairAttempt[]) {
    const key = (from: TestPod, to: TestPod) => `${from.cluster}/${from.node} → ${to.cluster}/${to.node}`;
    const ways = new Map(attempts.map((attempt) => [key(attempt.client, attempt.server), wayOf(attempt)]));
    const judged = attempts.map((attempt) => {
        const back = ways.get(key(attempt.server, attempt.client)) ?? "closed";
        return { ...attempt, small: judgeSmall(attempt, back, port), large: judgeLarge(attempt, port) };
    });
    const pairs = clusters.flatMap((from) =>
        clusters
            .filter((to) => to !== from)
            .map((to): VerifyReport["pairs"][number] => {
                const tried = judged.filter(({ client, server }) => client.cluster === from && server.cluster === to);
                const passed = tried.filter(({ small }) => small.outcome === "passed");
                // The first connection waits for what the network does once, such as learning addresses.
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
    // A pair of which nothing was tried must not look like one without faults.
    const untried = pairs
        .filter(({ tried }) => tried === 0)
        .map(
            ({ from, to }): Finding => ({
                subject: `${from} → ${to}`,
                tried: `GET :${port}/clientip by IP`,
                outcome: "skipped",
                why: "one of the two has no test pods",
            }),
        );
    return {
        pairs,
        small: [...untried, ...judged.map(({ small }) => small)],
        large: [...untried.map((one) => ({ ...one, tried: largeTried(port) })), ...judged.map(({ large }) => large)],
    };
}

/** How a request fares: "translated" ones arrive, but from another address than the client's. */
type Way = "open" | "translated" | "closed";

function wayOf(attempt: PairAttempt): Way {
    if (unreached(attempt)) return "closed";
    return strangeSource(attempt) === undefined ? "open" : "translated";
}

function judgeSmall(attempt: PairAttempt, back: Way, port: number): Finding {
    const { server, error } = attempt;
    const about = { subject: subject(attempt), tried: `GET ${server.address}:${port}/clientip by IP` };
    if (error) return { ...about, outcome: "failed", why: `could not be tried: ${error}` };
    const why = unreached(attempt);
    if (why) {
        const drops = askAgentOf(server.cluster, server.node, "cilium-dbg monitor --type drop");
        return {
            ...about,
            outcome: "failed",
            why: `${why}, ${closedBecause(attempt, back, port)}`,
            next: `pulumi up --refresh -s mesh puts back routes and rules; ${drops}`,
        };
    }
    const strange = strangeSource(attempt);
    if (strange !== undefined) return { ...about, outcome: "failed", ...translated(attempt, strange) };
    return { ...about, outcome: "passed" };
}

function closedBecause({ client, server }: PairAttempt, back: Way, port: number): string {
    switch (back) {
        case "open":
            return `though the other way works and so the routes are right: tcp/${port} from ${client.cluster} is not admitted to ${server.cluster}'s nodes, or a policy drops it`;
        case "translated":
            return `and the other way its address is translated: in ${server.cluster} a route to ${client.cluster} is missing, so that answers go to a NAT gateway`;
        case "closed":
            return "nor is there the other way: a route, the peering or an ingress rule is missing";
    }
}

function translated({ client, server }: PairAttempt, source: string): Pick<Finding, "why" | "next"> {
    const next = `in ${client.cluster}: kubectl -n kube-system set env daemonset/aws-node --list | grep SNAT; pulumi up --refresh -s ${client.cluster}`;
    if (source === client.nodeAddress)
        return { why: `arrived from ${source}, the node's address, not from the pod's ${client.address}: source NAT is on`, next };
    return {
        why: `arrived from ${source || "nowhere"}, not from the pod's ${client.address}: something on the way translates addresses, a NAT gateway where the route to ${server.cluster} is missing`,
        next: "pulumi up --refresh -s mesh puts back routes",
    };
}

/** The address, other than the client's own, from which one of its requests arrived. */
function strangeSource({ client, answer }: PairAttempt): string | undefined {
    return answer?.small.map(({ body }) => sourceAddress(body)).find((source) => source !== client.address);
}

function judgeLarge(attempt: PairAttempt, port: number): Finding {
    const about = { subject: subject(attempt), tried: largeTried(port) };
    if (attempt.error || unreached(attempt)) return { ...about, outcome: "skipped", why: "small requests do not pass either" };
    const { answer, client, server } = attempt;
    const why = trouble(answer?.large, TIMEOUT_SECONDS);
    if (why)
        return {
            ...about,
            outcome: "failed",
            why: `${why}, though small requests pass: packets larger than the path carries get lost`,
            next: `set mtu to at most 8500 in the files of ${client.cluster} and ${server.cluster}; pods take it when they are next created`,
        };
    if (answer?.large?.received !== LARGE_BYTES)
        return { ...about, outcome: "failed", why: `${answer?.large?.received} of ${LARGE_BYTES} bytes came back` };
    return { ...about, outcome: "passed" };
}

/** Why the client does not reach the server; undefined: it does. */
function unreached({ answer, error }: PairAttempt): string | undefined {
    if (error) return error;
    if (!answer || answer.small.length === 0) return "the probe told nothing of it";
    return answer.small.map((exchange) => trouble(exchange, TIMEOUT_SECONDS)).find((why) => why !== undefined);
}

function subject({ client, server }: PairAttempt): string {
    return `${client.cluster}/${client.node} → ${server.cluster}/${server.node}`;
}

function largeTried(port: number): string {
    return `POST :${port}/echo by IP, ${LARGE_BYTES} bytes there and back`;
}

/** "10.0.1.7" of netexec's "10.0.1.7:41234". */
function sourceAddress(body: string): string {
    return body.replace(/:\d+$/, "");
}

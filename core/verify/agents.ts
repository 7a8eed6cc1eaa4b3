import { nodeListProblems } from "../cilium/node-list.ts";
import { firstTrouble, type LaggingPeer, laggingPeers, type SeenIds, seenIds } from "../cilium/readiness.ts";
import type { Agent } from "../gate.ts";
import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { askAgent, type Course, deadline, MOST_AT_A_TIME, settle } from "./testbed.ts";

export interface AgentsChecked extends Pick<VerifyReport, "readiness" | "nodeLists"> {
    agents: Finding[];
    nodes: Finding[];
}

/** Asks every agent of every cluster for its peers and its node list, again and again those that are behind, until the time to settle is over. */
export async function checkAgents(course: Course): Promise<AgentsChecked> {
    const { bed, clusters, clock } = course;
    const until = deadline(course);
    // Agents may still be rolled out: a patch that goes away is the last thing that an `up` does.
    const surveys = await Promise.all(
        clusters.map((cluster) =>
            settle(
                clock,
                until,
                () => survey(course, cluster),
                (seen) => absent(seen).length === 0,
            ),
        ),
    );
    const nodes = new Map(surveys.flatMap(({ cluster, nodes }) => (nodes ? [[cluster, nodes] as const] : [])));
    const asked = await parallel(
        surveys.flatMap(({ running }) => running),
        MOST_AT_A_TIME,
        async (agent) => {
            const peers = clusters.filter((name) => name !== agent.cluster);
            const well = ({ lagging, unknown }: Look) => lagging.length === 0 && unknown === undefined;
            const last = await settle(clock, until, () => look(agent, peers), well);
            return { agent, peers, ...last, lagging: await Promise.all(last.lagging.map((one) => explained(agent, one))) };
        },
    );
    const ids = idProblems(asked);
    const expected = new Map(surveys.map(({ cluster, expected }) => [cluster, expected]));
    const of = (cluster: string) => asked.filter(({ agent }) => agent.cluster === cluster);
    return {
        agents: [...surveys.flatMap(absent), ...asked.map((one) => readiness(one, ids.get(one.agent)))],
        nodes: [...surveys.flatMap(absent), ...asked.map(nodeList)],
        readiness: clusters.flatMap((cluster) =>
            clusters
                .filter((peer) => peer !== cluster)
                .map((peer) => ({
                    cluster,
                    peer,
                    ready: of(cluster).filter(({ lagging }) => !lagging.some((one) => one.peer === peer)).length,
                    agents: expected.get(cluster) ?? 0,
                })),
        ),
        nodeLists: clusters.map((cluster) => ({
            cluster,
            complete: of(cluster).filter(({ unknown }) => unknown === undefined).length,
            agents: expected.get(cluster) ?? 0,
            nodes: [...nodes.values()].flat().length,
        })),
    };

    /** An agent's status says that there is no connection, and never why: a certificate, a right, a way that is closed. */
    async function explained(agent: Agent, { peer, why }: LaggingPeer): Promise<LaggingPeer> {
        const trouble = await bed.troubleshoot(agent, peer).then(firstTrouble, () => undefined);
        return { peer, why: trouble ? `${why}: ${trouble}` : why };
    }

    async function look(agent: Agent, peers: string[]): Promise<Look> {
        const [status, list] = await Promise.allSettled([bed.agents.status(agent), bed.nodeList(agent)]);
        return {
            lagging: attempt(
                () => laggingPeers(value(status), peers),
                (why) => peers.map((peer) => ({ peer, why })),
            ),
            unknown: attempt(
                () => listProblem(value(list), nodes),
                (why) => why,
            ),
            ids: attempt(
                () => seenIds(value(status)),
                () => undefined,
            ),
        };
    }
}

interface Look {
    lagging: LaggingPeer[];
    /** What is wrong with the node list. */
    unknown: string | undefined;
    /** Undefined: the agent does not answer. */
    ids: SeenIds | undefined;
}

interface Survey {
    cluster: string;
    running: Agent[];
    expected: number;
    /** Undefined: could not be asked. */
    nodes: string[] | undefined;
    why?: string;
}

async function survey({ bed }: Course, cluster: string): Promise<Survey> {
    try {
        const [{ running, expected }, nodes] = await Promise.all([bed.agents.list(cluster), bed.nodes(cluster)]);
        return { cluster, running, expected, nodes: nodes.map(({ name }) => name) };
    } catch (error) {
        return { cluster, running: [], expected: 0, nodes: undefined, why: `its API server cannot be asked: ${explain(error)}` };
    }
}

/** Agents that should be there and are not. */
function absent({ cluster, running, expected, why }: Survey): Finding[] {
    const tried = "an agent runs on every node";
    if (why) return [{ subject: cluster, tried, outcome: "failed", why, next: `kubectl get nodes, with the kubeconfig of ${cluster}` }];
    if (expected > 0 && running.length >= expected) return [];
    return [
        {
            subject: cluster,
            tried,
            outcome: "failed",
            why:
                expected === 0 ? "it has no node with an agent" : `${expected - running.length} of ${expected} nodes have no running agent`,
            next: `in ${cluster}: kubectl -n kube-system get pods -l k8s-app=cilium -o wide`,
        },
    ];
}

/**
 * Agents that run with another cluster id than peers are told of their cluster: what they announce is not of its range, and peers drop it without a word. Nothing
 * of the kind shows in any status.
 */
function idProblems(asked: readonly (Pick<Look, "ids"> & { agent: Agent })[]): Map<Agent, string> {
    return new Map(
        asked.flatMap(({ agent, ids }) => {
            const { cluster } = agent;
            const told = asked.map((one) => ({ by: one.agent.cluster, id: one.ids?.peers.get(cluster) }));
            const other = told.find(({ id }) => id !== undefined && ids?.own !== undefined && id !== ids.own);
            if (!other) return [];
            return [[agent, `it runs with cluster id ${ids?.own}, and ${other.by} is told that ${cluster} has ${other.id}`]];
        }),
    );
}

type Asked = Pick<Look, "lagging"> & { agent: Agent; peers: string[] };

function readiness({ agent, peers, lagging }: Asked, wrongId: string | undefined): Finding {
    const about = { subject: `${agent.cluster}/${agent.node}`, tried: `cilium-dbg status: ${peers.join(", ")} ready and synced` };
    const why = [...lagging.map(({ peer, why }) => `${peer}: ${why}`), ...(wrongId ? [wrongId] : [])].join("; ");
    if (!why) return { ...about, outcome: "passed" };
    // The id is the first thing to put right: a peer that has this agent's own is refused whatever else is well.
    const next = wrongId
        ? `in ${agent.cluster}: put cluster-id of the ConfigMap kube-system/cilium-config right, then kubectl -n kube-system rollout restart daemonset/cilium deployment/clustermesh-apiserver deployment/cilium-operator`
        : askAgent(agent, `cilium-dbg troubleshoot clustermesh ${lagging.map(({ peer }) => peer).join(" ")}`);
    return { ...about, outcome: "failed", why, next };
}

function nodeList({ agent, unknown }: { agent: Agent; unknown: string | undefined }): Finding {
    const about = { subject: `${agent.cluster}/${agent.node}`, tried: "cilium-dbg node list: every node of every cluster" };
    if (unknown === undefined) return { ...about, outcome: "passed" };
    return { ...about, outcome: "failed", why: unknown, next: askAgent(agent, "cilium-dbg node list") };
}

function listProblem(listJson: string, nodes: ReadonlyMap<string, readonly string[]>): string | undefined {
    const { missing, stale } = nodeListProblems(listJson, nodes);
    const parts = [
        ...(missing.length > 0 ? [`lacks ${missing.join(", ")}`] : []),
        ...(stale.length > 0 ? [`still holds ${stale.join(", ")}, of which Kubernetes knows nothing`] : []),
    ];
    return parts.length > 0 ? parts.join("; ") : undefined;
}

function value(result: PromiseSettledResult<string>): string {
    if (result.status === "rejected") throw result.reason;
    return result.value;
}

/** An agent that cannot be asked is behind with everything. */
function attempt<T>(judge: () => T, otherwise: (why: string) => T): T {
    try {
        return judge();
    } catch (error) {
        return otherwise(`the agent does not answer (${explain(error)})`);
    }
}

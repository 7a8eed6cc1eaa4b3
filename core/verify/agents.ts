import { nodeListProblems } from "../cilium/node-list.ts";
import { firstTrouble, type LaggingPeer, laggingPeers, type SeenIds, seenIds } from "../cilium/readiness.ts";
import type { Agent } from "../gate.ts";
import { parallel } from "../parallel.ts";
import { explain } from "../text/explain.ts";
import type { Finding, VerifyReport } from "./report.ts";
import { agentCommand, deadline, MAX_PARALLEL, settle, type VerifyContext } from "./testbed.ts";

export interface AgentsChecked extends Pick<VerifyReport, "readiness" | "nodeLists"> {
    agents: Finding[];
    nodes: Finding[];
}

/** A cluster's agents and nodes. */
interface Survey {
    cluster: string;
    running: Agent[];
    expected: number;
    /** Undefined: the API server did not answer. */
    nodes: string[] | undefined;
    why?: string;
}

/** An agent's state at one point in time. */
interface Snapshot {
    lagging: LaggingPeer[];
    /** What is wrong with the node list; undefined: nothing. */
    listProblem: string | undefined;
    /** Undefined: the agent does not answer. */
    ids: SeenIds | undefined;
}

interface CheckedAgent extends Snapshot {
    agent: Agent;
    peers: string[];
}

/** Asks every agent of every cluster for its peers and its node list, and polls those that are behind until the time to settle is up. */
export async function checkAgents(context: VerifyContext): Promise<AgentsChecked> {
    const until = deadline(context);
    // Agents may still be rolling out: removing a patch is the last thing that an `up` does.
    const surveys = await Promise.all(context.clusters.map((cluster) => settledSurvey(context, cluster, until)));
    const nodes = new Map(surveys.flatMap(({ cluster, nodes }) => (nodes ? [[cluster, nodes] as const] : [])));
    const running = surveys.flatMap((survey) => survey.running);
    const checked = await parallel(running, MAX_PARALLEL, (agent) => checkAgent(context, agent, nodes, until));

    const ids = idProblems(checked);
    const missing = surveys.flatMap(missingAgents);
    return {
        agents: [...missing, ...checked.map((agent) => readinessFinding(agent, ids.get(agent.agent)))],
        nodes: [...missing, ...checked.map(nodeListFinding)],
        ...counts(surveys, checked),
    };
}

function settledSurvey(context: VerifyContext, cluster: string, until: number): Promise<Survey> {
    return settle(
        context.clock,
        until,
        () => takeSurvey(context, cluster),
        (survey) => missingAgents(survey).length === 0,
    );
}

async function takeSurvey({ testbed }: VerifyContext, cluster: string): Promise<Survey> {
    try {
        const [{ running, expected }, nodes] = await Promise.all([testbed.agents.list(cluster), testbed.nodes(cluster)]);
        return { cluster, running, expected, nodes: nodes.map(({ name }) => name) };
    } catch (error) {
        return { cluster, running: [], expected: 0, nodes: undefined, why: `request to its API server failed: ${explain(error)}` };
    }
}

async function checkAgent(
    context: VerifyContext,
    agent: Agent,
    nodes: ReadonlyMap<string, readonly string[]>,
    until: number,
): Promise<CheckedAgent> {
    const peers = context.clusters.filter((name) => name !== agent.cluster);
    const last = await settle(
        context.clock,
        until,
        () => takeSnapshot(context, agent, peers, nodes),
        ({ lagging, listProblem }) => lagging.length === 0 && listProblem === undefined,
    );
    const lagging = await Promise.all(last.lagging.map((peer) => withCause(context, agent, peer)));
    return { ...last, agent, peers, lagging };
}

async function takeSnapshot(
    { testbed }: VerifyContext,
    agent: Agent,
    peers: readonly string[],
    nodes: ReadonlyMap<string, readonly string[]>,
): Promise<Snapshot> {
    const [status, list] = await Promise.allSettled([testbed.agents.status(agent), testbed.nodeList(agent)]);
    return {
        lagging: attempt(
            () => laggingPeers(value(status), peers),
            (why) => peers.map((peer) => ({ peer, why })),
        ),
        listProblem: attempt(
            () => describeListProblems(value(list), nodes),
            (why) => why,
        ),
        ids: attempt(
            () => seenIds(value(status)),
            () => undefined,
        ),
    };
}

/** An agent's status only says that it is not connected; the cause (certificate, permission, blocked path) comes from troubleshoot. */
async function withCause({ testbed }: VerifyContext, agent: Agent, { peer, why }: LaggingPeer): Promise<LaggingPeer> {
    const trouble = await testbed.troubleshoot(agent, peer).then(firstTrouble, () => undefined);
    return { peer, why: trouble ? `${why}: ${trouble}` : why };
}

function counts(surveys: readonly Survey[], checked: readonly CheckedAgent[]): Pick<VerifyReport, "readiness" | "nodeLists"> {
    const agentsOf = (cluster: string) => checked.filter(({ agent }) => agent.cluster === cluster);
    const nodes = surveys.flatMap((survey) => survey.nodes ?? []).length;
    return {
        readiness: surveys.flatMap(({ cluster, expected }) =>
            surveys
                .filter((peer) => peer.cluster !== cluster)
                .map(({ cluster: peer }) => ({
                    cluster,
                    peer,
                    ready: agentsOf(cluster).filter(({ lagging }) => lagging.every((behind) => behind.peer !== peer)).length,
                    agents: expected,
                })),
        ),
        nodeLists: surveys.map(({ cluster, expected }) => ({
            cluster,
            complete: agentsOf(cluster).filter(({ listProblem }) => listProblem === undefined).length,
            agents: expected,
            nodes,
        })),
    };
}

/** Agents that should run and do not. */
function missingAgents({ cluster, running, expected, why }: Survey): Finding[] {
    const tried = "an agent runs on every node";
    if (why) return [{ subject: cluster, tried, outcome: "failed", why, next: `in ${cluster}: kubectl get nodes` }];
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
 * Agents that run with a cluster id other than the one their peers know. Peers silently drop what such an agent announces, because it is outside the
 * cluster's identity range. No status shows this.
 */
function idProblems(checked: readonly CheckedAgent[]): Map<Agent, string> {
    return new Map(
        checked.flatMap(({ agent, ids }) => {
            const { cluster } = agent;
            const known = checked.map((other) => ({ by: other.agent.cluster, id: other.ids?.peers.get(cluster) }));
            const different = known.find(({ id }) => id !== undefined && ids?.own !== undefined && id !== ids.own);
            if (!different) return [];
            return [[agent, `it runs with cluster id ${ids?.own}, but ${different.by} knows ${cluster} by id ${different.id}`]];
        }),
    );
}

function readinessFinding({ agent, peers, lagging }: CheckedAgent, wrongId: string | undefined): Finding {
    const about = { subject: `${agent.cluster}/${agent.node}`, tried: `cilium-dbg status: ${peers.join(", ")} ready and synced` };
    const why = [...lagging.map(({ peer, why }) => `${peer}: ${why}`), ...(wrongId ? [wrongId] : [])].join("; ");
    if (!why) return { ...about, outcome: "passed" };
    // The id comes first: an agent refuses a peer that has the agent's own id, whatever else is right.
    const next = wrongId
        ? `in ${agent.cluster}: correct cluster-id in the ConfigMap kube-system/cilium-config, then kubectl -n kube-system rollout restart daemonset/cilium deployment/clustermesh-apiserver deployment/cilium-operator`
        : agentCommand(agent, `cilium-dbg troubleshoot clustermesh ${lagging.map(({ peer }) => peer).join(" ")}`);
    return { ...about, outcome: "failed", why, next };
}

function nodeListFinding({ agent, listProblem }: CheckedAgent): Finding {
    const about = { subject: `${agent.cluster}/${agent.node}`, tried: "cilium-dbg node list: every node of every cluster" };
    if (listProblem === undefined) return { ...about, outcome: "passed" };
    return { ...about, outcome: "failed", why: listProblem, next: agentCommand(agent, "cilium-dbg node list") };
}

function describeListProblems(listJson: string, nodes: ReadonlyMap<string, readonly string[]>): string | undefined {
    const { missing, stale } = nodeListProblems(listJson, nodes);
    const parts = [
        ...(missing.length > 0 ? [`does not list ${missing.join(", ")}`] : []),
        ...(stale.length > 0 ? [`still lists ${stale.join(", ")}, which no longer exists in Kubernetes`] : []),
    ];
    return parts.length > 0 ? parts.join("; ") : undefined;
}

function value(result: PromiseSettledResult<string>): string {
    if (result.status === "rejected") throw result.reason;
    return result.value;
}

/** An agent that does not answer counts as behind with everything. */
function attempt<T>(judge: () => T, otherwise: (why: string) => T): T {
    try {
        return judge();
    } catch (error) {
        return otherwise(`the agent does not answer (${explain(error)})`);
    }
}

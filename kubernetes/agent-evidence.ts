import { CoreV1Api, type V1Pod } from "@kubernetes/client-node";
import { failedProbes } from "../core/cilium/health.ts";
import { nodeListProblems } from "../core/cilium/node-list.ts";
import { firstTrouble, type LaggingPeer, laggingPeers, seenIds } from "../core/cilium/readiness.ts";
import type { AgentEvidence } from "../core/doctor/evidence.ts";
import { type Depth, fetchers } from "../core/doctor/fetch.ts";
import type { ClusterFacts } from "../core/facts/schema.ts";
import type { Agent } from "../core/gate.ts";
import { parallel } from "../core/parallel.ts";
import { MAX_PARALLEL } from "../core/verify/testbed.ts";
import { inAgent } from "./agents.ts";
import type { Clients } from "./clients.ts";

const NAMESPACE = "kube-system";

/** What to gather about a cluster. */
export interface EvidenceRequest {
    cluster: ClusterFacts;
    /** Names of the clusters that it should see. */
    peers: readonly string[];
    /** PEM of all CAs that the mesh's clusters have published. */
    authorities: readonly string[];
    /** Names of the nodes of the mesh's clusters, by cluster. A cluster whose nodes are unknown is absent. */
    nodes: ReadonlyMap<string, readonly string[]>;
    depth: Depth;
}

/**
 * The state of each agent of a cluster, including agents that do not answer.
 *
 * @throws Error when the API server does not list the agents
 */
export async function agentEvidence(clients: Clients, request: EvidenceRequest): Promise<AgentEvidence[]> {
    const { items } = await clients
        .client(request.cluster.name, CoreV1Api)
        .listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=cilium" });
    const existing = items.filter(({ metadata }) => !metadata?.deletionTimestamp);
    return parallel(existing, MAX_PARALLEL, (pod) => evidenceOfAgent(clients, request, pod));
}

async function evidenceOfAgent(clients: Clients, request: EvidenceRequest, pod: V1Pod): Promise<AgentEvidence> {
    const agent: Agent = {
        cluster: request.cluster.name,
        node: pod.spec?.nodeName ?? "",
        pod: pod.metadata?.name ?? "",
        uid: pod.metadata?.uid ?? "",
    };
    const { fetch, fetchForDoctor } = fetchers(request.depth);
    const run = (...command: string[]) => inAgent(clients, agent, command);
    const [status, nodes, health] = await Promise.all([
        fetch(async () => {
            const output = await run("cilium-dbg", "status", "-o", "json");
            return { lagging: await withCauses(clients, agent, request.depth, laggingPeers(output, request.peers)), ids: idsIn(output) };
        }),
        fetchForDoctor(async () => nodeListProblems(await run("cilium-dbg", "node", "list", "-o", "json"), request.nodes)),
        fetchForDoctor(async () => failedProbes(await run("cilium-health", "status", "-o", "json"))),
    ]);
    return {
        node: agent.node,
        pod: agent.pod,
        ready: (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
        version: imageVersion(pod),
        started: startTime(pod),
        lagging: "value" in status ? { value: status.value.lagging } : status,
        ids: "value" in status ? { value: status.value.ids } : status,
        nodes,
        health,
    };
}

/** An agent's status only says that it is not connected; the cause comes from troubleshoot. */
async function withCauses(clients: Clients, agent: Agent, depth: Depth, lagging: readonly LaggingPeer[]) {
    if (depth !== "doctor") return [...lagging];
    return parallel(lagging, MAX_PARALLEL, async (peer) => {
        const trouble = await inAgent(clients, agent, ["cilium-dbg", "troubleshoot", "clustermesh", peer.peer]).then(
            firstTrouble,
            () => undefined,
        );
        return { ...peer, ...(trouble && { trouble }) };
    });
}

/** When the agent's process started; if it does not run, when its pod was created. */
function startTime({ status, metadata }: V1Pod): string {
    const { state } = status?.containerStatuses?.find(({ name }) => name === "cilium-agent") ?? {};
    return new Date(state?.running?.startedAt ?? metadata?.creationTimestamp ?? 0).toISOString();
}

function idsIn(status: string) {
    const { own, peers } = seenIds(status);
    return { ...(own !== undefined && { own }), peers: Object.fromEntries(peers) };
}

/** "1.20.2" of "quay.io/cilium/cilium:v1.20.2@sha256:..." */
function imageVersion({ spec }: V1Pod): string {
    const image = spec?.containers.find(({ name }) => name === "cilium-agent")?.image ?? "";
    return /:v?(\d[^@/]*)(?:@|$)/.exec(image)?.[1] ?? image;
}

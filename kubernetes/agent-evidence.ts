import { CoreV1Api, type V1Pod } from "@kubernetes/client-node";
import { failedProbes } from "../core/cilium/health.ts";
import { nodeListProblems } from "../core/cilium/node-list.ts";
import { firstTrouble, laggingPeers, seenIds } from "../core/cilium/readiness.ts";
import { type AgentEvidence, attempt, type Known, LEFT_OUT } from "../core/doctor/evidence.ts";
import type { Agent } from "../core/gate.ts";
import { parallel } from "../core/parallel.ts";
import { explain } from "../core/text/explain.ts";
import { MAX_PARALLEL } from "../core/verify/testbed.ts";
import { inAgent } from "./agents.ts";
import type { Clients } from "./clients.ts";
import type { Asked } from "./evidence.ts";

const NAMESPACE = "kube-system";

/** What each agent of a cluster says, those that do not answer included. @throws Error when the API server does not list them */
export async function agentsOf(
    clients: Clients,
    { cluster, peers, depth }: Asked,
    nodes: ReadonlyMap<string, readonly string[]>,
): Promise<AgentEvidence[]> {
    const { items } = await clients
        .client(cluster.name, CoreV1Api)
        .listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=cilium" });
    const living = items.filter(({ metadata }) => !metadata?.deletionTimestamp);
    return parallel(living, MAX_PARALLEL, async (pod) => {
        const agent: Agent = {
            cluster: cluster.name,
            node: pod.spec?.nodeName ?? "",
            pod: pod.metadata?.name ?? "",
            uid: pod.metadata?.uid ?? "",
        };
        const ask = <T>(parse: (output: string) => T | Promise<T>, ...command: string[]) =>
            attempt(async () => parse(await inAgent(clients, agent, command)), explain);
        const deep = <T>(parse: (output: string) => T, ...command: string[]): Promise<Known<T>> =>
            depth === "doctor" ? ask(parse, ...command) : Promise.resolve(LEFT_OUT);
        const [status, known, health] = await Promise.all([
            ask(
                async (output) => ({ lagging: await explained(laggingPeers(output, peers)), ids: idsIn(output) }),
                "cilium-dbg",
                "status",
                "-o",
                "json",
            ),
            deep((output) => nodeListProblems(output, nodes), "cilium-dbg", "node", "list", "-o", "json"),
            deep(failedProbes, "cilium-health", "status", "-o", "json"),
        ]);
        return {
            node: agent.node,
            pod: agent.pod,
            ready: (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
            version: imageVersion(pod),
            started: startOf(pod),
            lagging: "value" in status ? { value: status.value.lagging } : status,
            ids: "value" in status ? { value: status.value.ids } : status,
            nodes: known,
            health,
        };

        /** Status says that there is no connection, and never why. */
        async function explained(lagging: { peer: string; why: string }[]) {
            if (depth !== "doctor") return lagging;
            return parallel(lagging, MAX_PARALLEL, async (one) => {
                const trouble = await inAgent(clients, agent, ["cilium-dbg", "troubleshoot", "clustermesh", one.peer]).then(
                    firstTrouble,
                    () => undefined,
                );
                return { ...one, ...(trouble && { trouble }) };
            });
        }
    });
}

/** When the agent's process began; of one that does not run, when its pod did. */
function startOf({ status, metadata }: V1Pod): string {
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

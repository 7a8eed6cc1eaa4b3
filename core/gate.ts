import { setTimeout as sleep } from "node:timers/promises";
import { type LaggingPeer, laggingPeers } from "./cilium/readiness.ts";
import { parallel } from "./parallel.ts";
import { explain } from "./text/explain.ts";

/** A Cilium agent of some node. */
export interface Agent {
    cluster: string;
    node: string;
    pod: string;
    /** Of the pod: a restarted agent has another. */
    uid: string;
}

/** The agents of the mesh's clusters, as the gate needs them. */
export interface Agents {
    /** Agents that run, and how many nodes should have one. */
    list(cluster: string): Promise<{ running: Agent[]; expected: number }>;
    /** Output of `cilium-dbg status -o json`. */
    status(agent: Agent): Promise<string>;
    restart(agent: Agent): Promise<void>;
}

export interface GateSettings {
    /** Each cluster's peers, by name. */
    peers: Record<string, string[]>;
    timeoutSeconds: number;
    healAfterSeconds: number;
}

export interface Clock {
    /** Milliseconds. */
    now(): number;
    sleep(milliseconds: number): Promise<void>;
}

/** The machine's own clock. @param signal once aborted, sleepers are woken by its reason */
export function machineClock(signal?: AbortSignal): Clock {
    return { now: Date.now, sleep: (milliseconds) => sleep(milliseconds, undefined, { ...(signal && { signal }) }) };
}

const POLL_MILLISECONDS = 3000;
/** Restarts of the agent of one node: a third would not help either. */
const MOST_RESTARTS = 2;
/** Agents asked at a time, so that a large cluster's API server is not flooded. */
const MOST_ASKED = 16;

/** A cluster's state at one look: what is wrong, by agent, and how many are well. */
interface Look {
    ready: number;
    expected: number;
    behind: { agent: Agent; peers: LaggingPeer[] }[];
    /** Why the cluster could not be looked at. */
    unreachable?: string;
}

/**
 * Waits until every agent of every cluster sees all its peers ready and synced. An agent that stays behind is restarted, at most twice. Progress goes to
 * `tell`, a line for each change.
 *
 * @throws Error after `timeoutSeconds`, with every agent that is behind, why, and what to do next
 */
export async function awaitMesh(settings: GateSettings, agents: Agents, clock: Clock, log: (line: string) => void): Promise<void> {
    const start = clock.now();
    const elapsed = () => Math.round((clock.now() - start) / 1000);
    const clusters = Object.keys(settings.peers);
    const well = new Set<string>();
    const behindSince = new Map<string, number>();
    const restarts = new Map<string, number>();
    const told = new Map<string, string>();

    for (;;) {
        const looks = new Map(await Promise.all(clusters.map(async (cluster) => [cluster, await look(cluster)] as const)));
        for (const [cluster, seen] of looks) report(cluster, seen);
        if ([...looks.values()].every(isReady)) return;
        if (elapsed() >= settings.timeoutSeconds) throw new Error(failure(looks, settings.timeoutSeconds, restarts));
        for (const { behind } of looks.values()) for (const { agent } of behind) await heal(agent);
        await clock.sleep(POLL_MILLISECONDS);
    }

    async function look(cluster: string): Promise<Look> {
        try {
            const { running, expected } = await agents.list(cluster);
            const unknown = running.filter(({ uid }) => !well.has(uid));
            const asked = await parallel(unknown, MOST_ASKED, async (agent) => ({ agent, peers: await ask(agent) }));
            for (const { agent, peers } of asked) if (peers.length === 0) well.add(agent.uid);
            const behind = asked.filter(({ peers }) => peers.length > 0);
            return { ready: running.length - behind.length, expected, behind };
        } catch (error) {
            return { ready: 0, expected: 0, behind: [], unreachable: explain(error) };
        }
    }

    async function ask(agent: Agent): Promise<LaggingPeer[]> {
        const peers = settings.peers[agent.cluster] ?? [];
        try {
            return laggingPeers(await agents.status(agent), peers);
        } catch (error) {
            return peers.map((peer) => ({ peer, why: `the agent does not answer (${explain(error)})` }));
        }
    }

    async function heal(agent: Agent): Promise<void> {
        const since = behindSince.get(agent.uid) ?? clock.now();
        behindSince.set(agent.uid, since);
        const node = `${agent.cluster}/${agent.node}`;
        const before = restarts.get(node) ?? 0;
        if ((clock.now() - since) / 1000 < settings.healAfterSeconds || before >= MOST_RESTARTS) return;
        restarts.set(node, before + 1);
        behindSince.delete(agent.uid);
        log(
            `${elapsed()} s  ${agent.cluster}: restarting the agent of ${agent.node}, which stayed behind for ${settings.healAfterSeconds} s (${before + 1} of ${MOST_RESTARTS})`,
        );
        // A failure here is seen again at the next look.
        await agents.restart(agent).catch((error) => log(`${elapsed()} s  ${agent.cluster}: that failed (${explain(error)})`));
    }

    function report(cluster: string, seen: Look): void {
        const line = summary(cluster, seen);
        if (told.get(cluster) !== line) log(`${elapsed()} s  ${line}`);
        told.set(cluster, line);
    }
}

function isReady({ ready, expected, behind, unreachable }: Look): boolean {
    return !unreachable && behind.length === 0 && expected > 0 && ready >= expected;
}

function summary(cluster: string, { ready, expected, behind, unreachable }: Look): string {
    if (unreachable) return `${cluster}: cannot be asked (${unreachable})`;
    const [first] = behind;
    const example = first && `; ${first.agent.node} waits for ${first.peers.map(({ peer, why }) => `${peer}: ${why}`).join(", ")}`;
    return `${cluster}: ${ready} of ${expected} agents see every other cluster${example ?? ""}`;
}

function failure(looks: Map<string, Look>, timeoutSeconds: number, restarts: Map<string, number>): string {
    const lines = [...looks]
        .filter(([, seen]) => !isReady(seen))
        .flatMap(([cluster, seen]) => {
            if (seen.unreachable)
                return [
                    `✖ ${cluster}: its API server cannot be asked: ${seen.unreachable}`,
                    `  try: kubectl get nodes, with the kubeconfig of ${cluster}`,
                ];
            const absent = seen.expected - seen.ready - seen.behind.length;
            return [
                ...(absent > 0 || seen.expected === 0
                    ? [
                          `✖ ${cluster}: ${Math.max(absent, 0)} of ${seen.expected} nodes have no running agent`,
                          "  try: kubectl -n kube-system get pods -l k8s-app=cilium -o wide",
                      ]
                    : []),
                ...seen.behind.flatMap(({ agent, peers }) => [
                    ...peers.map(({ peer, why }) => `✖ ${cluster}, agent of ${agent.node}: ${peer}: ${why}`),
                    ...(restarts.get(`${cluster}/${agent.node}`)
                        ? [`  it was restarted ${restarts.get(`${cluster}/${agent.node}`)} times`]
                        : []),
                    `  try: kubectl -n kube-system exec ${agent.pod} -c cilium-agent -- cilium-dbg troubleshoot clustermesh ${peers.map(({ peer }) => peer).join(" ")}`,
                ]),
            ];
        });
    return [
        `the mesh is not ready after ${timeoutSeconds} s:`,
        ...lines,
        "run `pulumi up` again to go on waiting; nothing that was made is lost",
    ].join("\n");
}

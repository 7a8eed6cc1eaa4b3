import { setTimeout as sleep } from "node:timers/promises";
import { type LaggingPeer, laggingPeers } from "./cilium/readiness.ts";
import { parallel } from "./parallel.ts";
import { explain } from "./text/explain.ts";

/** The Cilium agent on a node. */
export interface Agent {
    cluster: string;
    node: string;
    pod: string;
    /** The pod's; changes when the agent is restarted. */
    uid: string;
}

/** What the gate needs from the agents of the mesh's clusters. */
export interface Agents {
    /** Running agents, and the number of nodes that should have one. */
    list(cluster: string): Promise<{ running: Agent[]; expected: number }>;
    /** Output of `cilium-dbg status -o json`. */
    status(agent: Agent): Promise<string>;
    restart(agent: Agent): Promise<void>;
}

interface GateSettings {
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

/**
 * The machine's own clock.
 *
 * @param signal once aborted, `sleep` rejects with its reason
 */
export function machineClock(signal?: AbortSignal): Clock {
    return { now: Date.now, sleep: (milliseconds) => sleep(milliseconds, undefined, { ...(signal && { signal }) }) };
}

const POLL_MILLISECONDS = 3000;
/** Restarts of the agent on one node: a third would not help either. */
const MAX_RESTARTS = 2;
/** Agents queried in parallel, to protect a large cluster's API server. */
const MAX_PARALLEL = 16;

/** A cluster's state at one point in time. */
interface Snapshot {
    ready: number;
    expected: number;
    behind: { agent: Agent; peers: LaggingPeer[] }[];
    /** Why the API server request failed. */
    unreachable?: string;
}

/**
 * Waits until every agent of every cluster sees all its peers ready and synced. An agent that stays behind is restarted, at most twice. Progress goes to `log`,
 * one line per change.
 *
 * @throws Error after `timeoutSeconds`, with every agent that is behind, why, and the next command
 */
export async function awaitMesh(settings: GateSettings, agents: Agents, clock: Clock, log: (line: string) => void): Promise<void> {
    await new Gate(settings, agents, clock, log).wait();
}

class Gate {
    readonly #settings: GateSettings;
    readonly #agents: Agents;
    readonly #clock: Clock;
    readonly #log: (line: string) => void;
    readonly #start: number;
    /** Uids of agents that were ready once; they are not queried again. */
    readonly #readyAgents = new Set<string>();
    /** By uid. */
    readonly #behindSince = new Map<string, number>();
    /** By node. */
    readonly #restarts = new Map<string, number>();
    /** The last line of each cluster. */
    readonly #logged = new Map<string, string>();

    constructor(settings: GateSettings, agents: Agents, clock: Clock, log: (line: string) => void) {
        this.#settings = settings;
        this.#agents = agents;
        this.#clock = clock;
        this.#log = log;
        this.#start = clock.now();
    }

    async wait(): Promise<void> {
        const { peers, timeoutSeconds } = this.#settings;
        for (;;) {
            const snapshots = new Map(
                await Promise.all(Object.keys(peers).map(async (cluster) => [cluster, await this.#takeSnapshot(cluster)] as const)),
            );
            this.#logChanges(snapshots);
            if ([...snapshots.values()].every(isReady)) return;
            if (this.#elapsedSeconds() >= timeoutSeconds) throw new Error(timeoutMessage(snapshots, timeoutSeconds, this.#restarts));
            for (const { behind } of snapshots.values()) for (const { agent } of behind) await this.#heal(agent);
            await this.#clock.sleep(POLL_MILLISECONDS);
        }
    }

    async #takeSnapshot(cluster: string): Promise<Snapshot> {
        try {
            const { running, expected } = await this.#agents.list(cluster);
            const unknown = running.filter(({ uid }) => !this.#readyAgents.has(uid));
            const queried = await parallel(unknown, MAX_PARALLEL, async (agent) => ({ agent, peers: await this.#laggingPeers(agent) }));
            for (const { agent, peers } of queried) if (peers.length === 0) this.#readyAgents.add(agent.uid);
            const behind = queried.filter(({ peers }) => peers.length > 0);
            return { ready: running.length - behind.length, expected, behind };
        } catch (error) {
            return { ready: 0, expected: 0, behind: [], unreachable: explain(error) };
        }
    }

    async #laggingPeers(agent: Agent): Promise<LaggingPeer[]> {
        const peers = this.#settings.peers[agent.cluster] ?? [];
        try {
            return laggingPeers(await this.#agents.status(agent), peers);
        } catch (error) {
            return peers.map((peer) => ({ peer, why: `the agent does not answer (${explain(error)})` }));
        }
    }

    /** Restarts an agent that has been behind for long enough. */
    async #heal(agent: Agent): Promise<void> {
        const { healAfterSeconds } = this.#settings;
        const since = this.#behindSince.get(agent.uid) ?? this.#clock.now();
        this.#behindSince.set(agent.uid, since);
        const node = `${agent.cluster}/${agent.node}`;
        const before = this.#restarts.get(node) ?? 0;
        if ((this.#clock.now() - since) / 1000 < healAfterSeconds || before >= MAX_RESTARTS) return;
        this.#restarts.set(node, before + 1);
        this.#behindSince.delete(agent.uid);
        const count = `restart ${before + 1} of ${MAX_RESTARTS}`;
        this.#logLine(`${agent.cluster}: restarting the agent on ${agent.node}, behind for ${healAfterSeconds} s (${count})`);
        // If this fails, the next snapshot shows it.
        await this.#agents.restart(agent).catch((error) => this.#logLine(`${agent.cluster}: the restart failed (${explain(error)})`));
    }

    #logChanges(snapshots: ReadonlyMap<string, Snapshot>): void {
        for (const [cluster, snapshot] of snapshots) {
            const line = summary(cluster, snapshot);
            if (this.#logged.get(cluster) !== line) this.#logLine(line);
            this.#logged.set(cluster, line);
        }
    }

    #logLine(line: string): void {
        this.#log(`${this.#elapsedSeconds()} s  ${line}`);
    }

    #elapsedSeconds(): number {
        return Math.round((this.#clock.now() - this.#start) / 1000);
    }
}

function isReady({ ready, expected, behind, unreachable }: Snapshot): boolean {
    return !unreachable && behind.length === 0 && expected > 0 && ready >= expected;
}

function summary(cluster: string, { ready, expected, behind, unreachable }: Snapshot): string {
    if (unreachable) return `${cluster}: request to its API server failed (${unreachable})`;
    const [first] = behind;
    const example = first && `; ${first.agent.node} waits for ${first.peers.map(({ peer, why }) => `${peer}: ${why}`).join(", ")}`;
    return `${cluster}: ${ready} of ${expected} agents see every other cluster${example ?? ""}`;
}

function timeoutMessage(snapshots: ReadonlyMap<string, Snapshot>, timeoutSeconds: number, restarts: ReadonlyMap<string, number>): string {
    return [
        `the mesh is not ready; timed out after ${timeoutSeconds} s:`,
        ...[...snapshots]
            .filter(([, snapshot]) => !isReady(snapshot))
            .flatMap(([cluster, snapshot]) => problems(cluster, snapshot, restarts)),
        "run `pulumi up` again to continue waiting; everything that was created is kept",
    ].join("\n");
}

function problems(cluster: string, { ready, expected, behind, unreachable }: Snapshot, restarts: ReadonlyMap<string, number>): string[] {
    if (unreachable)
        return [
            `✖ ${cluster}: request to its API server failed: ${unreachable}`,
            `  try: kubectl get nodes, with the kubeconfig of ${cluster}`,
        ];
    const absent = expected - ready - behind.length;
    return [
        ...(absent > 0 || expected === 0
            ? [
                  `✖ ${cluster}: ${Math.max(absent, 0)} of ${expected} nodes have no running agent`,
                  "  try: kubectl -n kube-system get pods -l k8s-app=cilium -o wide",
              ]
            : []),
        ...behind.flatMap(({ agent, peers }) => {
            const restarted = restarts.get(`${cluster}/${agent.node}`);
            return [
                ...peers.map(({ peer, why }) => `✖ ${cluster}, agent on ${agent.node}: ${peer}: ${why}`),
                ...(restarted ? [`  the agent was restarted ${restarted} times`] : []),
                `  try: kubectl -n kube-system exec ${agent.pod} -c cilium-agent -- cilium-dbg troubleshoot clustermesh ${peers.map(({ peer }) => peer).join(" ")}`,
            ];
        }),
    ];
}

import { z } from "zod";

/** A remote cluster in `cilium-dbg status -o json`. Fields that are false or 0 are left out there, so a missing one is no error (api/v1/models). */
const RemoteCluster = z.looseObject({
    name: z.string(),
    ready: z.boolean().default(false),
    connected: z.boolean().default(false),
    status: z.string().default(""),
    "num-failures": z.int().default(0),
    config: z.looseObject({ retrieved: z.boolean().default(false), "cluster-id": z.int().optional() }).prefault({}),
    synced: z
        .looseObject({
            nodes: z.boolean().default(false),
            endpoints: z.boolean().default(false),
            identities: z.boolean().default(false),
            services: z.boolean().default(false),
        })
        .prefault({}),
});

const AgentStatus = z.looseObject({
    "cluster-mesh": z.looseObject({ clusters: z.array(RemoteCluster).default([]) }).prefault({}),
    "identity-range": z.looseObject({ "min-identity": z.int().optional() }).prefault({}),
});

/** Identities of cluster n begin at n times this, with at most 255 clusters (Cilium's pkg/identity/numericidentity.go). No status tells the id itself. */
const IDENTITIES_OF_A_CLUSTER = 65_536;

/** A peer that an agent does not (fully) see. */
export interface LaggingPeer {
    peer: string;
    /** What is missing, in the order in which a connection comes about. */
    why: string;
}

/**
 * Peers that the agent does not see ready and synced. Empty: the agent is part of the mesh.
 *
 * @param statusJson output of `cilium-dbg status -o json`
 * @throws Error when the output is no agent's status
 */
export function laggingPeers(statusJson: string, peers: readonly string[]): LaggingPeer[] {
    const status = AgentStatus.parse(JSON.parse(statusJson));
    const { clusters } = status["cluster-mesh"];
    return peers.flatMap((peer) => {
        const remote = clusters.find(({ name }) => name === peer);
        const why = missing(remote, ownId(status));
        return why ? [{ peer, why }] : [];
    });
}

/** Cluster ids as an agent has them. */
export interface SeenIds {
    /** With which it runs itself; undefined: it does not say. */
    own: number | undefined;
    /** What each peer's etcd tells of its cluster, by name. */
    peers: Map<string, number>;
}

/** @param statusJson output of `cilium-dbg status -o json` @throws Error when the output is no agent's status */
export function seenIds(statusJson: string): SeenIds {
    const status = AgentStatus.parse(JSON.parse(statusJson));
    const told = status["cluster-mesh"].clusters.flatMap(({ name, config: { "cluster-id": id } }) => (id ? [[name, id] as const] : []));
    return { own: ownId(status), peers: new Map(told) };
}

function ownId({ "identity-range": { "min-identity": least } }: z.infer<typeof AgentStatus>): number | undefined {
    return least === undefined ? undefined : Math.floor(least / IDENTITIES_OF_A_CLUSTER);
}

function missing(remote: z.infer<typeof RemoteCluster> | undefined, own: number | undefined): string | undefined {
    if (!remote) return "not configured: the agent has not read the secret cilium-clustermesh yet";
    if (!remote.connected) return `no connection to its etcd after ${remote["num-failures"]} failures (${firstLine(remote.status)})`;
    if (!remote.config.retrieved) return "connected, but its cluster configuration cannot be read";
    // Cilium says so in its log alone; in its status it is a peer whose data never come.
    if (own !== undefined && remote.config["cluster-id"] === own)
        return `refused: it has cluster id ${own}, with which this agent runs itself`;
    const { nodes, endpoints, identities, services } = remote.synced;
    const unsynced = Object.entries({ nodes, endpoints, identities, services }).flatMap(([what, done]) => (done ? [] : [what]));
    if (unsynced.length > 0) return `connected, but its ${unsynced.join(", ")} are not here yet`;
    return remote.ready ? undefined : `not ready (${firstLine(remote.status)})`;
}

function firstLine(text: string): string {
    return text.split("\n", 1)[0]?.trim() || "the agent gives no reason";
}

/** The first thing that `cilium-dbg troubleshoot clustermesh` found wrong, in its words; undefined: nothing. What follows in its output is a consequence. */
export function firstTrouble(output: string): string | undefined {
    return /❌ *(.+)/.exec(output)?.[1]?.trim();
}

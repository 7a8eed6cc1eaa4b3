import { z } from "zod";

/** A remote cluster in `cilium-dbg status -o json`. Fields that are false or 0 are omitted there, so a missing field is valid (api/v1/models). */
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

/** Identities of cluster n start at n times this number, with at most 255 clusters (Cilium's pkg/identity/numericidentity.go). No status shows the id itself. */
const IDENTITIES_OF_A_CLUSTER = 65_536;

/** A peer that is not ready for an agent. */
export interface LaggingPeer {
    peer: string;
    /** The first missing step, in the order in which a connection is established. */
    why: string;
}

/**
 * Peers that are not ready and synchronized for the agent. Empty when the agent sees the whole mesh.
 *
 * @param statusJson output of `cilium-dbg status -o json`
 * @throws Error when the output is not an agent's status
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

/** Cluster ids that an agent reports. */
export interface SeenIds {
    /** Its own id; undefined if the status does not show it. */
    own: number | undefined;
    /** The ids that the peers' etcds report, by cluster name. */
    peers: Map<string, number>;
}

/**
 * The cluster ids in an agent's status.
 *
 * @param statusJson output of `cilium-dbg status -o json`
 * @throws Error when the output is not an agent's status
 */
export function seenIds(statusJson: string): SeenIds {
    const status = AgentStatus.parse(JSON.parse(statusJson));
    const reported = status["cluster-mesh"].clusters.flatMap(({ name, config: { "cluster-id": id } }) => (id ? [[name, id] as const] : []));
    return { own: ownId(status), peers: new Map(reported) };
}

function ownId({ "identity-range": { "min-identity": least } }: z.infer<typeof AgentStatus>): number | undefined {
    return least === undefined ? undefined : Math.floor(least / IDENTITIES_OF_A_CLUSTER);
}

function missing(remote: z.infer<typeof RemoteCluster> | undefined, own: number | undefined): string | undefined {
    if (!remote) return "not configured: the agent has not read the Secret cilium-clustermesh yet";
    if (!remote.connected) return `no connection to its etcd after ${remote["num-failures"]} failures (${firstLine(remote.status)})`;
    if (!remote.config.retrieved) return "connected, but its cluster configuration cannot be read";
    // Cilium reports this only in its log; in its status the peer's data never arrive.
    if (own !== undefined && remote.config["cluster-id"] === own)
        return `refused: it has cluster id ${own}, the same as this agent's own cluster`;
    const { nodes, endpoints, identities, services } = remote.synced;
    const unsynced = Object.entries({ nodes, endpoints, identities, services }).flatMap(([what, done]) => (done ? [] : [what]));
    if (unsynced.length > 0) return `connected, synchronization in progress for ${unsynced.join(", ")}`;
    return remote.ready ? undefined : `not ready (${firstLine(remote.status)})`;
}

function firstLine(text: string): string {
    return text.split("\n", 1)[0]?.trim() || "the agent reports no reason";
}

/** The first problem in the output of `cilium-dbg troubleshoot clustermesh`; undefined if there is none. Later problems are consequences of it. */
export function firstTrouble(output: string): string | undefined {
    return /❌ *(.+)/.exec(output)?.[1]?.trim();
}

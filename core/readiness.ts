import { z } from "zod";

/** A remote cluster in `cilium-dbg status -o json`. Fields that are false or 0 are left out there, so a missing one is no error (api/v1/models). */
const RemoteCluster = z.looseObject({
    name: z.string(),
    ready: z.boolean().default(false),
    connected: z.boolean().default(false),
    status: z.string().default(""),
    "num-failures": z.int().default(0),
    config: z.looseObject({ retrieved: z.boolean().default(false) }).prefault({}),
    synced: z
        .looseObject({
            nodes: z.boolean().default(false),
            endpoints: z.boolean().default(false),
            identities: z.boolean().default(false),
            services: z.boolean().default(false),
        })
        .prefault({}),
});

const AgentStatus = z.looseObject({ "cluster-mesh": z.looseObject({ clusters: z.array(RemoteCluster).default([]) }).prefault({}) });

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
    const { clusters } = AgentStatus.parse(JSON.parse(statusJson))["cluster-mesh"];
    return peers.flatMap((peer) => {
        const why = missing(clusters.find(({ name }) => name === peer));
        return why ? [{ peer, why }] : [];
    });
}

function missing(remote: z.infer<typeof RemoteCluster> | undefined): string | undefined {
    if (!remote) return "not configured: the agent has not read the secret cilium-clustermesh yet";
    if (!remote.connected) return `no connection to its etcd after ${remote["num-failures"]} failures (${firstLine(remote.status)})`;
    if (!remote.config.retrieved) return "connected, but its cluster configuration cannot be read";
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

import { z } from "zod";

/** A remote cluster, as `GET /v1/cluster` of kvstoremesh and an agent's status report it (Cilium's api/v1/models). */
const RemoteCluster = z.looseObject({ name: z.string(), connected: z.boolean().default(false), status: z.string().default("") });
export type RemoteCluster = z.infer<typeof RemoteCluster>;

/** @throws Error if the JSON is not a response of that API */
export function parseRemoteClusters(json: string): RemoteCluster[] {
    return z.array(RemoteCluster).parse(JSON.parse(json));
}

/** A peer, as an agent sees it. */
export interface Peer {
    name: string;
    /** What the cluster's client reports. Undefined: it does not know the peer. */
    remote?: RemoteCluster | undefined;
    /** Why the peer is not connected, if the client does not report it. */
    why?: string | undefined;
    /** Why this agent's node cannot reach the peer. Other nodes may. */
    unreachable?: string | undefined;
}

/**
 * What `cilium-dbg status -o json` prints of the mesh in an agent with these peers: what the client reports, unless the agent's own node
 * cannot reach the peer.
 */
export function agentStatus(peers: readonly Peer[]): string {
    const clusters = peers.map(({ name, remote, why, unreachable }) => {
        if (unreachable) return { name, status: unreachable, "num-failures": 1 };
        if (!remote) return { name, status: why ?? "", "num-failures": 1 };
        return remote.connected || !why ? remote : { ...remote, status: `${remote.status}: ${why}` };
    });
    return JSON.stringify({ cilium: { state: "Ok" }, "cluster-mesh": { clusters } });
}

import { z } from "zod";

/** What `GET /v1/cluster` of kvstoremesh says of a cluster that it reads; the same as an agent's status does (Cilium's api/v1/models). */
const RemoteCluster = z.looseObject({ name: z.string(), connected: z.boolean().default(false), status: z.string().default("") });
export type RemoteCluster = z.infer<typeof RemoteCluster>;

/** @throws Error when it is no such answer */
export function parseRemoteClusters(json: string): RemoteCluster[] {
    return z.array(RemoteCluster).parse(JSON.parse(json));
}

/** A peer in an agent's view. */
export interface Peer {
    name: string;
    /** What the cluster's client says of it; none: it does not know the peer. */
    remote?: RemoteCluster | undefined;
    /** Why there is no connection, when the client does not say it itself. */
    why?: string | undefined;
    /** Why this agent's node would not reach the peer, though another's may. */
    unreachable?: string | undefined;
}

/** What `cilium-dbg status -o json` says of the mesh in an agent whose peers are these. It is as far as the client is, and no farther than its own node's packets. */
export function agentStatus(peers: readonly Peer[]): string {
    const clusters = peers.map(({ name, remote, why, unreachable }) => {
        if (unreachable) return { name, status: unreachable, "num-failures": 1 };
        if (!remote) return { name, status: why ?? "", "num-failures": 1 };
        return remote.connected || !why ? remote : { ...remote, status: `${remote.status}: ${why}` };
    });
    return JSON.stringify({ cilium: { state: "Ok" }, "cluster-mesh": { clusters } });
}

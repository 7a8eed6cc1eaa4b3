import { X509Certificate } from "node:crypto";
import {
    type HostAlias,
    LOCAL_ETCD_HOSTNAME,
    MOUNT_PATH,
    type ParsedPeer,
    parseClustermesh,
} from "../../../core/cilium/clustermesh-config.ts";

/** What an agent's pod sees: its cluster's secrets, as files, and its hosts file. */
export interface AgentView {
    cluster: string;
    /** Address of its node: agents use the host network. */
    address: string;
    /** Files of `cilium-clustermesh`. */
    clustermesh: Record<string, string>;
    /** Files of `cilium-kvstoremesh`. */
    kvstoremesh: Record<string, string>;
    hostAliases: { ip: string; hostnames: string[] }[];
}

/** An etcd that listens on an address. */
export interface Etcd {
    cluster: string;
    /** The server's certificate and the CA of the clients that it accepts, PEM. */
    certificate: string;
    clientCa: string;
}

/** The network, and the etcds in it. */
export interface World {
    /** Opens a TCP connection. @returns the etcd, or why packets are lost */
    dial(from: string, to: string, port: number): Promise<Etcd | { dropped: string }>;
}

interface RemoteCluster {
    name: string;
    ready?: true;
    connected?: true;
    status: string;
    "num-failures"?: number;
    config?: { required: true; retrieved: true };
    synced?: { nodes: true; endpoints: true; identities: true; services: true };
}

/**
 * Computes what `cilium-dbg status -o json` would print of the mesh: no agent runs on the lab's simulated nodes. Parses the Secret,
 * resolves the name, computes the path and verifies the certificates of both sides. No data is synced, so a connected peer counts as
 * synced.
 */
export async function simulatedAgentStatus(view: AgentView, world: World): Promise<string> {
    const clusters = await Promise.all(
        [...parseClustermesh(view.clustermesh, view.cluster)].map(([name, peer]) => remoteCluster(name, peer, view, world)),
    );
    return JSON.stringify({ cilium: { state: "Ok" }, "cluster-mesh": { clusters } });
}

async function remoteCluster(name: string, peer: ParsedPeer, view: AgentView, world: World): Promise<RemoteCluster> {
    const local = peer.endpoints.some((endpoint) => new URL(endpoint).hostname === LOCAL_ETCD_HOSTNAME);
    // With KVStoreMesh the agent reads from its own cluster what kvstoremesh has read from the peer: it is as far as kvstoremesh.
    const remote = local ? parseClustermesh(view.kvstoremesh, view.cluster).get(name) : peer;
    const files = local ? view.kvstoremesh : view.clustermesh;
    const problem = remote ? await connect(name, remote, files, view, world) : `${name} is not in the Secret cilium-kvstoremesh`;
    if (problem) return { name, status: problem, "num-failures": 1 };
    return {
        name,
        ready: true,
        connected: true,
        status: `etcd: 1/1 connected, has-quorum=true: ${remote?.endpoints[0]} - 3.7.1 (Leader)`,
        config: { required: true, retrieved: true },
        synced: { nodes: true, endpoints: true, identities: true, services: true },
    };
}

/** Why the peer's etcd cannot be connected. Undefined: it is connected. */
async function connect(
    name: string,
    peer: ParsedPeer,
    files: Record<string, string>,
    view: AgentView,
    world: World,
): Promise<string | undefined> {
    const { hostname, port } = new URL(peer.endpoints[0] ?? "");
    const addresses = resolve(hostname, peer.hostAliases, view);
    if (addresses.length === 0) return `dial tcp: lookup ${hostname}: no such host`;
    const drops: string[] = [];
    for (const address of addresses) {
        const answer = await world.dial(view.address, address, Number(port));
        if ("dropped" in answer) drops.push(`dial tcp ${address}:${port}: i/o timeout (${answer.dropped})`);
        else
            return answer.cluster === name
                ? handshake(hostname, peer, files, answer)
                : `remote cluster ${name} answers as ${answer.cluster}`;
    }
    return drops.join("; ");
}

function resolve(hostname: string, aliases: HostAlias[], view: AgentView): string[] {
    const own = aliases.filter((alias) => alias.hostname === hostname).flatMap(({ ips }) => ips);
    return own.length > 0 ? own : view.hostAliases.filter(({ hostnames }) => hostnames.includes(hostname)).map(({ ip }) => ip);
}

function handshake(hostname: string, peer: ParsedPeer, files: Record<string, string>, etcd: Etcd): string | undefined {
    const file = (path: string) => new X509Certificate(files[path.slice(MOUNT_PATH.length + 1)] ?? "");
    const [trusted, client, server, clientCa] = [
        file(peer.caFile),
        file(peer.certFile),
        new X509Certificate(etcd.certificate),
        new X509Certificate(etcd.clientCa),
    ];
    if (!server.verify(trusted.publicKey)) return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    if (!server.checkHost(hostname))
        return `tls: failed to verify certificate: x509: certificate is valid for ${server.subjectAltName}, not ${hostname}`;
    if (!client.verify(clientCa.publicKey)) return "remote error: tls: unknown certificate authority";
    if (!/^CN=remote$/.test(client.subject)) return `etcdserver: permission denied (user ${client.subject})`;
    return undefined;
}

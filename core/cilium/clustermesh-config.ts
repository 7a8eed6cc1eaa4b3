import { createHash } from "node:crypto";
import { parse, stringify } from "yaml";
import { problemList } from "../text/problems.ts";

/**
 * What the secrets `cilium-clustermesh` and `cilium-kvstoremesh` hold: a file for each peer, named after it, in the format of etcd's client config, and
 * the certificates that those files point at. Written and parsed as Cilium 1.20 does (pkg/clustermesh/common/config.go, remote_cluster.go; etcd's
 * clientv3/yaml).
 */

/** Where agents and kvstoremesh mount the secret. */
export const MOUNT_PATH = "/var/lib/cilium/clustermesh";

/** The port of every etcd of the mesh. */
export const ETCD_PORT = 2379;

export const MESH_DOMAIN = "mesh.cilium.io";

/** The name under which a cluster's etcd is dialled: the wildcard in its server certificate covers it. */
export function etcdHostname(cluster: string): string {
    return `${cluster}.${MESH_DOMAIN}`;
}

/** The name of the clustermesh-apiserver within its own cluster. */
export const LOCAL_ETCD_HOSTNAME = "clustermesh-apiserver.kube-system.svc";

/** File names of the TLS material that a peer handed out. They are those of the procedure of 2020 (`generate-secret-yaml.sh`). */
export function etcdClientFiles(peer: string) {
    return { ca: `${peer}.etcd-client-ca.crt`, key: `${peer}.etcd-client.key`, cert: `${peer}.etcd-client.crt` };
}

function entry(endpoint: string, files: { ca: string; key: string; cert: string }, aliases?: HostAlias[]): string {
    return stringify({
        endpoints: [`https://${endpoint}:${ETCD_PORT}`],
        "trusted-ca-file": `${MOUNT_PATH}/${files.ca}`,
        "key-file": `${MOUNT_PATH}/${files.key}`,
        "cert-file": `${MOUNT_PATH}/${files.cert}`,
        ...(aliases && { "cilium-host-aliases": aliases }),
    });
}

/** Direct wiring, in `cilium-clustermesh`: the agent dials the peer's etcd; the DaemonSet's hostAliases resolve its name. */
export function directEntry(peer: string): string {
    return entry(etcdHostname(peer), etcdClientFiles(peer));
}

/** KVStoreMesh wiring, in `cilium-kvstoremesh`: kvstoremesh dials the peer's etcd at the given addresses, without any hostAliases. */
export function kvstoremeshEntry(peer: string, addresses: string[]): string {
    return entry(etcdHostname(peer), etcdClientFiles(peer), [{ hostname: etcdHostname(peer), ips: addresses }]);
}

/** KVStoreMesh wiring, in `cilium-clustermesh`: the agent finds every peer in its own cluster's etcd, with the certificate that the chart mounts. */
export function cachedEntry(): string {
    return entry(LOCAL_ETCD_HOSTNAME, { ca: "local-etcd-client-ca.crt", key: "local-etcd-client.key", cert: "local-etcd-client.crt" });
}

/**
 * An entry with a first line that changes when the certificates do. Cilium connects anew when this file has changed, and does not look at the certificates beside it
 * (pkg/clustermesh/common/config.go): a peer with a new CA would stay lost until the agents are restarted.
 */
export function withCertificates(entry: string, { ca, cert }: { ca: string; cert: string }): string {
    return `# certificates ${createHash("sha256").update(ca).update(cert).digest("hex").slice(0, 16)}\n${entry}`;
}

/** A name that Cilium resolves by itself (its static dialer). */
export interface HostAlias {
    hostname: string;
    ips: string[];
}

/** A peer as Cilium understands it. */
export interface ParsedPeer {
    endpoints: string[];
    /** Paths, as written. */
    caFile: string;
    certFile: string;
    keyFile: string;
    hostAliases: HostAlias[];
}

/** Files that the chart mounts beside the secret's own (DaemonSet `cilium`, Deployment `clustermesh-apiserver`). */
const CHART_FILES = ["common", "local"].flatMap((who) => [".crt", ".key", "-ca.crt"].map((end) => `${who}-etcd-client${end}`));

/**
 * Reads a secret's files (plain text, by key) as a Cilium agent of cluster `self` does.
 *
 * @throws Error with every reason for which Cilium would refuse a peer or wait for ever: no usable endpoint, a file that is not there, an alias that
 * names nothing, or a key that Cilium would silently take for no peer at all.
 */
export function parseClustermesh(files: Record<string, string>, self: string): Map<string, ParsedPeer> {
    const problems: string[] = [];
    const peers = new Map<string, ParsedPeer>();
    const present = (path: string) => {
        const file = path.startsWith(`${MOUNT_PATH}/`) ? path.slice(MOUNT_PATH.length + 1) : undefined;
        return file !== undefined && (Object.hasOwn(files, file) || CHART_FILES.includes(file));
    };
    for (const [name, text] of Object.entries(files)) {
        // A file is a peer if it contains this string, whatever else it is; a cluster ignores the entry with its own name.
        if (!text.includes("endpoints:") || name === self) continue;
        const raw = parse(text) as Record<string, unknown>;
        const path = (key: string) => (typeof raw[key] === "string" ? raw[key] : "");
        const peer: ParsedPeer = {
            endpoints: Array.isArray(raw.endpoints) ? raw.endpoints.map(String) : [],
            caFile: path("trusted-ca-file"),
            certFile: path("cert-file"),
            keyFile: path("key-file"),
            hostAliases: (raw["cilium-host-aliases"] ?? []) as HostAlias[],
        };
        if (peer.endpoints.length === 0) problems.push(`${name}: no endpoints`);
        for (const endpoint of peer.endpoints) {
            if (!URL.canParse(endpoint) || new URL(endpoint).protocol !== "https:")
                problems.push(`${name}: endpoint "${endpoint}" is no https URL`);
        }
        for (const file of [peer.caFile, peer.certFile, peer.keyFile]) {
            if (!present(file)) problems.push(`${name}: file "${file}" is neither in the secret nor mounted by the chart`);
        }
        const hostnames = peer.hostAliases.map((alias) => alias.hostname);
        for (const alias of peer.hostAliases) {
            if (!alias.hostname) problems.push(`${name}: a host alias has no hostname`);
            if (!alias.ips?.length) problems.push(`${name}: host alias "${alias.hostname}" has no addresses`);
        }
        if (new Set(hostnames).size !== hostnames.length) problems.push(`${name}: a host alias is there twice`);
        peers.set(name, peer);
    }
    if (problems.length > 0) throw new Error(`Cilium would refuse this secret:\n${problemList(problems)}`);
    return peers;
}

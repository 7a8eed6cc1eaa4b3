import { createHash } from "node:crypto";
import { parse, stringify } from "yaml";
import { problemList } from "../text/problems.ts";

/**
 * The contents of the Secrets `cilium-clustermesh` and `cilium-kvstoremesh`: a file for each peer, named after it, in the format of etcd's client
 * configuration, and the certificates that those files reference. Written and parsed as Cilium 1.20 does (pkg/clustermesh/common/config.go,
 * remote_cluster.go; etcd's clientv3/yaml).
 */

/** Mount path of the Secret in agents and kvstoremesh. */
export const MOUNT_PATH = "/var/lib/cilium/clustermesh";

/** Port of every etcd in the mesh. */
export const ETCD_PORT = 2379;

export const MESH_DOMAIN = "mesh.cilium.io";

/** Host name of a cluster's etcd for its peers. The wildcard in the server certificate covers it. */
export function etcdHostname(cluster: string): string {
    return `${cluster}.${MESH_DOMAIN}`;
}

/** Host name of the clustermesh-apiserver within its own cluster. */
export const LOCAL_ETCD_HOSTNAME = "clustermesh-apiserver.kube-system.svc";

/** File names of the TLS material for a peer's etcd, the same as in the procedure of 2020 (`generate-secret-yaml.sh`). */
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

/** Entry in `cilium-clustermesh` for direct wiring: the agent connects to the peer's etcd, whose name the DaemonSet's hostAliases resolve. */
export function directEntry(peer: string): string {
    return entry(etcdHostname(peer), etcdClientFiles(peer));
}

/** Entry in `cilium-kvstoremesh` for KVStoreMesh wiring: kvstoremesh connects to the peer's etcd at the given addresses, without hostAliases. */
export function kvstoremeshEntry(peer: string, addresses: string[]): string {
    return entry(etcdHostname(peer), etcdClientFiles(peer), [{ hostname: etcdHostname(peer), ips: addresses }]);
}

/** Entry in `cilium-clustermesh` for KVStoreMesh wiring: the agent reads every peer from its own cluster's etcd, with the certificate that the chart mounts. */
export function cachedEntry(): string {
    return entry(LOCAL_ETCD_HOSTNAME, { ca: "local-etcd-client-ca.crt", key: "local-etcd-client.key", cert: "local-etcd-client.crt" });
}

/**
 * Adds a first line to an entry that changes with the certificates. Cilium reconnects only when the entry itself changes, not when the certificates that it
 * references do (pkg/clustermesh/common/config.go): a peer with a new CA would stay disconnected until the agents restart.
 */
export function withCertificates(entry: string, { ca, cert }: { ca: string; cert: string }): string {
    return `# certificates ${createHash("sha256").update(ca).update(cert).digest("hex").slice(0, 16)}\n${entry}`;
}

/** A host name that Cilium resolves itself (its static dialer). */
export interface HostAlias {
    hostname: string;
    ips: string[];
}

/** A peer as Cilium parses it. */
export interface ParsedPeer {
    endpoints: string[];
    /** Paths as in the file. */
    caFile: string;
    certFile: string;
    keyFile: string;
    hostAliases: HostAlias[];
}

/** Files that the chart mounts in addition to those of the Secret (DaemonSet `cilium`, Deployment `clustermesh-apiserver`). */
const CHART_FILES = ["common", "local"].flatMap((owner) => [".crt", ".key", "-ca.crt"].map((suffix) => `${owner}-etcd-client${suffix}`));

/**
 * Parses the files of a Secret (plain text by key) as a Cilium agent of cluster `self` does.
 *
 * @throws Error with every reason why Cilium would refuse a peer or wait forever: no usable endpoint, a file that does not exist, or a host alias without a name
 * or addresses
 */
export function parseClustermesh(files: Record<string, string>, self: string): Map<string, ParsedPeer> {
    const problems: string[] = [];
    const peers = new Map<string, ParsedPeer>();
    const present = (path: string) => {
        const file = path.startsWith(`${MOUNT_PATH}/`) ? path.slice(MOUNT_PATH.length + 1) : undefined;
        return file !== undefined && (Object.hasOwn(files, file) || CHART_FILES.includes(file));
    };
    for (const [name, text] of Object.entries(files)) {
        // Cilium takes every file that contains this string for a peer. A cluster ignores the entry with its own name.
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
                problems.push(`${name}: endpoint "${endpoint}" must be an https URL`);
        }
        for (const file of [peer.caFile, peer.certFile, peer.keyFile]) {
            if (!present(file)) problems.push(`${name}: file "${file}" must be in the Secret or mounted by the chart`);
        }
        const hostnames = peer.hostAliases.map((alias) => alias.hostname);
        for (const alias of peer.hostAliases) {
            if (!alias.hostname) problems.push(`${name}: a host alias has no hostname`);
            if (!alias.ips?.length) problems.push(`${name}: host alias "${alias.hostname}" has no addresses`);
        }
        if (new Set(hostnames).size !== hostnames.length) problems.push(`${name}: duplicate host aliases`);
        peers.set(name, peer);
    }
    if (problems.length > 0) throw new Error(`Cilium would refuse this Secret:\n${problemList(problems)}`);
    return peers;
}

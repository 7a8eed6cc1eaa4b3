import { LOCAL_ETCD_HOSTNAME, MESH_DOMAIN } from "./clustermesh-config.ts";

/** A leaf certificate of a cluster's etcd. */
export interface TlsLeaf {
    /** Name of the Secret that Cilium's chart mounts. */
    secretName: string;
    /** For client certificates also etcd's user name. */
    commonName: string;
    use: "server_auth" | "client_auth";
    dnsNames?: string[];
    ipAddresses?: string[];
}

/**
 * The leaf certificates that Cilium 1.20 expects, by role (Helm chart, clustermesh-apiserver/tls-*; etcd's users: pkg/kvstore/etcdinit).
 *
 * @param cluster Cilium's name of the cluster
 */
export function tlsLeaves(cluster: string) {
    return {
        server: {
            secretName: "clustermesh-apiserver-server-cert",
            commonName: LOCAL_ETCD_HOSTNAME,
            use: "server_auth",
            // Peers dial <name>.mesh.cilium.io, the cluster's own agents the Service, and the pod's other containers the loopback address.
            dnsNames: [LOCAL_ETCD_HOSTNAME, `*.${MESH_DOMAIN}`],
            ipAddresses: ["127.0.0.1", "::1"],
        },
        admin: { secretName: "clustermesh-apiserver-admin-cert", commonName: `admin-${cluster}`, use: "client_auth" },
        // Cilium uses this name in every cluster as long as each cluster has a CA of its own (authMode migration).
        remote: { secretName: "clustermesh-apiserver-remote-cert", commonName: "remote", use: "client_auth" },
        local: { secretName: "clustermesh-apiserver-local-cert", commonName: `local-${cluster}`, use: "client_auth" },
    } as const satisfies Record<string, TlsLeaf>;
}

import { etcdHostname, LOCAL_ETCD_HOSTNAME } from "../cilium/clustermesh-config.ts";
import { hostAliases } from "../network/mesh.ts";
import type { ClusterEvidence, MeshEvidence, PeersEvidence } from "./evidence.ts";
import {
    aboutCluster,
    aboutPath,
    type Finding,
    firstFew,
    kubectl,
    members,
    paths,
    peersSecret,
    type Read,
    type Rule,
    restore,
} from "./rule.ts";
import type { Scope } from "./scope.ts";

const RESTORE_MESH = "npx clustermesh up --refresh <mesh>";

/** How clusters find and connect to the etcds of their peers. */
export const SECRET_RULES: readonly Rule[] = [
    {
        id: "secret-missing",
        failure: "A Secret or ConfigMap that Cilium mounts does not exist.",
        looksAt: "the Secrets of clustermesh-apiserver's certificates, those with the peers, and the ConfigMap clustermesh-remote-users",
        cause: "Pods that mount it do not start again, or etcd refuses the peers.",
        remedy: ["npx clustermesh up --refresh <stack>"],
        find: (scope, read) => [
            ...scope.clusters.flatMap((cluster) => {
                const absent = Object.entries(cluster.kubernetes.material).flatMap(([name, material]) =>
                    read(material) === null ? [`Secret ${name}`] : [],
                );
                if (read(cluster.kubernetes.remoteUsers) === false) absent.push("ConfigMap clustermesh-remote-users");
                return absent.map((name) => ({
                    ...aboutCluster(cluster),
                    found: `${name} does not exist`,
                    cause: "clustermesh-apiserver, or a client of its etcd, does not start again.",
                    remedy: restore(cluster.facts.stack),
                }));
            }),
            ...members(scope).flatMap(({ mesh, cluster }) => {
                const { peers, cached } = cluster.kubernetes;
                const absent = [
                    ...(read(peers) === null ? [peersSecret(cluster)] : []),
                    ...(cached && read(cached) === null ? ["cilium-clustermesh"] : []),
                ];
                return absent.map((name) => ({
                    subject: cluster.facts.name,
                    clusters: mesh.members,
                    found: `Secret ${name} does not exist`,
                    cause: "The cluster's agents know no other cluster.",
                    remedy: restore(mesh.stack),
                }));
            }),
        ],
    },
    {
        id: "peer-entry",
        failure: "A cluster's Secret of peers lacks a peer, has one that left, has a wrong endpoint, or is rejected by Cilium.",
        looksAt: "the Secrets cilium-clustermesh and cilium-kvstoremesh, parsed as Cilium parses them",
        cause: "The cluster does not connect to the peer, connects to another server, or keeps dialing a cluster that left.",
        remedy: [RESTORE_MESH],
        find: (scope, read) =>
            members(scope).flatMap(({ mesh, cluster }) =>
                secretsOf(cluster, read).flatMap(({ name, content, host }) =>
                    (content ? entryProblems(scope, mesh, cluster, content, host) : []).map(({ found, cause }) => ({
                        subject: cluster.facts.name,
                        clusters: mesh.members,
                        found: `Secret ${name}: ${found}`,
                        cause,
                        remedy: restore(mesh.stack),
                    })),
                ),
            ),
    },
    {
        id: "host-aliases",
        failure: "The hostname of a peer's etcd resolves to other addresses than those of its load balancer.",
        looksAt:
            "hostAliases of the DaemonSet cilium, or with KVStoreMesh those in the Secret, against the addresses that each peer published",
        cause: "Agents connect to an address that does not answer, sometimes or always.",
        remedy: [RESTORE_MESH, "in <cluster>: kubectl -n kube-system edit daemonset/cilium   # remove the alias that was added by hand"],
        find: (scope, read) =>
            paths(scope).flatMap(({ mesh, from, to }): Finding[] => {
                const hostname = etcdHostname(to.facts.name);
                const direct = from.facts.wiring === "direct";
                const actual = addressesOf(hostname, from, to, read);
                if (!actual) return [];
                const expected = hostAliases([to.facts]).map(({ ip }) => ip);
                const absent = expected.filter((ip) => !actual.includes(ip));
                const unexpected = actual.filter((ip) => !expected.includes(ip));
                const parts = [
                    ...(absent.length > 0 ? [`lacks ${absent.join(", ")}`] : []),
                    ...(unexpected.length > 0 ? [`resolves to ${unexpected.join(", ")}, which the etcd does not have`] : []),
                ];
                if (parts.length === 0) return [];
                return [
                    {
                        ...aboutPath(from, to),
                        found: `${hostname} in the ${direct ? "hostAliases of the DaemonSet cilium" : "entry of cilium-kvstoremesh"} ${parts.join(" and ")}`,
                        remedy: [
                            ...restore(mesh.stack),
                            // The entry belongs to the field manager that added it; the program removes only its own.
                            ...(direct && unexpected.length > 0
                                ? [kubectl(from, "-n kube-system edit daemonset/cilium   # remove the alias that was added by hand")]
                                : []),
                        ],
                    },
                ];
            }),
    },
];

/** A cluster's Secrets of peers, and the host that each entry must name. */
function secretsOf(
    cluster: ClusterEvidence,
    read: Read,
): { name: string; content: PeersEvidence | null | undefined; host: (peer: string) => string }[] {
    const { peers, cached } = cluster.kubernetes;
    return [
        { name: peersSecret(cluster), content: read(peers), host: etcdHostname },
        ...(cached ? [{ name: "cilium-clustermesh", content: read(cached), host: () => LOCAL_ETCD_HOSTNAME }] : []),
    ];
}

function entryProblems(
    { clusters }: Scope,
    mesh: MeshEvidence,
    { facts: { name: self } }: ClusterEvidence,
    { refused, peers }: PeersEvidence,
    host: (peer: string) => string,
): { found: string; cause: string }[] {
    if (refused !== undefined) return [{ found: refused, cause: "Cilium rejects the Secret, or waits for a file that it names." }];
    const expected = mesh.members.filter((name) => name !== self);
    return [
        ...expected
            .filter((peer) => !peers[peer])
            .map((peer) => ({ found: `no entry for ${peer}`, cause: `${self} does not know ${peer}.` })),
        ...Object.keys(peers)
            .filter((peer) => !expected.includes(peer))
            .map((peer) => ({
                found: `an entry for ${peer}, which is not a member of ${mesh.stack}`,
                cause: "The agents keep dialing a cluster that left.",
            })),
        ...expected.flatMap((peer) => {
            const port = clusters.find(({ facts }) => facts.name === peer)?.facts.etcd.port;
            const endpoint = `https://${host(peer)}:${port}`;
            const others = peers[peer]?.endpoints.filter((other) => other !== endpoint) ?? [];
            if (!port || others.length === 0) return [];
            return [
                {
                    found: `the entry for ${peer} has the endpoint ${firstFew(others)} instead of ${endpoint}`,
                    cause: "Agents connect to another server, or to none.",
                },
            ];
        }),
    ];
}

/** Addresses to which a cluster resolves the hostname of a peer's etcd; undefined: not known. */
function addressesOf(hostname: string, from: ClusterEvidence, to: ClusterEvidence, read: Read): string[] | undefined {
    if (from.facts.wiring === "direct")
        return read(from.kubernetes.daemonSet)
            ?.aliases.filter(({ hostnames }) => hostnames.includes(hostname))
            .map(({ ip }) => ip);
    return read(from.kubernetes.peers)
        ?.peers[to.facts.name]?.aliases.filter((alias) => alias.hostname === hostname)
        .flatMap(({ ips }) => ips);
}

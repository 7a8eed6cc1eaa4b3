import { etcdHostname, LOCAL_ETCD_HOSTNAME } from "../cilium/clustermesh-config.ts";
import { hostAliases } from "../network/mesh.ts";
import { about, few, joined, kubectl, peersSecret, putBack, type Rule, way, ways } from "./rule.ts";

export const SECRET_RULES: readonly Rule[] = [
    {
        id: "secret-missing",
        failure: "A Secret or ConfigMap that Cilium mounts is not there: pods wait for it, or etcd refuses the peers.",
        looksAt: "the Secrets of clustermesh-apiserver's certificates, those with the peers, and clustermesh-remote-users",
        find: (evidence, see) => [
            ...evidence.clusters.flatMap((cluster) => {
                const absent = Object.entries(cluster.kubernetes.material).flatMap(([name, material]) =>
                    see(material) === null ? [`Secret ${name}`] : [],
                );
                if (see(cluster.kubernetes.remoteUsers) === false) absent.push("ConfigMap clustermesh-remote-users");
                return absent.map((what) => ({
                    ...about(cluster),
                    found: `${what} is not there`,
                    cause: "clustermesh-apiserver, or what reads its etcd, does not start again",
                    remedy: putBack(cluster.facts.stack),
                }));
            }),
            ...joined(evidence).flatMap(({ mesh, members }) =>
                members.flatMap((cluster) => {
                    const { peers, cached } = cluster.kubernetes;
                    const absent = [
                        ...(see(peers) === null ? [peersSecret(cluster)] : []),
                        ...(cached && see(cached) === null ? ["cilium-clustermesh"] : []),
                    ];
                    return absent.map((name) => ({
                        subject: cluster.facts.name,
                        clusters: mesh.members,
                        found: `Secret ${name} is not there`,
                        cause: "its agents know of no other cluster",
                        remedy: putBack(mesh.stack),
                    }));
                }),
            ),
        ],
    },
    {
        id: "peer-entry",
        failure:
            "What a cluster is told of its peers lacks one, names one that has left, leads to another endpoint, or is refused by Cilium.",
        looksAt: "the Secrets cilium-clustermesh and cilium-kvstoremesh, read as Cilium reads them",
        find: (evidence, see) =>
            joined(evidence).flatMap(({ mesh, members }) =>
                members.flatMap((cluster) => {
                    const wanted = mesh.members.filter((name) => name !== cluster.facts.name);
                    const port = (name: string) => members.find(({ facts }) => facts.name === name)?.facts.etcd.port;
                    const secrets = [
                        { name: peersSecret(cluster), told: see(cluster.kubernetes.peers), host: etcdHostname },
                        ...(cluster.kubernetes.cached
                            ? [{ name: "cilium-clustermesh", told: see(cluster.kubernetes.cached), host: () => LOCAL_ETCD_HOSTNAME }]
                            : []),
                    ];
                    return secrets.flatMap(({ name, told, host }) => {
                        if (!told) return [];
                        const problem = (found: string, cause: string) => ({
                            subject: cluster.facts.name,
                            clusters: mesh.members,
                            found: `Secret ${name}: ${found}`,
                            cause,
                            remedy: putBack(mesh.stack),
                        });
                        if (told.refused !== undefined) return [problem(told.refused, "Cilium refuses it, or waits for what it names")];
                        return [
                            ...wanted
                                .filter((peer) => !told.peers[peer])
                                .map((peer) => problem(`no entry for ${peer}`, `${cluster.facts.name} does not know of ${peer}`)),
                            ...Object.keys(told.peers)
                                .filter((peer) => !wanted.includes(peer))
                                .map((peer) =>
                                    problem(
                                        `an entry for ${peer}, which is no member of ${mesh.stack}`,
                                        "its agents go on dialling a cluster that has left",
                                    ),
                                ),
                            ...wanted.flatMap((peer) => {
                                const endpoint = `https://${host(peer)}:${port(peer)}`;
                                const others = told.peers[peer]?.endpoints.filter((one) => one !== endpoint) ?? [];
                                return port(peer) && others.length > 0
                                    ? [
                                          problem(
                                              `the entry for ${peer} leads to ${few(others)}, not to ${endpoint}`,
                                              "it dials somebody else, or nobody",
                                          ),
                                      ]
                                    : [];
                            }),
                        ];
                    });
                }),
            ),
    },
    {
        id: "host-aliases",
        failure: "The name of a peer's etcd leads to other addresses than those of its load balancer.",
        looksAt:
            "hostAliases of the DaemonSet cilium, or with KVStoreMesh the entries' own, against the addresses that each peer published",
        find: (evidence, see) =>
            ways(evidence).flatMap(({ mesh, from, to }) => {
                const hostname = etcdHostname(to.facts.name);
                const direct = from.facts.wiring === "direct";
                const told = direct
                    ? see(from.kubernetes.daemonSet)
                          ?.aliases.filter(({ hostnames }) => hostnames.includes(hostname))
                          .map(({ ip }) => ip)
                    : see(from.kubernetes.peers)
                          ?.peers[to.facts.name]?.aliases.filter((alias) => alias.hostname === hostname)
                          .flatMap(({ ips }) => ips);
                if (!told) return [];
                const wanted = hostAliases([to.facts]).map(({ ip }) => ip);
                const absent = wanted.filter((ip) => !told.includes(ip));
                const stray = told.filter((ip) => !wanted.includes(ip));
                const parts = [
                    ...(absent.length > 0 ? [`lacks ${absent.join(", ")}`] : []),
                    ...(stray.length > 0 ? [`leads to ${stray.join(", ")}, where that etcd is not`] : []),
                ];
                if (parts.length === 0) return [];
                return [
                    {
                        ...way(from, to),
                        found: `${hostname} in the ${direct ? "hostAliases of the DaemonSet cilium" : "entry of cilium-kvstoremesh"} ${parts.join(" and ")}`,
                        cause: "agents dial an address that does not answer, some of the time or always",
                        remedy: [
                            ...putBack(mesh.stack),
                            // Whoever has added it owns that entry; the program takes nobody's away.
                            ...(direct && stray.length > 0
                                ? [kubectl(from, "-n kube-system edit daemonset/cilium   # take out what somebody added by hand")]
                                : []),
                        ],
                    },
                ];
            }),
    },
];

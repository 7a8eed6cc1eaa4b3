import { type Certificate, covers } from "../cilium/certificates.ts";
import { etcdHostname, LOCAL_ETCD_HOSTNAME } from "../cilium/clustermesh-config.ts";
import { distinct } from "../network/mesh.ts";
import type { Evidence } from "./evidence.ts";
import { about, few, kubectl, peersSecret, putBack, type Rule, type See, way, ways } from "./rule.ts";

/** An `up` renews certificates in their last 90 days; two months without one are worth a word. */
const SOON_DAYS = 30;
const DAY = 86_400_000;

/** The user whom a peer's etcd lets read (authMode migration, a CA for each cluster). */
const REMOTE_USER = "remote";

const SERVER_SECRET = "clustermesh-apiserver-server-cert";

const fingerprints = (certificates: readonly Certificate[]) => certificates.map(({ fingerprint }) => fingerprint).join(", ") || "none";

/** Every ordered pair for which the Secret tells how to dial. */
function entries(evidence: Evidence, see: See) {
    return ways(evidence).flatMap(({ mesh, from, to }) => {
        const entry = see(from.kubernetes.peers)?.peers[to.facts.name];
        return entry ? [{ mesh, from, to, entry }] : [];
    });
}

export const CERTIFICATE_RULES: readonly Rule[] = [
    {
        id: "peer-ca",
        failure: "A cluster holds another CA for a peer than the one that signs its etcd's certificate.",
        looksAt: "the CA of each entry, against the one that the peer's stack published",
        find: (evidence, see) =>
            entries(evidence, see).flatMap(({ mesh, from, to, entry }) => {
                const wanted = to.published.ca;
                if (entry.ca.some(({ fingerprint }) => wanted.some((ca) => ca.fingerprint === fingerprint))) return [];
                return [
                    {
                        ...way(from, to),
                        found: `the CA for ${to.facts.name} in ${peersSecret(from)} is ${fingerprints(entry.ca)}${entry.ca[0] ? ` (${entry.ca[0].subject})` : ""}, the peer's is ${fingerprints(wanted)}`,
                        cause: 'agents refuse the peer: "certificate signed by unknown authority"',
                        remedy: putBack(mesh.stack),
                    },
                ];
            }),
    },
    {
        id: "client-certificate",
        failure: "A cluster shows a peer's etcd a client certificate that it does not accept.",
        looksAt: "the client certificate and key of each entry: signed by the peer's CA, for the user remote, and each other's",
        find: (evidence, see) =>
            entries(evidence, see).flatMap(({ mesh, from, to, entry: { client, keyFits } }) => {
                const cas = to.published.ca.map(({ fingerprint }) => fingerprint);
                const found = !client
                    ? "there is none that can be read"
                    : !cas.includes(client.signedBy ?? "")
                      ? `it is not signed by the CA of ${to.facts.name} (${cas.join(", ")})`
                      : client.subject !== REMOTE_USER
                        ? `it is for the user "${client.subject}", not "${REMOTE_USER}"`
                        : !keyFits
                          ? "its key is another one's"
                          : undefined;
                if (!found) return [];
                return [
                    {
                        ...way(from, to),
                        found: `the client certificate for ${to.facts.name} in ${peersSecret(from)}: ${found}`,
                        cause: "the peer's etcd refuses the connection, or to be read",
                        remedy: putBack(mesh.stack),
                    },
                ];
            }),
    },
    {
        id: "server-certificate",
        failure: "A cluster's etcd shows a certificate that its peers or its own agents cannot accept.",
        looksAt: "Secret clustermesh-apiserver-server-cert: signed by the CA that the stack published, names, usage, key",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const material = see(cluster.kubernetes.material[SERVER_SECRET] ?? { value: null });
                if (!material) return [];
                const { certificate, keyFits } = material;
                const cas = cluster.published.ca.map(({ fingerprint }) => fingerprint);
                const names = [etcdHostname(cluster.facts.name), LOCAL_ETCD_HOSTNAME].filter((name) => !covers(certificate.names, name));
                const problems = [
                    ...(cas.includes(certificate.signedBy ?? "")
                        ? []
                        : [`it is not signed by the CA that the stack published (${cas.join(", ")})`]),
                    ...(names.length > 0 ? [`it is for ${few(certificate.names)}, not for ${names.join(" and ")}`] : []),
                    ...(certificate.uses.includes("server") ? [] : ["it may not be used by a server"]),
                    ...(keyFits ? [] : ["its key is another one's"]),
                ];
                return problems.map((found) => ({
                    ...about(cluster),
                    found: `${SERVER_SECRET}: ${found}`,
                    cause: "whoever dials this etcd breaks off during the handshake",
                    remedy: [
                        ...putBack(cluster.facts.stack),
                        kubectl(cluster, "-n kube-system rollout restart deployment/clustermesh-apiserver"),
                    ],
                }));
            }),
    },
    {
        id: "certificate-ends",
        failure: `A certificate of the mesh has ended, is not valid yet, or ends within ${SOON_DAYS} days.`,
        looksAt: "every certificate in the Secrets of clustermesh-apiserver and of the peers, and those that the stacks publish",
        find: (evidence, see) => {
            const now = Date.parse(evidence.gatheredAt);
            const stacks = (own: string) => [own, ...evidence.meshes.map(({ stack }) => stack)];
            return evidence.clusters.flatMap((cluster) => {
                const { material, peers } = cluster.kubernetes;
                const held = [
                    ...Object.entries(material).flatMap(([name, one]) => {
                        const found = see(one);
                        return found
                            ? [found.certificate, ...found.ca].map((certificate) => ({
                                  where: name,
                                  certificate,
                                  stack: cluster.facts.stack,
                              }))
                            : [];
                    }),
                    ...Object.entries(see(peers)?.peers ?? {}).flatMap(([peer, { ca, client }]) =>
                        [...ca, ...(client ? [client] : [])].map((certificate) => ({
                            where: `${peersSecret(cluster)} for ${peer}`,
                            certificate,
                            stack: evidence.clusters.find(({ facts }) => facts.name === peer)?.facts.stack ?? cluster.facts.stack,
                        })),
                    ),
                    ...[...cluster.published.ca, ...cluster.published.client].map((certificate) => ({
                        where: "published by its stack",
                        certificate,
                        stack: cluster.facts.stack,
                    })),
                ];
                // One certificate lies in several Secrets.
                return distinct(held.map(({ certificate }) => certificate.fingerprint)).flatMap((fingerprint) => {
                    const same = held.filter(({ certificate }) => certificate.fingerprint === fingerprint);
                    const [first] = same;
                    if (!first) return [];
                    const { subject, notBefore, notAfter } = first.certificate;
                    const days = Math.floor((Date.parse(notAfter) - now) / DAY);
                    const early = Date.parse(notBefore) > now;
                    if (days >= SOON_DAYS && !early) return [];
                    return [
                        {
                            ...about(cluster),
                            found: `"${subject}" (${few(same.map(({ where }) => where))}) ${early ? `is valid from ${notBefore} on only` : `${days < 0 ? "ended" : "ends"} on ${notAfter}`}`,
                            cause: early
                                ? "the clock of whoever made it is ahead"
                                : "from then on no new connection to or from that etcd comes about",
                            remedy: putBack(...stacks(first.stack)),
                        },
                    ];
                });
            });
        },
    },
];

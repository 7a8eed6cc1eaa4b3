import { type Certificate, covers } from "../cilium/certificates.ts";
import { etcdHostname, LOCAL_ETCD_HOSTNAME } from "../cilium/clustermesh-config.ts";
import { distinct } from "../network/mesh.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { aboutCluster, aboutPath, type Finding, firstFew, kubectl, paths, peersSecret, type Read, type Rule, restore } from "./rule.ts";
import type { Scope } from "./scope.ts";

/** `up` renews certificates in their last 90 days, so fewer than 30 mean that none ran for two months. */
const SOON_DAYS = 30;
const DAY = 86_400_000;

/** The etcd user with read permission for peers (authMode migration, one CA per cluster). */
const REMOTE_USER = "remote";

const SERVER_SECRET = "clustermesh-apiserver-server-cert";

const RESTORE_MESH = "npx clustermesh up --refresh <mesh>";

const fingerprints = (certificates: readonly Certificate[]) => certificates.map(({ fingerprint }) => fingerprint).join(", ") || "none";

/** Certificates and keys between a cluster's agents and the etcds. */
export const CERTIFICATE_RULES: readonly Rule[] = [
    {
        id: "peer-ca",
        failure: "A cluster has another CA for a peer than the one that signs the peer's etcd certificate.",
        looksAt: "the CA of each entry in the Secret of peers, against the one that the peer's stack published",
        cause: 'Agents reject the peer: "certificate signed by unknown authority".',
        remedy: [RESTORE_MESH],
        find: (scope, read) =>
            entries(scope, read).flatMap(({ mesh, from, to, entry }) => {
                const expected = to.published.ca;
                if (entry.ca.some(({ fingerprint }) => expected.some((ca) => ca.fingerprint === fingerprint))) return [];
                return [
                    {
                        ...aboutPath(from, to),
                        found: `the CA for ${to.facts.name} in ${peersSecret(from)} is ${fingerprints(entry.ca)}${entry.ca[0] ? ` (${entry.ca[0].subject})` : ""}, the peer's is ${fingerprints(expected)}`,
                        remedy: restore(mesh.stack),
                    },
                ];
            }),
    },
    {
        id: "client-certificate",
        failure: "A cluster has a client certificate that a peer's etcd does not accept.",
        looksAt:
            "the client certificate and key of each entry in the Secret of peers: signed by the peer's CA, for the user remote, with a matching key",
        cause: "The peer's etcd refuses the connection, or refuses read requests.",
        remedy: [RESTORE_MESH],
        find: (scope, read) =>
            entries(scope, read).flatMap(({ mesh, from, to, entry: { client, keyFits } }) => {
                const problem = clientProblem(to, client, keyFits);
                if (!problem) return [];
                return [
                    {
                        ...aboutPath(from, to),
                        found: `the client certificate for ${to.facts.name} in ${peersSecret(from)}: ${problem}`,
                        remedy: restore(mesh.stack),
                    },
                ];
            }),
    },
    {
        id: "server-certificate",
        failure: "A cluster's etcd has a certificate that its peers or its own agents do not accept.",
        looksAt: `Secret ${SERVER_SECRET}: signed by the CA that the stack published, hostnames, key usage, matching key`,
        cause: "Clients of this etcd abort the TLS handshake.",
        remedy: [
            "npx clustermesh up --refresh <cluster>",
            "in <cluster>: kubectl -n kube-system rollout restart deployment/clustermesh-apiserver",
        ],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) =>
                serverProblems(cluster, read).map((problem) => ({
                    ...aboutCluster(cluster),
                    found: `${SERVER_SECRET}: ${problem}`,
                    remedy: [
                        ...restore(cluster.facts.stack),
                        kubectl(cluster, "-n kube-system rollout restart deployment/clustermesh-apiserver"),
                    ],
                })),
            ),
    },
    {
        id: "certificate-ends",
        failure: `A certificate of the mesh has expired, is not valid yet, or expires within ${SOON_DAYS} days.`,
        looksAt: "every certificate in the Secrets of clustermesh-apiserver and of the peers, and those that the stacks publish",
        cause: "From its expiry on, no new connection to or from that etcd succeeds.",
        remedy: ["npx clustermesh up --refresh <cluster> <mesh>"],
        find: (scope, read) =>
            scope.clusters.flatMap((cluster) => {
                const held = certificatesOf(cluster, scope, read);
                // The same certificate may be in several Secrets.
                return distinct(held.map(({ certificate }) => certificate.fingerprint)).flatMap((fingerprint) =>
                    expiryFinding(
                        cluster,
                        scope,
                        held.filter(({ certificate }) => certificate.fingerprint === fingerprint),
                    ),
                );
            }),
    },
];

/** The entry in the Secret of peers for every ordered pair that has one. */
function entries(scope: Scope, read: Read) {
    return paths(scope).flatMap(({ mesh, from, to }) => {
        const entry = read(from.kubernetes.peers)?.peers[to.facts.name];
        return entry ? [{ mesh, from, to, entry }] : [];
    });
}

function clientProblem(peer: ClusterEvidence, client: Certificate | null, keyFits: boolean): string | undefined {
    if (!client) return "it does not exist or cannot be read";
    const cas = peer.published.ca.map(({ fingerprint }) => fingerprint);
    if (!cas.includes(client.signedBy ?? "")) return `it is not signed by the CA of ${peer.facts.name} (${cas.join(", ")})`;
    if (client.subject !== REMOTE_USER) return `it is for the user "${client.subject}", not "${REMOTE_USER}"`;
    return keyFits ? undefined : "its key does not match";
}

function serverProblems({ facts, published, kubernetes }: ClusterEvidence, read: Read): string[] {
    const material = read(kubernetes.material[SERVER_SECRET] ?? { value: null });
    if (!material) return [];
    const { certificate, keyFits } = material;
    const cas = published.ca.map(({ fingerprint }) => fingerprint);
    const missing = [etcdHostname(facts.name), LOCAL_ETCD_HOSTNAME].filter((name) => !covers(certificate.names, name));
    return [
        ...(cas.includes(certificate.signedBy ?? "") ? [] : [`it is not signed by the CA that the stack published (${cas.join(", ")})`]),
        ...(missing.length > 0 ? [`it is valid for ${firstFew(certificate.names)}, not for ${missing.join(" and ")}`] : []),
        ...(certificate.uses.includes("server") ? [] : ["its key usage does not include server authentication"]),
        ...(keyFits ? [] : ["its key does not match"]),
    ];
}

/** A certificate, where it was found, and the stack that renews it. */
interface HeldCertificate {
    where: string;
    certificate: Certificate;
    stack: string;
}

function certificatesOf(cluster: ClusterEvidence, { clusters }: Scope, read: Read): HeldCertificate[] {
    const { facts, kubernetes, published } = cluster;
    return [
        ...Object.entries(kubernetes.material).flatMap(([where, part]) => {
            const material = read(part);
            return (material ? [material.certificate, ...material.ca] : []).map((certificate) => ({
                where,
                certificate,
                stack: facts.stack,
            }));
        }),
        ...Object.entries(read(kubernetes.peers)?.peers ?? {}).flatMap(([peer, { ca, client }]) =>
            [...ca, ...(client ? [client] : [])].map((certificate) => ({
                where: `${peersSecret(cluster)} for ${peer}`,
                certificate,
                stack: clusters.find((other) => other.facts.name === peer)?.facts.stack ?? facts.stack,
            })),
        ),
        ...[...published.ca, ...published.client].map((certificate) => ({
            where: "published by its stack",
            certificate,
            stack: facts.stack,
        })),
    ];
}

/** @param copies the same certificate in all the places where the cluster has it */
function expiryFinding(cluster: ClusterEvidence, { gatheredAt, mesh }: Scope, copies: readonly HeldCertificate[]): Finding[] {
    const [first] = copies;
    if (!first) return [];
    const now = Date.parse(gatheredAt);
    const { subject, notBefore, notAfter } = first.certificate;
    const days = Math.floor((Date.parse(notAfter) - now) / DAY);
    const early = Date.parse(notBefore) > now;
    if (days >= SOON_DAYS && !early) return [];
    const validity = early ? `is not valid before ${notBefore}` : `${days < 0 ? "expired" : "expires"} on ${notAfter}`;
    return [
        {
            ...aboutCluster(cluster),
            found: `"${subject}" (${firstFew(copies.map(({ where }) => where))}) ${validity}`,
            ...(early && { cause: "The clock of the machine that created it is ahead." }),
            remedy: restore(first.stack, ...(mesh ? [mesh.stack] : [])),
        },
    ];
}

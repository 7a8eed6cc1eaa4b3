import { byKvstoreMesh, days, entry, type Failure, server, value } from "../record.ts";

export const SECRET_FAILURES: Failure[] = [
    [
        "secret-missing",
        ({ cluster1 }) => {
            cluster1.kubernetes.material["clustermesh-apiserver-local-cert"] = { value: null };
        },
        "cluster1",
        /Secret clustermesh-apiserver-local-cert does not exist/,
    ],
    [
        "secret-missing",
        ({ cluster1 }) => {
            cluster1.kubernetes.remoteUsers = { value: false };
        },
        "cluster1",
        /ConfigMap clustermesh-remote-users does not exist/,
    ],
    [
        "secret-missing",
        ({ cluster2 }) => {
            cluster2.kubernetes.peers = { value: null };
        },
        "cluster2",
        /Secret cilium-clustermesh does not exist/,
    ],
    ["peer-entry", ({ cluster1 }) => void delete value(cluster1.kubernetes.peers).peers.cluster2, "cluster1", /no entry for cluster2/],
    [
        "peer-entry",
        ({ cluster1 }) => void Object.assign(value(cluster1.kubernetes.peers).peers, { gone: entry(cluster1, "cluster2") }),
        "cluster1",
        /an entry for gone, which is not a member of mesh/,
    ],
    [
        "peer-entry",
        ({ cluster1 }) => {
            entry(cluster1, "cluster2").endpoints = ["https://10.0.0.1:2379"];
        },
        "cluster1",
        /has the endpoint https:\/\/10.0.0.1:2379 instead of https:\/\/cluster2.mesh.cilium.io:2379/,
    ],
    [
        "peer-entry",
        (broken) => {
            byKvstoreMesh(broken);
            broken.cluster1.kubernetes.cached = { value: { refused: "Cilium rejects this", peers: {} } };
        },
        "cluster1",
        /cilium-clustermesh: Cilium rejects this/,
    ],
    [
        "host-aliases",
        ({ cluster1 }) => {
            value(cluster1.kubernetes.daemonSet).aliases.splice(0, 1, { ip: "192.168.0.99", hostnames: ["cluster2.mesh.cilium.io"] });
        },
        "cluster1 → cluster2",
        /hostAliases of the DaemonSet cilium lacks 192.168.0.16 and resolves to 192.168.0.99/,
    ],
    [
        "host-aliases",
        (broken) => {
            byKvstoreMesh(broken);
            entry(broken.cluster1, "cluster2").aliases = [];
        },
        "cluster1 → cluster2",
        /the entry of cilium-kvstoremesh lacks 192.168.0.16/,
    ],
    [
        "peer-ca",
        ({ cluster1 }) => {
            entry(cluster1, "cluster2").ca = cluster1.published.ca;
        },
        "cluster1 → cluster2",
        /is [0-9a-f]{16} \(Cilium CA cluster1\), the peer's is [0-9a-f]{16}/,
    ],
    [
        "client-certificate",
        ({ cluster1 }) => {
            entry(cluster1, "cluster2").client = cluster1.published.client[0] ?? null;
        },
        "cluster1 → cluster2",
        /not signed by the CA of cluster2/,
    ],
    [
        "client-certificate",
        ({ cluster1 }) => void Object.assign(entry(cluster1, "cluster2").client ?? {}, { subject: "somebody" }),
        "cluster1 → cluster2",
        /for the user "somebody", not "remote"/,
    ],
    [
        "client-certificate",
        ({ cluster1 }) => {
            entry(cluster1, "cluster2").keyFits = false;
        },
        "cluster1 → cluster2",
        /its key does not match/,
    ],
    [
        "server-certificate",
        ({ cluster2 }) => void Object.assign(server(cluster2).certificate, { names: ["clustermesh-apiserver.kube-system.svc"] }),
        "cluster2",
        /is valid for clustermesh-apiserver.kube-system.svc, not for cluster2.mesh.cilium.io/,
    ],
    [
        "server-certificate",
        ({ cluster2 }) => void Object.assign(server(cluster2).certificate, { signedBy: null }),
        "cluster2",
        /not signed by the CA that the stack published/,
    ],
    [
        "server-certificate",
        ({ cluster2 }) => void Object.assign(server(cluster2).certificate, { uses: ["client"] }),
        "cluster2",
        /key usage does not include server authentication/,
    ],
    [
        "certificate-ends",
        ({ evidence, cluster2 }) => void Object.assign(server(cluster2).certificate, { notAfter: days(evidence, 29) }),
        "cluster2",
        /"clustermesh-apiserver.kube-system.svc" \(clustermesh-apiserver-server-cert\) expires on/,
    ],
    [
        "certificate-ends",
        ({ evidence, cluster2 }) => void Object.assign(server(cluster2).certificate, { notAfter: days(evidence, -1) }),
        "cluster2",
        /expired on/,
    ],
    [
        "certificate-ends",
        ({ evidence, cluster2 }) => void Object.assign(server(cluster2).certificate, { notBefore: days(evidence, 1) }),
        "cluster2",
        /is not valid before 2026-/,
    ],
];

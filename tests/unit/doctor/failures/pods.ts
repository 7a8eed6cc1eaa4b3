import { agents, behind, byKvstoreMesh, days, type Failure, value } from "../record.ts";

export const POD_FAILURES: Failure[] = [
    [
        "pods-unmanaged",
        ({ evidence, cluster1 }) =>
            void value(cluster1.kubernetes.pods).unmanaged.push({
                pod: "shop/web",
                node: "a",
                since: days(evidence, -1),
                owner: "ReplicaSet web",
            }),
        "cluster1",
        /1 of \d+ pods .*: shop\/web on a \(ReplicaSet web\)/,
    ],
    [
        "agents-missing",
        ({ cluster1 }) => void Object.assign(value(cluster1.kubernetes.daemonSet), { ready: 2 }),
        "cluster1",
        /2 of 3 agents are ready/,
    ],
    [
        "agents-missing",
        ({ cluster1 }) => void Object.assign(value(cluster1.kubernetes.daemonSet), { updated: 1 }),
        "cluster1",
        /1 are up to date with the DaemonSet/,
    ],
    [
        "agent-silent",
        ({ cluster1 }) =>
            void Object.assign(agents(cluster1)[0] ?? {}, { lagging: { unknown: "cilium-dbg in cilium-abcde timed out after 20 s" } }),
        "cluster1",
        /timed out after 20 s/,
    ],
    [
        "apiserver-missing",
        ({ cluster2 }) => {
            cluster2.kubernetes.apiserver = { value: null };
        },
        "cluster2",
        /Deployment clustermesh-apiserver does not exist/,
    ],
    [
        "apiserver-missing",
        ({ cluster2 }) =>
            void Object.assign(value(cluster2.kubernetes.apiserver), {
                ready: 1,
                waiting: ["clustermesh-apiserver-1/etcd CrashLoopBackOff"],
            }),
        "cluster2",
        /1 of 2 replicas .*etcd CrashLoopBackOff/,
    ],
    [
        "apiserver-missing",
        (broken) => {
            byKvstoreMesh(broken);
            value(broken.cluster1.kubernetes.apiserver).containers.pop();
        },
        "cluster1",
        /but not kvstoremesh/,
    ],
    [
        "apiserver-single",
        ({ cluster2 }) => void Object.assign(value(cluster2.kubernetes.apiserver), { ready: 1, replicas: 1 }),
        "cluster2",
        /1 replica/,
    ],
    [
        "etcd-refuses",
        ({ cluster1 }) => behind(cluster1, "cluster2", "no connection to its etcd", "etcdserver: permission denied"),
        "cluster1 → cluster2",
        /permission denied/,
        ["peer-behind"],
    ],
    [
        "peer-behind",
        ({ cluster1 }) => behind(cluster1, "cluster2", "connected, synchronization in progress for nodes"),
        "cluster1 → cluster2",
        /3 of 3 agents: connected, synchronization in progress for nodes/,
    ],
    [
        "nodes-unknown",
        ({ cluster1 }) => void Object.assign(agents(cluster1)[0] ?? {}, { nodes: { value: { missing: ["cluster2/a"], stale: [] } } }),
        "cluster1",
        /lacks cluster2\/a/,
    ],
    [
        "health-failing",
        ({ cluster1 }) =>
            void Object.assign(agents(cluster1)[0] ?? {}, {
                health: { value: [{ node: "cluster2/a", probe: "icmp", why: "Connection timed out", at: "2026-11-25T00:00:00Z" }] },
            }),
        "cluster1 → cluster2",
        /cluster2\/a, icmp, .*: Connection timed out/,
    ],
];

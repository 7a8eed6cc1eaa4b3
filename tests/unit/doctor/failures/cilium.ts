import { agents, config, type Failure } from "../record.ts";

export const CILIUM_FAILURES: Failure[] = [
    [
        "cluster-identity",
        ({ cluster1 }) => {
            config(cluster1)["cluster-id"] = "7";
        },
        "cluster1",
        /cluster-id in cilium-config is 7, not 1/,
    ],
    [
        "cluster-identity",
        ({ cluster1 }) => {
            config(cluster1)["cluster-name"] = "default";
        },
        "cluster1",
        /cluster-name in cilium-config is default, not cluster1/,
    ],
    [
        "cluster-identity",
        ({ cluster1 }) => {
            agents(cluster1)[0] = { ...agents(cluster1)[0], ids: { value: { own: 1, peers: { cluster2: 9 } } } } as never;
        },
        "cluster1 → cluster2",
        /know cluster2 by the id 9, not 2/,
    ],
    [
        "cluster-identity",
        ({ cluster1, cluster2 }) => {
            Object.assign(cluster2.facts, { id: 1 });
            config(cluster2)["cluster-id"] = "1";
            for (const agent of agents(cluster1)) agent.ids = { value: { peers: { cluster2: 1 } } };
        },
        "cluster1, cluster2",
        /all have the id 1/,
    ],
    [
        "cluster-identity",
        ({ cluster1, cluster2 }) => {
            Object.assign(cluster2.facts, { id: 200 });
            config(cluster2)["cluster-id"] = "200";
            for (const agent of agents(cluster1)) agent.ids = { value: { peers: { cluster2: 200 } } };
        },
        "cluster2",
        /its id is 200/,
    ],
    [
        "cluster-identity",
        ({ cluster1 }) => void Object.assign(agents(cluster1)[0] ?? {}, { ids: { value: { own: 9, peers: { cluster2: 2 } } } }),
        "cluster1",
        /agents run with another id than 1: ip-10-248-\S+ with 9/,
    ],
    [
        "identity-mark",
        ({ cluster1 }) => void delete config(cluster1)["enable-identity-mark"],
        "cluster1",
        /enable-identity-mark in cilium-config is not set, not false/,
    ],
    [
        "cilium-masquerade",
        ({ cluster2 }) => {
            config(cluster2)["enable-ipv4-masquerade"] = "true";
        },
        "cluster2",
        /is true, not false/,
    ],
    [
        "datapath-changed",
        ({ cluster2 }) => {
            config(cluster2)["routing-mode"] = "tunnel";
        },
        "cluster2",
        /routing-mode in cilium-config is tunnel, not native/,
    ],
    [
        "max-connected-clusters",
        ({ cluster2 }) => {
            config(cluster2)["max-connected-clusters"] = "511";
        },
        "cluster2",
        /is 511, not 255/,
    ],
    [
        "policy-scope",
        ({ cluster2 }) => {
            config(cluster2)["policy-default-local-cluster"] = "false";
        },
        "cluster2",
        /is false; true in cluster1/,
    ],
    [
        "policy-scope",
        ({ cluster1, cluster2 }) => {
            for (const cluster of [cluster1, cluster2]) delete config(cluster)["policy-default-local-cluster"];
        },
        "cluster1",
        /is not set/,
    ],
    [
        "version-skew",
        ({ cluster1 }) => void Object.assign(agents(cluster1)[0] ?? {}, { version: "1.20.1" }),
        "cluster1",
        /run Cilium 1.20.1 and 1.20.2/,
    ],
    [
        "version-skew",
        ({ cluster1 }) => {
            cluster1.kubernetes.version = { value: "v1.34.7-eks-1234567" };
        },
        "mesh",
        /cluster1 runs Kubernetes v1.34.7-eks-1234567 and cluster2 v1.36/,
    ],
];

import { about, few, kubectl, putBack, type Rule } from "./rule.ts";

/** Seconds that Cilium is given to make a new pod its own. */
const NEW_POD_SECONDS = 30;

/** What runs in the clusters, or does not. */
export const POD_RULES: readonly Rule[] = [
    {
        id: "pods-unmanaged",
        failure: "A pod was started before Cilium was in the chain of plugins: it has no identity, and global services do not work in it.",
        looksAt: "running pods outside the host's network, against CiliumEndpoints",
        find: ({ clusters, gatheredAt }, see) =>
            clusters.flatMap((cluster) => {
                const pods = see(cluster.kubernetes.pods);
                if (!pods) return [];
                const late = pods.unmanaged.filter(({ since }) => Date.parse(gatheredAt) - Date.parse(since) > NEW_POD_SECONDS * 1000);
                if (late.length === 0) return [];
                return [
                    {
                        ...about(cluster),
                        found: `${late.length} of ${pods.all} pods have no CiliumEndpoint: ${few(late.map(({ pod, node, owner }) => `${pod} on ${node}${owner ? ` (${owner})` : ""}`))}`,
                        cause: "they ran before the agent of their node did, or the agent gave up on them",
                        remedy: late.slice(0, 3).map(({ pod }) => {
                            const [namespace, name] = pod.split("/");
                            return kubectl(cluster, `-n ${namespace} delete pod ${name}`);
                        }),
                    },
                ];
            }),
    },
    {
        id: "agents-missing",
        failure: "A node has no agent that is ready, or agents are still being rolled out.",
        looksAt: "the DaemonSet cilium and its pods",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const set = see(cluster.kubernetes.daemonSet);
                const agents = see(cluster.kubernetes.agents) ?? [];
                if (!set || (set.desired > 0 && set.ready >= set.desired && set.updated >= set.desired)) return [];
                const ill = agents.filter(({ ready }) => !ready).map(({ node }) => node);
                return [
                    {
                        ...about(cluster),
                        found: `${set.ready} of ${set.desired} agents are ready, ${set.updated} are as the DaemonSet has it${ill.length > 0 ? `; not ready: ${few(ill)}` : ""}`,
                        cause:
                            set.desired === 0
                                ? "the cluster has no node"
                                : "pods of these nodes are cut off from changes in the mesh; new ones do not start",
                        remedy: [
                            kubectl(cluster, "-n kube-system get pods -l k8s-app=cilium -o wide"),
                            kubectl(cluster, "-n kube-system rollout status daemonset/cilium"),
                        ],
                    },
                ];
            }),
    },
    {
        id: "apiserver-missing",
        failure: "A cluster's clustermesh-apiserver, or the kvstoremesh in it, is not ready: peers learn nothing new of the cluster.",
        looksAt: "the Deployment clustermesh-apiserver, its pods and containers",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const apiserver = see(cluster.kubernetes.apiserver);
                if (apiserver === undefined) return [];
                const lacksKvstoreMesh = cluster.facts.wiring === "kvstoremesh" && !apiserver?.containers.includes("kvstoremesh");
                if (apiserver && apiserver.ready > 0 && apiserver.ready >= apiserver.replicas && !lacksKvstoreMesh) return [];
                return [
                    {
                        ...about(cluster),
                        found: !apiserver
                            ? "there is no Deployment clustermesh-apiserver"
                            : lacksKvstoreMesh
                              ? `it runs ${apiserver.containers.join(", ")}, and no kvstoremesh`
                              : `${apiserver.ready} of ${apiserver.replicas} replicas are ready${apiserver.waiting.length > 0 ? `: ${few(apiserver.waiting)}` : ""}`,
                        cause:
                            apiserver?.ready === 0 || !apiserver
                                ? "peers keep what they know, and learn of no change"
                                : "the rest carries on; if it goes too, peers learn of no change",
                        remedy: [
                            kubectl(cluster, "-n kube-system describe pods -l k8s-app=clustermesh-apiserver"),
                            ...putBack(cluster.facts.stack),
                        ],
                    },
                ];
            }),
    },
    {
        id: "apiserver-single",
        failure: "A cluster has one clustermesh-apiserver only: while it is replaced, peers learn nothing of the cluster.",
        looksAt: "replicas of the Deployment clustermesh-apiserver",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const apiserver = see(cluster.kubernetes.apiserver);
                if (apiserver?.replicas !== 1) return [];
                return [
                    {
                        ...about(cluster),
                        found: "it has 1 replica",
                        cause: "an upgrade, or the loss of its node, stops what the cluster tells its peers",
                        remedy: [
                            "take clustermesh.apiserver.replicas out of cilium.values in the stack file: two is the default",
                            ...putBack(cluster.facts.stack),
                        ],
                    },
                ];
            }),
    },
];

import { aboutCluster, firstFew, kubectl, type Rule, restore } from "./rule.ts";

/** Seconds after a pod's start within which Cilium may still create its endpoint. */
const NEW_POD_SECONDS = 30;

const DEFAULT_REPLICAS = "# after removing clustermesh.apiserver.replicas from cilium.values (default: 2)";

/** Pods, agents and clustermesh-apiservers that should run. */
export const POD_RULES: readonly Rule[] = [
    {
        id: "pods-unmanaged",
        failure: "A pod was started before Cilium was in the CNI chain, so it has no identity, and global services do not work in it.",
        looksAt: "running pods outside the host network, against CiliumEndpoints",
        cause: "The pods were started before their node's agent, or the agent gave up on them.",
        remedy: ["in <cluster>: kubectl -n <namespace> delete pod <pod>"],
        find: ({ clusters, gatheredAt }, read) =>
            clusters.flatMap((cluster) => {
                const pods = read(cluster.kubernetes.pods);
                if (!pods) return [];
                const age = (since: string) => Date.parse(gatheredAt) - Date.parse(since);
                const unmanaged = pods.unmanaged.filter(({ since }) => age(since) > NEW_POD_SECONDS * 1000);
                if (unmanaged.length === 0) return [];
                return [
                    {
                        ...aboutCluster(cluster),
                        found: `${unmanaged.length} of ${pods.all} pods have no CiliumEndpoint: ${firstFew(unmanaged.map(({ pod, node, owner }) => `${pod} on ${node}${owner ? ` (${owner})` : ""}`))}`,
                        remedy: unmanaged.slice(0, 3).map(({ pod }) => {
                            const [namespace, name] = pod.split("/");
                            return kubectl(cluster, `-n ${namespace} delete pod ${name}`);
                        }),
                    },
                ];
            }),
    },
    {
        id: "agents-missing",
        failure: "A node has no ready agent, or agents are still rolling out.",
        looksAt: "the DaemonSet cilium and its pods",
        cause: "Pods on these nodes receive no changes of the mesh, and new pods do not start.",
        remedy: [
            "in <cluster>: kubectl -n kube-system get pods -l k8s-app=cilium -o wide",
            "in <cluster>: kubectl -n kube-system rollout status daemonset/cilium",
        ],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const set = read(cluster.kubernetes.daemonSet);
                const agents = read(cluster.kubernetes.agents) ?? [];
                if (!set || (set.desired > 0 && set.ready >= set.desired && set.updated >= set.desired)) return [];
                const notReady = agents.filter(({ ready }) => !ready).map(({ node }) => node);
                return [
                    {
                        ...aboutCluster(cluster),
                        found: `${set.ready} of ${set.desired} agents are ready, ${set.updated} are up to date with the DaemonSet${notReady.length > 0 ? `; not ready: ${firstFew(notReady)}` : ""}`,
                        ...(set.desired === 0 && { cause: "The cluster has no nodes." }),
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
        failure:
            "A cluster's clustermesh-apiserver, or its kvstoremesh container, is not ready: peers receive no updates about the cluster.",
        looksAt: "the Deployment clustermesh-apiserver, its pods and containers",
        cause: "Peers keep what they know of the cluster and receive no changes once no replica is ready.",
        remedy: [
            "in <cluster>: kubectl -n kube-system describe pods -l k8s-app=clustermesh-apiserver",
            "npx clustermesh up --refresh <cluster>",
        ],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const apiserver = read(cluster.kubernetes.apiserver);
                if (apiserver === undefined) return [];
                const lacksKvstoreMesh = cluster.facts.wiring === "kvstoremesh" && !apiserver?.containers.includes("kvstoremesh");
                if (apiserver && apiserver.ready > 0 && apiserver.ready >= apiserver.replicas && !lacksKvstoreMesh) return [];
                return [
                    {
                        ...aboutCluster(cluster),
                        found: !apiserver
                            ? "the Deployment clustermesh-apiserver does not exist"
                            : lacksKvstoreMesh
                              ? `it runs the containers ${apiserver.containers.join(", ")}, but not kvstoremesh`
                              : `${apiserver.ready} of ${apiserver.replicas} replicas are ready${apiserver.waiting.length > 0 ? `: ${firstFew(apiserver.waiting)}` : ""}`,
                        cause: apiserver?.ready
                            ? "The other replicas still serve peers. If they fail too, peers receive no changes."
                            : "Peers keep what they know of the cluster, and receive no changes.",
                        remedy: [
                            kubectl(cluster, "-n kube-system describe pods -l k8s-app=clustermesh-apiserver"),
                            ...restore(cluster.facts.stack),
                        ],
                    },
                ];
            }),
    },
    {
        id: "apiserver-single",
        failure: "A cluster has only one clustermesh-apiserver: while it is replaced, peers receive no updates about the cluster.",
        looksAt: "replicas of the Deployment clustermesh-apiserver",
        cause: "An upgrade, or the loss of its node, interrupts the updates for the peers.",
        remedy: [`npx clustermesh up --refresh <cluster>   ${DEFAULT_REPLICAS}`],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const apiserver = read(cluster.kubernetes.apiserver);
                if (apiserver?.replicas !== 1) return [];
                return [
                    {
                        ...aboutCluster(cluster),
                        found: "it has 1 replica",
                        remedy: restore(cluster.facts.stack).map((command) => `${command}   ${DEFAULT_REPLICAS}`),
                    },
                ];
            }),
    },
];

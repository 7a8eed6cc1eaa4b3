import type { ClusterEvidence } from "./evidence.ts";
import { aboutCluster, aboutPath, type Finding, firstFew, kubectl, members, paths, type Read, type Rule, restore } from "./rule.ts";
import type { Scope } from "./scope.ts";

/** Seconds from an agent's start until it answers health checks. */
const START_SECONDS = 30;
/** Pods in one kubectl command. */
const MAX_PODS = 16;

/** etcd's messages for a user without read permission, or an unknown user. */
const REFUSED = /permission denied|etcdserver: (authentication|user name)|invalid auth/i;

/** What the agents themselves report. */
export const SYMPTOM_RULES: readonly Rule[] = [
    {
        id: "agent-silent",
        failure: "An agent does not answer, so its state and the mesh's state on that node are unknown.",
        looksAt: "cilium-dbg status in every agent",
        cause: "The agent hangs, the API server does not reach the node, or commands in pods are not permitted (pods/exec).",
        remedy: ["in <cluster>: kubectl -n kube-system logs <pod> -c cilium-agent --tail 50"],
        symptom: true,
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const silent = (read(cluster.kubernetes.agents) ?? []).flatMap(({ node, pod, lagging }) =>
                    "unknown" in lagging ? [{ node, pod, why: lagging.unknown }] : [],
                );
                const byReason = Map.groupBy(silent, ({ why }) => why.replaceAll(/cilium-[a-z0-9]{5}/g, ""));
                return [...byReason.values()].flatMap((same): Finding[] => {
                    const [first] = same;
                    if (!first) return [];
                    return [
                        {
                            ...aboutCluster(cluster),
                            found: `${firstFew(same.map(({ node }) => node))}: ${first.why}`,
                            remedy: [kubectl(cluster, `-n kube-system logs ${first.pod} -c cilium-agent --tail 50`)],
                        },
                    ];
                });
            }),
    },
    {
        id: "etcd-refuses",
        failure: "A peer's etcd accepts a cluster's connection, but denies its read requests.",
        looksAt: "the peers' states in every agent, and cilium-dbg troubleshoot clustermesh",
        cause: "etcd does not know the client certificate's user, or the user has no permissions: etcd-init failed, or the admin certificate is from another CA.",
        remedy: [
            "npx clustermesh up --refresh <mesh>",
            "in <cluster>: kubectl -n kube-system rollout restart deployment/clustermesh-apiserver",
        ],
        symptom: true,
        find: (scope, read) =>
            paths(scope).flatMap(({ mesh, from, to }) =>
                laggingAgents(from, to, read)
                    .filter(({ why }) => REFUSED.test(why))
                    .slice(0, 1)
                    .map(({ why }) => ({
                        ...aboutPath(from, to),
                        found: why,
                        remedy: [...restore(mesh.stack), kubectl(to, "-n kube-system rollout restart deployment/clustermesh-apiserver")],
                    })),
            ),
    },
    {
        id: "peer-behind",
        failure: "Agents do not see a peer ready and synced.",
        looksAt: "cilium-dbg status in every agent, and cilium-dbg troubleshoot clustermesh in those that are behind",
        cause: "These agents have outdated data about the peer, or none.",
        remedy: [
            "in <cluster>: kubectl -n kube-system exec <pod> -c cilium-agent -- cilium-dbg troubleshoot clustermesh <peer>",
            "in <cluster>: kubectl -n kube-system delete pod <pods>   # if nothing else is found",
        ],
        symptom: true,
        find: (scope, read) =>
            paths(scope).flatMap(({ from, to }): Finding[] => {
                const all = (read(from.kubernetes.agents) ?? []).length;
                const lagging = laggingAgents(from, to, read);
                const [first] = lagging;
                if (!first) return [];
                const troubleshoot = `-n kube-system exec ${first.pod} -c cilium-agent -- cilium-dbg troubleshoot clustermesh ${to.facts.name}`;
                const pods = lagging.slice(0, MAX_PODS).map(({ pod }) => pod);
                return [
                    {
                        ...aboutPath(from, to),
                        found: `${lagging.length} of ${all} agents: ${first.why} (${firstFew(lagging.map(({ node }) => node))})`,
                        remedy: [
                            kubectl(from, troubleshoot),
                            kubectl(from, `-n kube-system delete pod ${pods.join(" ")}   # if nothing else is found`),
                        ],
                    },
                ];
            }),
    },
    {
        id: "nodes-unknown",
        failure: "Agents do not know a node of the mesh, or still list a node that no longer exists.",
        looksAt: "cilium-dbg node list in every agent, against the nodes of all clusters of the mesh",
        cause: "The agent is behind, or the peer's clustermesh-apiserver publishes no changes.",
        remedy: ["in <cluster>: kubectl -n kube-system exec ds/cilium -c cilium-agent -- cilium-dbg node list"],
        symptom: true,
        find: (scope, read) =>
            members(scope).flatMap(({ mesh, cluster }): Finding[] => {
                const wrong = (read(cluster.kubernetes.agents) ?? []).flatMap(({ node, nodes }) => {
                    const list = read(nodes);
                    return list && list.missing.length + list.stale.length > 0 ? [{ node, ...list }] : [];
                });
                const [first] = wrong;
                if (!first) return [];
                const parts = [
                    ...(first.missing.length > 0 ? [`lacks ${firstFew(first.missing)}`] : []),
                    ...(first.stale.length > 0 ? [`still has ${firstFew(first.stale)}`] : []),
                ];
                return [
                    {
                        subject: cluster.facts.name,
                        clusters: mesh.members,
                        found: `the node list of ${firstFew(wrong.map(({ node }) => node))} ${parts.join(" and ")}`,
                        remedy: [kubectl(cluster, "-n kube-system exec ds/cilium -c cilium-agent -- cilium-dbg node list")],
                    },
                ];
            }),
    },
    {
        id: "health-failing",
        failure: "Cilium's health checks do not reach a node, by TCP 4240 or ICMP.",
        looksAt: "cilium-health status in every agent",
        cause: "A route or a security group rule (tcp/4240, icmp) between these nodes is missing, or the node is down.",
        remedy: ["in <cluster>: kubectl -n kube-system exec ds/cilium -c cilium-agent -- cilium-health status   # again in two minutes"],
        symptom: true,
        find: (scope, read) => {
            const started = startTimes(scope, read);
            const names = [...(scope.mesh?.members ?? []), ...scope.clusters.map(({ facts }) => facts.name)];
            return scope.clusters.flatMap((from) => {
                const failed = (read(from.kubernetes.agents) ?? []).flatMap(({ node, health }) =>
                    (read(health) ?? [])
                        // Nodes of other meshes, and of clusters whose agents are unknown, are not judged.
                        .filter(({ node }) => names.includes(clusterOf(node)) && started.get(clusterOf(node)) !== "unknown")
                        // A result from before the other agent was up is reported for minutes.
                        .filter((probe) => Date.parse(probe.at) > Number(started.get(probe.node) ?? 0) + START_SECONDS * 1000)
                        .map((probe) => ({ from: node, ...probe })),
                );
                return [...Map.groupBy(failed, ({ node }) => clusterOf(node))].map(([peer, same]) => ({
                    subject: peer === from.facts.name ? peer : `${from.facts.name} → ${peer}`,
                    clusters: [from.facts.name, peer],
                    found: `${same.length} of the last checks failed: ${firstFew(same.map(({ from, node, probe, why, at }) => `${from} → ${node}, ${probe}, ${at}: ${why}`))}`,
                    remedy: [
                        kubectl(from, "-n kube-system exec ds/cilium -c cilium-agent -- cilium-health status   # again in two minutes"),
                    ],
                }));
            });
        },
    },
];

/** Agents that are behind with the peer, with the reason, and the cause that their own troubleshooting reports. */
function laggingAgents(from: ClusterEvidence, to: ClusterEvidence, read: Read): { node: string; pod: string; why: string }[] {
    return (read(from.kubernetes.agents) ?? []).flatMap(({ node, pod, lagging }) => {
        const found = (read(lagging) ?? []).find(({ peer }) => peer === to.facts.name);
        return found ? [{ node, pod, why: found.trouble ? `${found.why}: ${found.trouble}` : found.why }] : [];
    });
}

/** Start of each agent by "<cluster>/<node>", in milliseconds; "unknown" by "<cluster>" where the agents are not known. */
function startTimes({ clusters }: Scope, read: Read): Map<string, number | "unknown"> {
    return new Map(
        clusters.flatMap(({ facts, kubernetes }): [string, number | "unknown"][] => {
            const agents = read(kubernetes.agents);
            if (!agents) return [[facts.name, "unknown"]];
            return agents.map((agent) => [`${facts.name}/${agent.node}`, Date.parse(agent.started)]);
        }),
    );
}

/** "c1" of "c1/node-a". */
function clusterOf(node: string): string {
    return node.split("/", 1)[0] ?? "";
}

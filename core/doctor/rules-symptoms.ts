import type { ClusterEvidence } from "./evidence.ts";
import { about, type Finding, few, joined, kubectl, putBack, type Rule, type See, way, ways } from "./rule.ts";

/** Seconds from an agent's start until it answers health checks. */
const START_SECONDS = 30;

/** In etcd's words, of somebody whom it knows and lets read nothing, or does not know. */
const REFUSED = /permission denied|etcdserver: (authentication|user name)|invalid auth/i;

/** What agents themselves say. */
export const SYMPTOM_RULES: readonly Rule[] = [
    {
        id: "agent-silent",
        failure: "An agent does not answer: its state, and so the mesh's on that node, is not known.",
        looksAt: "cilium-dbg status in every agent",
        symptom: true,
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const silent = (see(cluster.kubernetes.agents) ?? []).flatMap(({ node, pod, lagging }) =>
                    "unknown" in lagging ? [{ node, pod, why: lagging.unknown }] : [],
                );
                return [...Map.groupBy(silent, ({ why }) => why.replaceAll(/cilium-[a-z0-9]{5}/g, "")).values()].flatMap((same) => {
                    const [first] = same;
                    return first
                        ? [
                              {
                                  ...about(cluster),
                                  found: `${few(same.map(({ node }) => node))}: ${first.why}`,
                                  cause: "the agent hangs, the node is not reached by the API server, or commands may not be run in pods (pods/exec)",
                                  remedy: [kubectl(cluster, `-n kube-system logs ${first.pod} -c cilium-agent --tail 50`)],
                              },
                          ]
                        : [];
                });
            }),
    },
    {
        id: "etcd-refuses",
        failure: "A peer's etcd lets a cluster in, and does not let it read.",
        looksAt: "what agents say of their peers, and cilium-dbg troubleshoot clustermesh",
        symptom: true,
        find: (evidence, see) =>
            ways(evidence).flatMap(({ mesh, from, to }) =>
                behind(from, to, see)
                    .filter(({ said }) => REFUSED.test(said))
                    .slice(0, 1)
                    .map(({ said }) => ({
                        ...way(from, to),
                        found: said,
                        cause: "etcd does not know the user of the client certificate, or has not been given its rights: etcd-init failed, or an admin certificate of another CA",
                        remedy: [...putBack(mesh.stack), kubectl(to, "-n kube-system rollout restart deployment/clustermesh-apiserver")],
                    })),
            ),
    },
    {
        id: "peer-behind",
        failure: "Agents do not see a peer ready and synced.",
        looksAt: "cilium-dbg status in every agent, and cilium-dbg troubleshoot clustermesh in those that are behind",
        symptom: true,
        find: (evidence, see) =>
            ways(evidence).flatMap(({ from, to }): Finding[] => {
                const all = (see(from.kubernetes.agents) ?? []).length;
                const late = behind(from, to, see);
                const [first] = late;
                if (!first) return [];
                return [
                    {
                        ...way(from, to),
                        found: `${late.length} of ${all} agents: ${first.said} (${few(late.map(({ node }) => node))})`,
                        cause: "what these agents know of the peer is old, or nothing",
                        remedy: [
                            kubectl(
                                from,
                                `-n kube-system exec ${first.pod} -c cilium-agent -- cilium-dbg troubleshoot clustermesh ${to.facts.name}`,
                            ),
                            kubectl(
                                from,
                                `-n kube-system delete pod ${few(
                                    late.map(({ pod }) => pod),
                                    16,
                                )}   # if nothing else is found`,
                            ),
                        ],
                    },
                ];
            }),
    },
    {
        id: "nodes-unknown",
        failure: "Agents do not know a node of the mesh, or know one that is gone.",
        looksAt: "cilium-dbg node list in every agent, against the nodes of all clusters",
        symptom: true,
        find: (evidence, see) =>
            joined(evidence).flatMap(({ mesh, members }) =>
                members.flatMap((cluster): Finding[] => {
                    const wrong = (see(cluster.kubernetes.agents) ?? []).flatMap(({ node, nodes }) => {
                        const list = see(nodes);
                        return list && list.missing.length + list.stale.length > 0 ? [{ node, ...list }] : [];
                    });
                    const [first] = wrong;
                    if (!first) return [];
                    const parts = [
                        ...(first.missing.length > 0 ? [`lacks ${few(first.missing)}`] : []),
                        ...(first.stale.length > 0 ? [`still holds ${few(first.stale)}`] : []),
                    ];
                    return [
                        {
                            subject: cluster.facts.name,
                            clusters: mesh.members,
                            found: `the list of ${few(wrong.map(({ node }) => node))} ${parts.join(" and ")}`,
                            cause: "the agent is behind, or the peer's clustermesh-apiserver tells nothing new",
                            remedy: [kubectl(cluster, "-n kube-system exec ds/cilium -c cilium-agent -- cilium-dbg node list")],
                        },
                    ];
                }),
            ),
    },
    {
        id: "health-failing",
        failure: "Cilium's health checks find no way from node to node: TCP 4240 or ICMP.",
        looksAt: "cilium-health status in every agent",
        symptom: true,
        find: (evidence, see) => {
            const started = new Map<string, number>();
            const silent = new Set<string>();
            for (const { facts, kubernetes } of evidence.clusters) {
                const agents = see(kubernetes.agents);
                if (!agents) silent.add(facts.name);
                for (const agent of agents ?? []) started.set(`${facts.name}/${agent.node}`, Date.parse(agent.started));
            }
            return evidence.clusters.flatMap((from) => {
                const failed = (see(from.kubernetes.agents) ?? []).flatMap(({ node, health }) =>
                    (see(health) ?? [])
                        .filter(({ node }) => !silent.has(node.split("/", 1)[0] ?? ""))
                        // What was found before the other agent was up is still told minutes later.
                        .filter((probe) => Date.parse(probe.at) > (started.get(probe.node) ?? 0) + START_SECONDS * 1000)
                        .map((probe) => ({ from: node, ...probe })),
                );
                return [...Map.groupBy(failed, ({ node }) => node.split("/", 1)[0] ?? "")].map(([peer, same]) => ({
                    subject: peer === from.facts.name ? peer : `${from.facts.name} → ${peer}`,
                    clusters: [from.facts.name, peer],
                    found: `${same.length} of the last checks failed: ${few(same.map(({ from, node, probe, why, at }) => `${from} → ${node}, ${probe}, ${at}: ${why}`))}`,
                    cause: "a route or a rule (tcp/4240, icmp) is missing between these nodes, or the node is down",
                    remedy: [
                        kubectl(from, "-n kube-system exec ds/cilium -c cilium-agent -- cilium-health status   # again in two minutes"),
                    ],
                }));
            });
        },
    },
];

/** Agents that are behind with the peer, and why, with what their own troubleshooting finds. */
function behind(from: ClusterEvidence, to: ClusterEvidence, see: See): { node: string; pod: string; said: string }[] {
    return (see(from.kubernetes.agents) ?? []).flatMap(({ node, pod, lagging }) => {
        const found = (see(lagging) ?? []).find(({ peer }) => peer === to.facts.name);
        return found ? [{ node, pod, said: found.trouble ? `${found.why}: ${found.trouble}` : found.why }] : [];
    });
}

import { versionProblems } from "../preflight.ts";
import { minor } from "../versions.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { about, few, joined, kubectl, putBack, type Rule, type See, ways } from "./rule.ts";

/** From here on Cilium's ids take a bit of the packet mark that the VPC CNI uses (cilium#21330). */
const FIRST_BROKEN_ID = 128;

/** A key of cilium-config that must have one value, else this is what comes of it. */
function fixedKey(cluster: ClusterEvidence, see: See, key: string, wanted: string, cause: string) {
    const config = see(cluster.kubernetes.config);
    if (!config || config[key] === wanted) return [];
    return [
        {
            ...about(cluster),
            found: `${key} in cilium-config is ${config[key] ?? "not set"}, not ${wanted}`,
            cause,
            remedy: [...putBack(cluster.facts.stack), kubectl(cluster, "-n kube-system rollout restart daemonset/cilium")],
        },
    ];
}

export const CILIUM_RULES: readonly Rule[] = [
    {
        id: "cluster-identity",
        failure:
            "A cluster runs under another id or name than its stack published, two have the same, or an id does not work behind the VPC CNI.",
        looksAt: "cluster-id and cluster-name of every cilium-config, and the ids under which agents know their peers",
        find: (evidence, see) => [
            ...evidence.clusters.flatMap((cluster) => {
                const { id, name } = cluster.facts;
                const cause = "identities and nodes of the cluster are taken for those of another; an id and a name can never be changed";
                return [
                    ...fixedKey(cluster, see, "cluster-id", String(id), cause),
                    ...fixedKey(cluster, see, "cluster-name", name, cause),
                    ...runningAs(cluster, see),
                    ...(id >= FIRST_BROKEN_ID
                        ? [
                              {
                                  ...about(cluster),
                                  found: `its id is ${id}`,
                                  cause: `from ${FIRST_BROKEN_ID} on the id collides with the VPC CNI's bit of the packet mark, and policies drop at random (cilium#21330)`,
                                  remedy: ["deploy the cluster anew, with another name and an id from 1 to 127"],
                              },
                          ]
                        : []),
                ];
            }),
            ...joined(evidence).flatMap(({ members }) =>
                [...Map.groupBy(members, ({ facts }) => facts.id).values()]
                    .filter((same) => same.length > 1)
                    .map((same) => ({
                        subject: same.map(({ facts }) => facts.name).join(", "),
                        clusters: same.map(({ facts }) => facts.name),
                        found: `all have the id ${same[0]?.facts.id}`,
                        cause: "their identities are mixed up: policies admit and drop the wrong pods",
                        remedy: ["deploy all but one of them anew, with another name and id"],
                    })),
            ),
            ...ways(evidence).flatMap(({ from, to }) => {
                const told = (see(from.kubernetes.agents) ?? []).flatMap(({ ids }) => see(ids)?.peers[to.facts.name] ?? []);
                const other = told.find((id) => id !== to.facts.id);
                if (other === undefined) return [];
                return [
                    {
                        subject: `${from.facts.name} → ${to.facts.name}`,
                        clusters: [from.facts.name, to.facts.name],
                        found: `agents of ${from.facts.name} know ${to.facts.name} by the id ${other}, not ${to.facts.id}`,
                        cause: "the etcd of the peer says so: its clustermesh-apiserver runs with another cilium-config",
                        remedy: [
                            ...putBack(to.facts.stack),
                            kubectl(to, "-n kube-system rollout restart deployment/clustermesh-apiserver"),
                        ],
                    },
                ];
            }),
        ],
    },
    {
        id: "identity-mark",
        failure: "Cilium writes identities into the packet mark, which the VPC CNI uses as well.",
        looksAt: "enable-identity-mark of every cilium-config",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) =>
                fixedKey(
                    cluster,
                    see,
                    "enable-identity-mark",
                    "false",
                    "the two overwrite each other's bits: packets are dropped or translated at random (cilium#38738)",
                ),
            ),
    },
    {
        id: "cilium-masquerade",
        failure: "Cilium translates the source of packets that leave a node.",
        looksAt: "enable-ipv4-masquerade of every cilium-config",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) =>
                fixedKey(cluster, see, "enable-ipv4-masquerade", "false", "peers see a node instead of the pod: policies do not match"),
            ),
    },
    {
        id: "datapath-changed",
        failure: "Cilium does not run as the mesh needs it: chained on the VPC CNI, routing natively, identities in Kubernetes.",
        looksAt: "cni-chaining-mode, routing-mode and identity-allocation-mode of every cilium-config",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) =>
                Object.entries({ "cni-chaining-mode": "aws-cni", "routing-mode": "native", "identity-allocation-mode": "crd" }).flatMap(
                    ([key, wanted]) => fixedKey(cluster, see, key, wanted, "pods of this cluster and of the others do not find each other"),
                ),
            ),
    },
    {
        id: "max-connected-clusters",
        failure: "The clusters of a mesh do not agree on how many there may be, and so not on the bits of an identity.",
        looksAt: "max-connected-clusters of every cilium-config",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) =>
                fixedKey(
                    cluster,
                    see,
                    "max-connected-clusters",
                    String(cluster.facts.maxConnectedClusters),
                    "agents refuse the peer, or read its identities wrongly; it can never be changed on a living cluster",
                ),
            ),
    },
    {
        id: "policy-scope",
        failure:
            "Network policies without a cluster label mean the own cluster in some clusters and all of them in others, or it depends on Cilium's version.",
        looksAt: "policy-default-local-cluster of every cilium-config",
        find: (evidence, see) =>
            joined(evidence).flatMap(({ members }) => {
                const values = members.flatMap((cluster) => {
                    const config = see(cluster.kubernetes.config);
                    return config ? [{ cluster, value: config["policy-default-local-cluster"] }] : [];
                });
                const differ = new Set(values.map(({ value }) => value)).size > 1;
                return values
                    .filter(({ value }) => value === undefined || (differ && value !== "true"))
                    .map(({ cluster, value }) => ({
                        ...about(cluster),
                        found: `policy-default-local-cluster is ${value ?? "not set"}${differ ? `; ${few(values.filter((one) => one.cluster !== cluster).map((one) => `${one.value ?? "not set"} in ${one.cluster.facts.name}`))}` : ""}`,
                        cause: "the same policy admits pods of peers in one cluster and drops them in another (cilium#40609)",
                        remedy: [
                            `set cilium.values.clustermesh.policyDefaultLocalCluster alike in every cluster's stack file`,
                            ...putBack(cluster.facts.stack),
                        ],
                    }));
            }),
    },
    {
        id: "version-skew",
        failure: "Versions of Cilium or Kubernetes are more than a minor apart between clusters, or a cluster's agents have several.",
        looksAt: "images of the running agents, versions of the API servers",
        find: (evidence, see) => [
            ...evidence.clusters.flatMap((cluster) => {
                const versions = agentVersions(cluster, see);
                if (versions.length < 2) return [];
                return [
                    {
                        ...about(cluster),
                        found: `its agents run Cilium ${versions.join(" and ")}`,
                        cause: "an upgrade has not come to its end",
                        remedy: [kubectl(cluster, "-n kube-system rollout status daemonset/cilium"), ...putBack(cluster.facts.stack)],
                    },
                ];
            }),
            ...joined(evidence).flatMap(({ mesh, members }) => {
                const running = members.map((member) => ({
                    ...member.facts,
                    kubernetesVersion: see(member.kubernetes.version) ?? member.facts.kubernetesVersion,
                    ciliumVersion: agentVersions(member, see)[0] ?? member.facts.ciliumVersion,
                }));
                return versionProblems(running).map((problem) => ({
                    subject: mesh.stack,
                    clusters: mesh.members,
                    found: problem,
                    cause: "Cilium promises to mesh with the next minor only, and workloads that fail over need the same APIs on both sides",
                    remedy: ["upgrade one cluster at a time: its stack file, then pulumi up, then the mesh"],
                }));
            }),
        ],
    },
];

/** Agents take a changed cilium-config when they are restarted, and not before. */
function runningAs(cluster: ClusterEvidence, see: See) {
    const others = (see(cluster.kubernetes.agents) ?? []).flatMap(({ node, ids }) => {
        const own = see(ids)?.own;
        return own === undefined || own === cluster.facts.id ? [] : [{ node, own }];
    });
    if (others.length === 0) return [];
    return [
        {
            ...about(cluster),
            found: `agents run with another id than ${cluster.facts.id}: ${few(others.map(({ node, own }) => `${node} with ${own}`))}`,
            cause: "they were started while cilium-config had that id: their pods' identities are those of another cluster",
            remedy: [...putBack(cluster.facts.stack), kubectl(cluster, "-n kube-system rollout restart daemonset/cilium")],
        },
    ];
}

/** Oldest first. */
function agentVersions(cluster: ClusterEvidence, see: See): string[] {
    const agents = see(cluster.kubernetes.agents) ?? [];
    return [...new Set(agents.map(({ version }) => version))].filter((version) => !Number.isNaN(minor(version))).toSorted();
}

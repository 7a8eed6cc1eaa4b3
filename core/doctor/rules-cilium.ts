import { versionProblems } from "../preflight.ts";
import { minor } from "../versions.ts";
import { CONFIG_REMEDY, requiredKey } from "./cilium-config.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { aboutCluster, firstFew, kubectl, type Read, type Rule, restore } from "./rule.ts";
import { IDENTITY_RULE } from "./rules-identity.ts";
import type { Scope } from "./scope.ts";

const UPGRADE = "npx clustermesh up --rolling   # after setting versions at most one minor apart in the stack files";

const SAME_SCOPE = "# after setting cilium.values.clustermesh.policyDefaultLocalCluster alike in all stack files";

/** Settings and versions of Cilium on which the mesh depends. */
export const CILIUM_RULES: readonly Rule[] = [
    IDENTITY_RULE,
    {
        id: "identity-mark",
        failure: "Cilium writes identities into the packet mark, which the VPC CNI uses as well.",
        looksAt: "enable-identity-mark of every cilium-config",
        cause: "The two overwrite each other's bits: packets are dropped or translated at random (cilium#38738).",
        remedy: CONFIG_REMEDY,
        find: ({ clusters }, read) => clusters.flatMap((cluster) => requiredKey(cluster, read, "enable-identity-mark", "false")),
    },
    {
        id: "cilium-masquerade",
        failure: "Cilium translates the source address of packets that leave a node.",
        looksAt: "enable-ipv4-masquerade of every cilium-config",
        cause: "Peers see a node instead of the pod, so network policies do not match.",
        remedy: CONFIG_REMEDY,
        find: ({ clusters }, read) => clusters.flatMap((cluster) => requiredKey(cluster, read, "enable-ipv4-masquerade", "false")),
    },
    {
        id: "datapath-changed",
        failure: "Cilium does not run as the mesh needs it: chained to the VPC CNI, native routing, identities in Kubernetes.",
        looksAt: "cni-chaining-mode, routing-mode and identity-allocation-mode of every cilium-config",
        cause: "Pods of this cluster and of the others do not reach each other.",
        remedy: CONFIG_REMEDY,
        find: ({ clusters }, read) => {
            const required = { "cni-chaining-mode": "aws-cni", "routing-mode": "native", "identity-allocation-mode": "crd" };
            return clusters.flatMap((cluster) =>
                Object.entries(required).flatMap(([key, value]) => requiredKey(cluster, read, key, value)),
            );
        },
    },
    {
        id: "max-connected-clusters",
        failure: "A cluster has another maximum number of connected clusters than its stack published, and so other bits of an identity.",
        looksAt: "max-connected-clusters of every cilium-config",
        cause: "Agents refuse the peer, or misread its identities. The setting can never be changed on a running cluster.",
        remedy: CONFIG_REMEDY,
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => requiredKey(cluster, read, "max-connected-clusters", String(cluster.facts.maxConnectedClusters))),
    },
    {
        id: "policy-scope",
        failure:
            "Network policies without a cluster label select the own cluster in some clusters and all clusters in others, or it depends on Cilium's version.",
        looksAt: "policy-default-local-cluster of every cilium-config",
        cause: "The same policy allows pods of peers in one cluster and drops them in another (cilium#40609).",
        remedy: [`npx clustermesh up --refresh <cluster>   ${SAME_SCOPE}`],
        find: ({ mesh, clusters }, read) => {
            if (!mesh) return [];
            const values = clusters.flatMap((cluster) => {
                const config = read(cluster.kubernetes.config);
                return config ? [{ cluster, value: config["policy-default-local-cluster"] }] : [];
            });
            const differ = new Set(values.map(({ value }) => value)).size > 1;
            return values
                .filter(({ value }) => value === undefined || (differ && value !== "true"))
                .map(({ cluster, value }) => {
                    const others = values.filter((other) => other.cluster !== cluster);
                    const elsewhere = firstFew(others.map((other) => `${other.value ?? "not set"} in ${other.cluster.facts.name}`));
                    return {
                        ...aboutCluster(cluster),
                        found: `policy-default-local-cluster is ${value ?? "not set"}${differ ? `; ${elsewhere}` : ""}`,
                        remedy: restore(cluster.facts.stack).map((command) => `${command}   ${SAME_SCOPE}`),
                    };
                });
        },
    },
    {
        id: "version-skew",
        failure: "Versions of Cilium or Kubernetes are more than one minor apart between clusters, or a cluster's agents have several.",
        looksAt: "images of the running agents, versions of the API servers",
        cause: "Cilium supports a mesh with the next minor version only, and workloads that fail over need the same APIs on both sides.",
        remedy: ["in <cluster>: kubectl -n kube-system rollout status daemonset/cilium", "npx clustermesh up --refresh <cluster>", UPGRADE],
        find: (scope, read) => [...mixedAgents(scope, read), ...versionSkew(scope, read)],
    },
];

function mixedAgents({ clusters }: Scope, read: Read) {
    return clusters.flatMap((cluster) => {
        const versions = agentVersions(cluster, read);
        if (versions.length < 2) return [];
        return [
            {
                ...aboutCluster(cluster),
                found: `its agents run Cilium ${versions.join(" and ")}`,
                cause: "An upgrade is not complete.",
                remedy: [kubectl(cluster, "-n kube-system rollout status daemonset/cilium"), ...restore(cluster.facts.stack)],
            },
        ];
    });
}

function versionSkew({ mesh, clusters }: Scope, read: Read) {
    if (!mesh) return [];
    const running = clusters.map((cluster) => ({
        ...cluster.facts,
        kubernetesVersion: read(cluster.kubernetes.version) ?? cluster.facts.kubernetesVersion,
        ciliumVersion: agentVersions(cluster, read)[0] ?? cluster.facts.ciliumVersion,
    }));
    return versionProblems(running).map((found) => ({ subject: mesh.stack, clusters: mesh.members, found, remedy: [UPGRADE] }));
}

/** Oldest first. */
function agentVersions(cluster: ClusterEvidence, read: Read): string[] {
    const agents = read(cluster.kubernetes.agents) ?? [];
    return [...new Set(agents.map(({ version }) => version))].filter((version) => !Number.isNaN(minor(version))).toSorted();
}

import { CONFIG_REMEDY, replaceCluster, requiredKey } from "./cilium-config.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { aboutCluster, aboutPath, type Finding, firstFew, kubectl, paths, type Read, type Rule, restore } from "./rule.ts";
import type { Scope } from "./scope.ts";

/** From this id on, Cilium uses a bit of the packet mark that the VPC CNI uses, too (cilium#21330). */
const FIRST_BROKEN_ID = 128;

export const IDENTITY_RULE: Rule = {
    id: "cluster-identity",
    failure:
        "A cluster runs with another id or name than its stack published, two clusters have the same id, or an id does not work with the VPC CNI.",
    looksAt:
        "cluster-id and cluster-name of every cilium-config, the ids with which agents run, and the ids by which they know their peers",
    cause: "Identities and nodes of the cluster are taken for those of another cluster. An id and a name can never be changed.",
    remedy: [
        ...CONFIG_REMEDY,
        "in <cluster>: kubectl -n kube-system rollout restart deployment/clustermesh-apiserver",
        ...replaceCluster({ facts: { stack: "<cluster>" } as ClusterEvidence["facts"] }, "<id>"),
    ],
    find: (scope, read) => [
        ...scope.clusters.flatMap((cluster) => [
            ...requiredKey(cluster, read, "cluster-id", String(cluster.facts.id)),
            ...requiredKey(cluster, read, "cluster-name", cluster.facts.name),
            ...runningIds(cluster, read),
            ...brokenId(cluster),
        ]),
        ...sameIds(scope),
        ...idsKnownToPeers(scope, read),
    ],
};

/** Agents read a changed cilium-config only when they are restarted. */
function runningIds(cluster: ClusterEvidence, read: Read): Finding[] {
    const others = (read(cluster.kubernetes.agents) ?? []).flatMap(({ node, ids }) => {
        const own = read(ids)?.own;
        return own === undefined || own === cluster.facts.id ? [] : [{ node, own }];
    });
    if (others.length === 0) return [];
    return [
        {
            ...aboutCluster(cluster),
            found: `agents run with another id than ${cluster.facts.id}: ${firstFew(others.map(({ node, own }) => `${node} with ${own}`))}`,
            cause: "They were started while cilium-config had that id, so their pods have identities of another cluster.",
            remedy: [...restore(cluster.facts.stack), kubectl(cluster, "-n kube-system rollout restart daemonset/cilium")],
        },
    ];
}

function brokenId(cluster: ClusterEvidence): Finding[] {
    const { id } = cluster.facts;
    if (id < FIRST_BROKEN_ID) return [];
    return [
        {
            ...aboutCluster(cluster),
            found: `its id is ${id}`,
            cause: `From ${FIRST_BROKEN_ID} on, the id collides with the VPC CNI's bit of the packet mark, and policies drop at random (cilium#21330).`,
            remedy: replaceCluster(cluster, "an id from 1 to 127"),
        },
    ];
}

function sameIds({ mesh, clusters }: Scope): Finding[] {
    if (!mesh) return [];
    return [...Map.groupBy(clusters, ({ facts }) => facts.id)].flatMap(([id, same]) => {
        const last = same.at(-1);
        if (!last || same.length < 2) return [];
        const names = same.map(({ facts }) => facts.name);
        return [
            {
                subject: names.join(", "),
                clusters: names,
                found: `all have the id ${id}`,
                cause: "Their identities are mixed up, so policies allow and drop the wrong pods.",
                remedy: replaceCluster(last, "another id"),
            },
        ];
    });
}

function idsKnownToPeers(scope: Scope, read: Read): Finding[] {
    return paths(scope).flatMap(({ from, to }) => {
        const known = (read(from.kubernetes.agents) ?? []).flatMap(({ ids }) => read(ids)?.peers[to.facts.name] ?? []);
        const other = known.find((id) => id !== to.facts.id);
        if (other === undefined) return [];
        return [
            {
                ...aboutPath(from, to),
                found: `agents of ${from.facts.name} know ${to.facts.name} by the id ${other}, not ${to.facts.id}`,
                cause: "The peer's etcd publishes that id: its clustermesh-apiserver runs with another cilium-config.",
                remedy: [...restore(to.facts.stack), kubectl(to, "-n kube-system rollout restart deployment/clustermesh-apiserver")],
            },
        ];
    });
}

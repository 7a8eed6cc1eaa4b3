import { shortStackName } from "../stack-names.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { aboutCluster, type Finding, kubectl, type Read, restore } from "./rule.ts";

/** The remedy of `requiredKey`, for docs/doctor.md. */
export const CONFIG_REMEDY = [
    "npx clustermesh up --refresh <cluster>",
    "in <cluster>: kubectl -n kube-system rollout restart daemonset/cilium",
];

/** A key of cilium-config that must have one value. */
export function requiredKey(cluster: ClusterEvidence, read: Read, key: string, value: string): Finding[] {
    const config = read(cluster.kubernetes.config);
    if (!config || config[key] === value) return [];
    return [
        {
            ...aboutCluster(cluster),
            found: `${key} in cilium-config is ${config[key] ?? "not set"}, not ${value}`,
            remedy: [...restore(cluster.facts.stack), kubectl(cluster, "-n kube-system rollout restart daemonset/cilium")],
        },
    ];
}

/**
 * A name or an id cannot be changed, so the cluster must be replaced.
 *
 * @param id what its new id must be
 */
export function replaceCluster({ facts: { stack } }: Pick<ClusterEvidence, "facts">, id: string): string[] {
    const name = shortStackName(stack);
    return [
        `npx clustermesh leave ${name}`,
        `npx clustermesh destroy --yes ${name}`,
        `npx clustermesh join ${name}   # with another name and ${id} in its stack file`,
    ];
}

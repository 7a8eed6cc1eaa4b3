import { pairs } from "../network/mesh.ts";
import { shortStackName } from "../stack-names.ts";
import type { ClusterEvidence, Known, MeshEvidence } from "./evidence.ts";
import type { Scope } from "./scope.ts";

export interface Finding {
    /** What the finding is about: "c1", "c1/node-a", "c1 → c2", a stack. */
    subject: string;
    /** The actual state, with values, and the expected one. */
    found: string;
    /** Why it is so, or what follows from it. Default: the rule's. */
    cause?: string;
    /** Commands that fix it, in this order. */
    remedy: string[];
    /** Clusters that it concerns; symptoms between them may follow from it. */
    clusters: string[];
}

/** The value of a part of the evidence; undefined if it could not be read, which the report then shows. */
export type Read = <T>(part: Known<T>) => T | undefined;

/** A failure that doctor can detect. */
export interface Rule {
    /** Stable, because scripts may rely on it. */
    id: string;
    /** One sentence. */
    failure: string;
    looksAt: string;
    /** Why it happens, or what follows from it. */
    cause: string;
    /** The commands that fix it, for docs/doctor.md: as in the findings, with placeholders such as `<stack>`. */
    remedy: readonly string[];
    /** It follows from other failures: those between the same clusters are reported as its cause. */
    symptom?: true;
    find(scope: Scope, read: Read): Finding[];
}

/** Each pair of clusters of the mesh once. */
export function clusterPairs({ mesh, clusters }: Scope): { mesh: MeshEvidence; ends: [ClusterEvidence, ClusterEvidence] }[] {
    return mesh ? pairs(clusters).map((ends) => ({ mesh, ends })) : [];
}

/** Each pair of clusters of the mesh in both directions. */
export function paths(scope: Scope): { mesh: MeshEvidence; from: ClusterEvidence; to: ClusterEvidence }[] {
    return clusterPairs(scope).flatMap(({ mesh, ends: [a, b] }) => [
        { mesh, from: a, to: b },
        { mesh, from: b, to: a },
    ]);
}

/** The clusters of the mesh; none for clusters in no mesh. */
export function members({ mesh, clusters }: Scope): { mesh: MeshEvidence; cluster: ClusterEvidence }[] {
    return mesh ? clusters.map((cluster) => ({ mesh, cluster })) : [];
}

/** "c1 → c2" */
export function aboutPath(from: ClusterEvidence, to: ClusterEvidence): Pick<Finding, "subject" | "clusters"> {
    return { subject: `${from.facts.name} → ${to.facts.name}`, clusters: [from.facts.name, to.facts.name] };
}

export function aboutCluster({ facts: { name } }: ClusterEvidence): Pick<Finding, "subject" | "clusters"> {
    return { subject: name, clusters: [name] };
}

/** Restores whatever a stack has created and someone has changed. */
export function restore(...stacks: string[]): string[] {
    return [`npx clustermesh up --refresh ${stacks.map(shortStackName).join(" ")}`];
}

/** "in c1: kubectl -n kube-system ..." */
export function kubectl({ facts: { name } }: ClusterEvidence, command: string): string {
    return `in ${name}: kubectl ${command}`;
}

/** The first items, and the number of the others. */
export function firstFew(items: readonly string[], most = 3): string {
    const more = items.length - most;
    return more > 0 ? `${items.slice(0, most).join(", ")} and ${more} more` : items.join(", ");
}

/** The Secret through which a cluster's agents, or its kvstoremesh, connect to the peers. */
export function peersSecret({ facts: { wiring } }: ClusterEvidence): string {
    return wiring === "direct" ? "cilium-clustermesh" : "cilium-kvstoremesh";
}

import { pairs } from "../network/mesh.ts";
import { shortStackName } from "../stack-names.ts";
import type { ClusterEvidence, Evidence, Known, MeshEvidence } from "./evidence.ts";

export interface Finding {
    /** Whom it is about: "c1", "c1/node-a", "c1 → c2", a stack. */
    subject: string;
    /** What is there, with values, and what should be. */
    found: string;
    /** What makes it so, or what comes of it. */
    cause: string;
    /** Commands that mend it, in this order. */
    remedy: string[];
    /** Clusters that it concerns: a symptom between them may come of it. */
    clusters: string[];
}

/** The value of a part of the evidence; undefined where it could not be gathered, which is noted. */
export type See = <T>(part: Known<T>) => T | undefined;

/** A failure that a program can see. */
export interface Rule {
    /** Stable: scripts may rely on it. */
    id: string;
    /** In one sentence. */
    failure: string;
    looksAt: string;
    /** It follows from other failures: what is found between the same clusters is named as its cause. */
    symptom?: true;
    find(evidence: Evidence, see: See): Finding[];
}

/** The clusters of each mesh. */
export function joined({ meshes, clusters }: Evidence): { mesh: MeshEvidence; members: ClusterEvidence[] }[] {
    return meshes.map((mesh) => ({ mesh, members: clusters.filter(({ facts }) => mesh.members.includes(facts.name)) }));
}

/** Each two clusters of a mesh, once. */
export function links(evidence: Evidence): { mesh: MeshEvidence; ends: [ClusterEvidence, ClusterEvidence] }[] {
    return joined(evidence).flatMap(({ mesh, members }) => pairs(members).map((ends) => ({ mesh, ends })));
}

/** Each two clusters of a mesh, both ways. */
export function ways(evidence: Evidence): { mesh: MeshEvidence; from: ClusterEvidence; to: ClusterEvidence }[] {
    return links(evidence).flatMap(({ mesh, ends: [a, b] }) => [
        { mesh, from: a, to: b },
        { mesh, from: b, to: a },
    ]);
}

/** "c1 → c2" */
export function way(from: ClusterEvidence, to: ClusterEvidence): Pick<Finding, "subject" | "clusters"> {
    return { subject: `${from.facts.name} → ${to.facts.name}`, clusters: [from.facts.name, to.facts.name] };
}

export function about({ facts: { name } }: ClusterEvidence): Pick<Finding, "subject" | "clusters"> {
    return { subject: name, clusters: [name] };
}

/** What puts back whatever a stack has made and somebody has changed. */
export function putBack(...stacks: string[]): string[] {
    return [`npx clustermesh up --refresh ${stacks.map(shortStackName).join(" ")}`];
}

/** "in c1: kubectl -n kube-system ..." */
export function kubectl({ facts: { name } }: ClusterEvidence, command: string): string {
    return `in ${name}: kubectl ${command}`;
}

/** The first few, and how many more. */
export function few(items: readonly string[], most = 3): string {
    const more = items.length - most;
    return more > 0 ? `${items.slice(0, most).join(", ")} and ${more} more` : items.join(", ");
}

/** The Secret by which a cluster's agents, or its kvstoremesh, dial the peers. */
export function peersSecret({ facts: { wiring } }: ClusterEvidence): string {
    return wiring === "direct" ? "cilium-clustermesh" : "cilium-kvstoremesh";
}

import type { ClusterEvidence, Evidence, MeshEvidence, StackEvidence } from "./evidence.ts";

/**
 * A part of the evidence that is judged on its own: the project's stacks, one mesh with its clusters, or one cluster that is in no mesh. Rules see one scope at a
 * time, so that clusters of different meshes are never compared: they may have the same names, ids and addresses.
 */
export interface Scope {
    gatheredAt: string;
    stacks: StackEvidence[];
    mesh?: MeshEvidence;
    clusters: ClusterEvidence[];
}

export function scopesOf({ gatheredAt, stacks, meshes, clusters }: Evidence): Scope[] {
    const isIn = (cluster: ClusterEvidence, mesh: MeshEvidence) => cluster.mesh === mesh.stack;
    const alone = clusters.filter((cluster) => !meshes.some((mesh) => isIn(cluster, mesh)));
    return [
        { gatheredAt, stacks, clusters: [] },
        ...meshes.map((mesh) => ({ gatheredAt, stacks: [], mesh, clusters: clusters.filter((cluster) => isIn(cluster, mesh)) })),
        ...alone.map((cluster) => ({ gatheredAt, stacks: [], clusters: [cluster] })),
    ];
}

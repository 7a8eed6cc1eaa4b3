/** A node on which test pods may run. */
export interface MeshNode {
    name: string;
    /** Availability zone; empty when the node has no zone label. */
    zone: string;
    /** Ready and schedulable. */
    ready: boolean;
}

/** Names of up to `count` ready nodes, taken from each zone in turn, because route tables differ by zone. */
export function sampleNodes(nodes: readonly MeshNode[], count: number): string[] {
    const byZone = Map.groupBy(
        nodes.filter(({ ready }) => ready).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        ({ zone }) => zone,
    );
    const zones = [...byZone].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, inZone]) => inZone.map(({ name }) => name));
    const rounds = Math.max(0, ...zones.map(({ length }) => length));
    return Array.from({ length: rounds }, (_, round) => zones.flatMap((names) => names.slice(round, round + 1)))
        .flat()
        .slice(0, count);
}

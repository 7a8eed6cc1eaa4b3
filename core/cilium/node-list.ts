import { z } from "zod";

/** `cilium-dbg node list -o json`: names are `<cluster>/<node>` (api/v1/models/node_element.go). An agent without any node prints nothing or null. */
const NodeList = z.array(z.looseObject({ name: z.string().default("") })).nullable();

export interface NodeListProblems {
    /** Nodes that are there, and the agent does not know. */
    missing: string[];
    /** Nodes of the mesh's clusters that the agent knows, and are gone. */
    stale: string[];
}

/**
 * What an agent's node list lacks and has too much, as `<cluster>/<node>`.
 *
 * @param listJson output of `cilium-dbg node list -o json`
 * @param nodes names of the nodes that each cluster has; nodes of others are not judged
 * @throws Error when the output is no node list
 */
export function nodeListProblems(listJson: string, nodes: ReadonlyMap<string, readonly string[]>): NodeListProblems {
    const known = new Set((NodeList.parse(JSON.parse(listJson.trim() || "null")) ?? []).map(({ name }) => name));
    const expected = new Set([...nodes].flatMap(([cluster, names]) => names.map((name) => `${cluster}/${name}`)));
    return {
        missing: [...expected].filter((name) => !known.has(name)),
        stale: [...known].filter((name) => !expected.has(name) && nodes.has(name.split("/", 1)[0] ?? "")),
    };
}

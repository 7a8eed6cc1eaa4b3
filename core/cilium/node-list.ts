import { z } from "zod";

/** `cilium-dbg node list -o json`: names are `<cluster>/<node>` (api/v1/models/node_element.go). An agent without nodes prints nothing or null. */
const NodeList = z.array(z.looseObject({ name: z.string().default("") })).nullable();

export interface NodeListProblems {
    /** Existing nodes that the agent does not know. */
    missing: string[];
    /** Nodes of the mesh's clusters that the agent knows but that no longer exist. */
    stale: string[];
}

/**
 * Missing and stale nodes in an agent's node list, as `<cluster>/<node>`.
 *
 * @param listJson output of `cilium-dbg node list -o json`
 * @param nodes node names by cluster; nodes of other clusters are ignored
 * @throws Error when the output is not a node list
 */
export function nodeListProblems(listJson: string, nodes: ReadonlyMap<string, readonly string[]>): NodeListProblems {
    const known = new Set((NodeList.parse(JSON.parse(listJson.trim() || "null")) ?? []).map(({ name }) => name));
    const expected = new Set([...nodes].flatMap(([cluster, names]) => names.map((name) => `${cluster}/${name}`)));
    return {
        missing: [...expected].filter((name) => !known.has(name)),
        stale: [...known].filter((name) => !expected.has(name) && nodes.has(name.split("/", 1)[0] ?? "")),
    };
}

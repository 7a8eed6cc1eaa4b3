import { clusterStack } from "./stacks/cluster.ts";
import { loadConfig } from "./stacks/load-config.ts";
import { meshStack } from "./stacks/mesh.ts";

/** The stack's file says which of the two programs this is. */
export default async function program() {
    const config = loadConfig();
    return config.kind === "cluster" ? clusterStack(config) : meshStack(config);
}

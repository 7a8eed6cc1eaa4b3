import { clusterStack } from "./stacks/cluster.ts";
import { loadConfig } from "./stacks/load-config.ts";
import { meshStack } from "./stacks/mesh.ts";

/** The stack file decides which of the two programs runs. */
export default async function program() {
    const config = loadConfig();
    return config.kind === "cluster" ? clusterStack(config) : meshStack(config);
}

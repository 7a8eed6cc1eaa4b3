import type { ClusterConfig, MeshConfig } from "./parse.ts";

/** The stacks of a folder, as their stack files describe them. */
export interface Project {
    clusters: readonly { stack: string; config: ClusterConfig }[];
    meshes: readonly { stack: string; config: MeshConfig }[];
    /** Everything that is wrong with the stack files, each with its file's name. */
    problems: readonly string[];
    /** Stacks whose file is invalid: they are in neither list. */
    invalid: readonly string[];
}

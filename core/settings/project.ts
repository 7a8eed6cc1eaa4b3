import type { ClusterConfig, MeshConfig } from "./parse.ts";

/** The stacks of a folder, as their stack files describe them. */
export interface Project {
    clusters: readonly { stack: string; config: ClusterConfig }[];
    meshes: readonly { stack: string; config: MeshConfig }[];
    /** Every problem of the stack files, each with the name of its file. */
    problems: readonly string[];
    /** Stacks whose file is invalid. They are in neither list. */
    invalid: readonly string[];
}

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shortStackName, stackFile } from "../../core/stack-names.ts";
import type { Context, Option } from "../command.ts";
import { readFittingProject, readValidProject, selectCluster, selectMesh } from "./selection.ts";

export const MESH_OPTION: Record<string, Option> = {
    mesh: { type: "string", value: "<mesh>", help: "Mesh to change, if the folder has several" },
};

/**
 * The cluster and the mesh that `join` and `leave` are about.
 *
 * @param meshName the value of `--mesh`
 * @returns stack names; `members` are those in the mesh's file
 * @throws UsageError unless both exist and the mesh is unambiguous
 */
export function membership(
    context: Pick<Context, "folder">,
    clusterName: string,
    meshName: unknown,
): { cluster: string; mesh: string; members: string[] } {
    const project = readValidProject(context);
    const cluster = selectCluster(project, clusterName);
    const mesh = selectMesh(project, typeof meshName === "string" ? meshName : undefined, "--mesh");
    return { cluster: cluster.stack, mesh: mesh.stack, members: mesh.config.clusters.map(shortStackName) };
}

/**
 * Edits the stack file of a mesh.
 *
 * @param done what the edit does, for the log
 * @throws UsageError if the stack files would no longer be valid or fit together; the file is then unchanged
 */
export function editMesh(
    { folder, log }: Pick<Context, "folder" | "log">,
    mesh: string,
    edit: (text: string) => string,
    done: string,
): void {
    const file = stackFile(mesh);
    const path = join(folder, file);
    const before = readFileSync(path, "utf8");
    writeFileSync(path, edit(before));
    try {
        readFittingProject({ folder });
    } catch (error) {
        writeFileSync(path, before);
        throw error;
    }
    log(`${file}: ${done}`);
}

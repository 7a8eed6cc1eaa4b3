import { planReport } from "../../core/plan/report.ts";
import type { Project } from "../../core/settings/project.ts";
import { type Context, didYouMean, UsageError } from "../command.ts";
import { projectName, readProject, stackNames } from "./stack-files.ts";

type Folder = Pick<Context, "folder">;

/**
 * Reads the stack files of the folder, which must be valid and must fit together: what an operation that creates resources requires.
 *
 * @throws UsageError for every mistake in the stack files, each by itself and across them
 */
export function readFittingProject({ folder }: Folder): Project {
    const project = readProject(folder);
    const problems = [...project.problems, ...planReport(project, projectName(folder)).problems];
    if (problems.length > 0) throw new UsageError(problems, "stack files");
    return required(project, folder);
}

/**
 * Reads the stack files of the folder, each of which must be valid.
 *
 * @throws UsageError for every mistake in the stack files
 */
export function readValidProject({ folder }: Folder): Project {
    const project = readProject(folder);
    if (project.problems.length > 0) throw new UsageError(project.problems, "stack files");
    return required(project, folder);
}

function required(project: Project, folder: string): Project {
    if (project.clusters.length + project.meshes.length === 0)
        throw new UsageError(`${folder} has no stack file: README.md shows how to write the first ones`, "stack files");
    return project;
}

/**
 * The stacks that were named, or all.
 *
 * @throws UsageError for names of stacks that do not exist
 */
export function selectStacks(project: Project, names: readonly string[]): { clusters: string[]; meshes: string[] } {
    const { clusters, meshes } = stackNames(project);
    const all = [...clusters, ...meshes];
    const unknown = names.filter((name) => !all.includes(name));
    if (unknown.length > 0) throw new UsageError(unknown.map((name) => `stack ${name} does not exist${didYouMean(name, all)}`));
    return stackNames(project, names);
}

/**
 * The mesh that was named, or the only one.
 *
 * @param argument how the user names it, for the error
 * @throws UsageError if it does not exist, and if none was named but there are several
 */
export function selectMesh({ meshes }: Project, name: string | undefined, argument: "<mesh>" | "--mesh"): Project["meshes"][number] {
    const names = meshes.map(({ stack }) => stack);
    if (name !== undefined) {
        const mesh = meshes.find(({ stack }) => stack === name);
        if (!mesh) throw new UsageError(`mesh stack ${name} does not exist${didYouMean(name, names)}`);
        return mesh;
    }
    const [mesh, ...others] = meshes;
    if (!mesh) throw new UsageError("the folder has no mesh stack: write Pulumi.mesh.yaml first", "stack files");
    if (others.length > 0) throw new UsageError(`the folder has several meshes: name one of ${names.join(", ")} as ${argument}`);
    return mesh;
}

/**
 * The cluster stack of that name.
 *
 * @throws UsageError if it does not exist
 */
export function selectCluster({ clusters }: Project, name: string): Project["clusters"][number] {
    const cluster = clusters.find(({ stack }) => stack === name);
    if (cluster) return cluster;
    const names = clusters.map(({ stack }) => stack);
    throw new UsageError(`cluster stack ${name} does not exist${didYouMean(name, names)}`);
}

import type { PublishedCluster } from "../../core/facts/schema.ts";
import type { Project } from "../../core/settings/project.ts";
import { shortStackName } from "../../core/stack-names.ts";
import type { DeployedStack } from "./deployed.ts";

/** The deployed stacks that belong together: a mesh and its clusters. Without `mesh`: clusters that are in no mesh. */
export interface MeshGroup {
    /** The mesh's stack. */
    mesh?: string;
    stacks: DeployedStack[];
}

/**
 * Groups stacks by mesh. A cluster belongs to a mesh that names it in its stack file, and to a mesh that it joined at the mesh's last deployment.
 *
 * Meshes are judged one at a time: names and ids of clusters are unique within a mesh only.
 */
export function meshGroups(project: Project, deployed: readonly DeployedStack[]): MeshGroup[] {
    const clusters = deployed.filter(({ kind }) => kind === "cluster");
    const groups = deployed
        .filter(({ kind }) => kind === "mesh")
        .map((mesh): Required<MeshGroup> => {
            const members = memberStacks(project, mesh);
            return { mesh: mesh.stack, stacks: [...clusters.filter(({ stack }) => members.has(stack)), mesh] };
        });
    const grouped = new Set(groups.flatMap(({ stacks }) => stacks));
    const rest = clusters.filter((cluster) => !grouped.has(cluster));
    return rest.length > 0 ? [...groups, { stacks: rest }] : groups;
}

/** The stacks of one mesh, or all of them. */
export function stacksOf(mesh: string | undefined, project: Project, deployed: readonly DeployedStack[]): readonly DeployedStack[] {
    if (mesh === undefined) return deployed;
    return meshGroups(project, deployed).find((group) => group.mesh === mesh)?.stacks ?? [];
}

function memberStacks(project: Project, { stack, mesh }: DeployedStack): Set<string> {
    const named = project.meshes.find((settings) => settings.stack === stack)?.config.clusters ?? [];
    const joined = typeof mesh === "object" ? Object.values(mesh.members).map((member) => member.stack) : [];
    return new Set([...named, ...joined].map(shortStackName));
}

/** The clusters that the mesh of a group has joined, with their credentials. `problems` are stacks of the group that cannot be read, and why. */
export function deployedMembers({ stacks }: MeshGroup): { members: PublishedCluster[]; problems: string[] } {
    const joined = new Set(stacks.flatMap(({ mesh }) => (typeof mesh === "object" ? Object.keys(mesh.members) : [])));
    const clusters = stacks.flatMap(({ cluster }) => cluster ?? []);
    return {
        members: clusters.filter((cluster) => typeof cluster === "object").filter(({ name }) => joined.has(name)),
        problems: [
            ...clusters.filter((cluster) => typeof cluster === "string"),
            ...stacks.flatMap(({ mesh }) => (typeof mesh === "string" ? [mesh] : [])),
        ],
    };
}

/**
 * Meshes that can be neither previewed nor deployed, because clusters of theirs are not deployed yet, or were deployed by an incompatible version of this
 * program. By mesh stack, with those clusters' stacks.
 */
export function blockedMeshes({ meshes }: Project, deployed: readonly DeployedStack[]): Map<string, string[]> {
    const unreadable = deployed.flatMap(({ stack, cluster }) => (typeof cluster === "string" ? [stack] : []));
    return new Map(
        meshes
            .map(
                ({ stack, config }) =>
                    [stack, config.clusters.map(shortStackName).filter((cluster) => unreadable.includes(cluster))] as const,
            )
            .filter(([, clusters]) => clusters.length > 0),
    );
}

import type { Evidence } from "../core/doctor/evidence.ts";
import type { Project } from "../core/settings/project.ts";
import type { Depth } from "../kubernetes/evidence.ts";
import type { Context } from "./command.ts";
import type { DeployedStack } from "./engine/deployed.ts";
import { meshGroups } from "./engine/meshes.ts";
import { gather } from "./gather.ts";

/**
 * Gathers evidence about each mesh by itself, in parallel, and about clusters that are in no mesh.
 *
 * @param mesh gather only about this mesh
 */
export function gatherByMesh(
    project: Project,
    deployed: readonly DeployedStack[],
    context: Pick<Context, "env" | "signal">,
    depth: Depth,
    mesh?: string,
): Promise<Evidence[]> {
    const groups = meshGroups(project, deployed).filter((group) => mesh === undefined || group.mesh === mesh);
    return Promise.all(groups.map(({ stacks }) => gather(stacks, project, context, depth)));
}

import type { PublishedCluster } from "../../core/facts/schema.ts";
import { awaitMesh, machineClock } from "../../core/gate.ts";
import type { Project } from "../../core/settings/project.ts";
import { kubernetesAgents } from "../../kubernetes/agents.ts";
import { kubernetesClients } from "../../kubernetes/clients.ts";
import { changed } from "./changes.ts";
import { readDeployed } from "./deployed.ts";
import { type Changes, type DriverOptions, deployMesh, type Results, type Stacks, StacksError } from "./driver.ts";
import { blockedMeshes, deployedMembers, type MeshGroup, meshGroups } from "./meshes.ts";

/** What a rolling deployment does to the world. */
export interface RollingActions {
    deploy: typeof deployMesh;
    read: typeof readDeployed;
    /** Waits until every agent of these clusters sees every other cluster. Rejects if that takes too long. */
    awaitAgents(
        members: readonly PublishedCluster[],
        gate: Gate,
        signal: AbortSignal | undefined,
        log: (line: string) => void,
    ): Promise<void>;
}

type Gate = Project["meshes"][number]["config"]["gate"];

const ACTIONS: RollingActions = { deploy: deployMesh, read: readDeployed, awaitAgents };

/**
 * Deploys one cluster at a time. After each cluster that changed, deploys its mesh and waits until every agent of that mesh sees every other cluster again.
 * Within a mesh the members are deployed one at a time too.
 *
 * @param log receives the progress of the wait for the agents
 * @throws StacksError as `deployMesh` does. Error if the agents do not see each other in time: nothing further has been touched then
 */
export async function deployRolling(
    project: Project,
    stacks: Stacks,
    options: DriverOptions,
    log: (line: string) => void,
    { deploy, read, awaitAgents }: RollingActions = ACTIONS,
): Promise<Results> {
    const results: Results = new Map();
    const rolling = { ...options, env: { ...options.env, CLUSTERMESH_ROLLING: "true" } };
    const pending = new Set([...stacks.clusters, ...stacks.meshes]);
    for (const cluster of stacks.clusters) {
        const changes = await step({ clusters: [cluster], meshes: [] });
        pending.delete(cluster);
        if (!changed(changes.get(cluster) ?? {})) continue;
        await step({ clusters: [], meshes: await deployableMeshes(cluster) });
        await awaitMeshesOf(cluster);
    }
    await step({ clusters: [], meshes: stacks.meshes });
    return results;

    async function step(part: Stacks): Promise<Results> {
        try {
            const done = await deploy(part, rolling);
            for (const [stack, changes] of done) results.set(stack, sum(results.get(stack), changes));
            return done;
        } catch (error) {
            if (!(error instanceof StacksError)) throw error;
            const started = [...part.clusters, ...part.meshes].filter((stack) => !error.untouched.includes(stack));
            const untouched = [...pending].filter((stack) => !started.includes(stack) && !results.has(stack));
            throw new StacksError(error.errors, new Map([...results, ...error.results]), untouched);
        }
    }

    /** A first deployment has no mesh until its last cluster is there. */
    async function deployableMeshes(cluster: string): Promise<string[]> {
        const deployed = await readState();
        const blocked = blockedMeshes(project, deployed);
        const own = meshesOf(cluster, meshGroups(project, deployed)).map(({ mesh }) => mesh);
        return stacks.meshes.filter((mesh) => own.includes(mesh) && !blocked.has(mesh));
    }

    async function awaitMeshesOf(cluster: string): Promise<void> {
        for (const group of meshesOf(cluster, meshGroups(project, await readState()))) {
            const { members } = deployedMembers(group);
            if (members.length < 2) continue;
            const gate = project.meshes.find(({ stack }) => stack === group.mesh)?.config.gate;
            if (!gate) continue;
            log(`${cluster} is deployed; waiting until every agent of ${group.mesh} sees every other cluster`);
            await awaitAgents(members, gate, options.signal, log);
        }
    }

    function readState() {
        return read(project, { folder: options.folder, env: options.env ?? {} });
    }
}

function meshesOf(cluster: string, groups: readonly MeshGroup[]): MeshGroup[] {
    return groups.filter(({ mesh, stacks }) => mesh !== undefined && stacks.some(({ stack }) => stack === cluster));
}

async function awaitAgents(
    members: readonly PublishedCluster[],
    { timeoutSeconds, healAfterSeconds }: Gate,
    signal: AbortSignal | undefined,
    log: (line: string) => void,
): Promise<void> {
    const agents = kubernetesAgents(kubernetesClients(Object.fromEntries(members.map(({ name, kubeconfig }) => [name, kubeconfig]))));
    const names = members.map(({ name }) => name);
    const peers = Object.fromEntries(names.map((name) => [name, names.filter((peer) => peer !== name)]));
    await awaitMesh({ peers, timeoutSeconds, healAfterSeconds }, agents, machineClock(signal), log);
}

/** Adds up the changes of several runs. A resource that was processed again without a change counts once. */
function sum(before: Changes = {}, after: Changes): Changes {
    const ops = Object.keys({ ...before, ...after }) as (keyof Changes)[];
    return Object.fromEntries(ops.map((op) => [op, op === "same" ? after.same : (before[op] ?? 0) + (after[op] ?? 0)]));
}

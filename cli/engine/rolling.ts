import { awaitMesh, machineClock } from "../../core/gate.ts";
import type { Project } from "../../core/settings/project.ts";
import { kubernetesAgents } from "../../kubernetes/agents.ts";
import { kubernetesClients } from "../../kubernetes/clients.ts";
import { changed } from "./changes.ts";
import { deployedMembers, meshesThatWait, readDeployed } from "./deployed.ts";
import { type Changes, type DriverOptions, deployMesh, type Results, type Stacks, StacksError } from "./driver.ts";

/**
 * Deploys one cluster after the other, each with what its mesh makes of that, and goes on only once every agent of the mesh sees every other cluster again. Within
 * the mesh the members go one after the other too.
 *
 * @param tell how the wait for the agents goes
 * @throws StacksError as `deployMesh` does; Error when the agents do not see each other in time: nothing further has been touched then
 */
export async function deployRolling(plan: Project, stacks: Stacks, options: DriverOptions, log: (line: string) => void): Promise<Results> {
    const results: Results = new Map();
    const rolling = { ...options, env: { ...options.env, CLUSTERMESH_ROLLING: "true" } };
    const waiting = [...stacks.clusters, ...stacks.meshes];
    for (const cluster of stacks.clusters) {
        const changes = await step({ clusters: [cluster], meshes: [] });
        waiting.splice(waiting.indexOf(cluster), 1);
        if (!changed(changes.get(cluster) ?? {})) continue;
        await step({ clusters: [], meshes: await complete(stacks.meshes) });
        await whole(cluster);
    }
    await step({ clusters: [], meshes: stacks.meshes });
    return results;

    async function step(some: Stacks): Promise<Results> {
        try {
            const done = await deployMesh(some, rolling);
            for (const [stack, changes] of done) results.set(stack, sum(results.get(stack), changes));
            return done;
        } catch (error) {
            if (!(error instanceof StacksError)) throw error;
            const begun = [...some.clusters, ...some.meshes].filter((stack) => !error.untouched.includes(stack));
            throw new StacksError(
                error.errors,
                new Map([...results, ...error.results]),
                waiting.filter((stack) => !begun.includes(stack)),
            );
        }
    }

    /** Meshes that can be deployed already: a first deployment comes to its mesh last. */
    async function complete(meshes: readonly string[]): Promise<string[]> {
        const waiting = meshesThatWait(plan, await deployed());
        return meshes.filter((mesh) => !waiting.has(mesh));
    }

    function deployed() {
        return readDeployed(plan, { folder: options.folder, env: options.env ?? {} });
    }

    async function whole(after: string): Promise<void> {
        const { members } = deployedMembers(await deployed());
        if (members.length < 2) return;
        const agents = kubernetesAgents(kubernetesClients(Object.fromEntries(members.map(({ name, kubeconfig }) => [name, kubeconfig]))));
        const names = members.map(({ name }) => name);
        const peers = Object.fromEntries(names.map((name) => [name, names.filter((peer) => peer !== name)]));
        const { timeoutSeconds, healAfterSeconds } = plan.meshes[0]?.config.gate ?? { timeoutSeconds: 900, healAfterSeconds: 180 };
        log(`${after} is done; waiting until the mesh is whole`);
        await awaitMesh({ peers, timeoutSeconds, healAfterSeconds }, agents, machineClock(options.signal), log);
    }
}

function sum(before: Changes = {}, after: Changes): Changes {
    // What was looked at again without change is counted once.
    const looked = { ...before, ...after };
    const ops = Object.keys(looked) as (keyof Changes)[];
    return Object.fromEntries(ops.map((op) => [op, op === "same" ? after.same : (before[op] ?? 0) + (after[op] ?? 0)]));
}

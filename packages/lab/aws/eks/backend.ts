import { setTimeout as sleep } from "node:timers/promises";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { complete, type Outcome, type Task, taskOf, type Work, works } from "./jobs.ts";
import type { AddonSpec, ClusterMade, ClusterSpec, NodeSpec } from "./specs.ts";

/**
 * What stands behind the simulated EKS: real API servers, say. A cluster, node group or add-on is ready only once its promise has resolved; a rejection makes
 * it fail with that message. Each may be asked again for what it has already done, after a restart in between.
 */
export interface EksBackend {
    createCluster(cluster: ClusterSpec): Promise<ClusterMade>;
    /** To another version. */
    updateCluster?(cluster: ClusterSpec): Promise<void>;
    deleteCluster(cluster: ClusterSpec): Promise<void>;
    addNode(node: NodeSpec): Promise<void>;
    removeNode(node: NodeSpec): Promise<void>;
    /** Made or changed. */
    putAddon?(addon: AddonSpec): Promise<void>;
    deleteAddon?(addon: AddonSpec): Promise<void>;
}

/** What is served: a `Simulation` whose service is `backedEks`. */
export interface Served {
    edit<T>(place: Place, work: (scope: Scope) => T): T;
}

export interface Serving {
    /** Resolves once nothing is left to do that is due. */
    idle(): Promise<void>;
    /** Begins nothing more, and resolves once all that was begun is done. */
    stop(): Promise<void>;
}

const ANYWHERE: Place = { account: "", region: "" };

/** Lets `backend` do the jobs of the simulated EKS, those left over from before a restart included. */
export function serveEks(aws: Served, backend: EksBackend, interval = 20): Serving {
    const running = new Map<string, Promise<void>>();
    let stopped = false;

    const due = () =>
        aws.edit(ANYWHERE, (scope) =>
            works
                .in(scope)
                .list()
                .filter(({ turn }) => turn),
        );
    const startDue = () => {
        for (const work of due()) {
            if (running.has(work.id)) continue;
            running.set(
                work.id,
                run(work).finally(() => running.delete(work.id)),
            );
        }
    };
    async function run(work: Readonly<Work>): Promise<void> {
        const task = aws.edit(ANYWHERE, (scope) => structuredClone(taskOf(scope, work)));
        const outcome = task ? await outcomeOf(backend, task) : {};
        aws.edit(ANYWHERE, (scope) => complete(scope, work, outcome));
    }
    // Looks again and again: what is due is a matter of the simulation's clock, which tells nobody.
    const timer = setInterval(startDue, interval);

    return {
        idle: async () => {
            while (!stopped && (due().length > 0 || running.size > 0)) {
                startDue();
                await Promise.race([...running.values(), sleep(interval)]);
            }
        },
        stop: async () => {
            stopped = true;
            clearInterval(timer);
            await Promise.all(running.values());
        },
    };
}

async function outcomeOf(backend: EksBackend, task: Task): Promise<Outcome> {
    try {
        return await perform(backend, task);
    } catch (error) {
        return { failure: error instanceof Error ? error.message : String(error) };
    }
}

async function perform(backend: EksBackend, task: Task): Promise<Outcome> {
    if (task.kind === "createCluster") return { made: await backend.createCluster(task.cluster) };
    if (task.kind === "updateCluster") await backend.updateCluster?.(task.cluster);
    if (task.kind === "deleteCluster") await backend.deleteCluster(task.cluster);
    if (task.kind === "putAddon") await backend.putAddon?.(task.addon);
    if (task.kind === "deleteAddon" && !task.preserve) await backend.deleteAddon?.(task.addon);
    if (task.kind === "nodes") {
        await Promise.all(task.add.map((node) => backend.addNode(node)));
        await Promise.all(task.remove.map((node) => backend.removeNode(node)));
    }
    return {};
}

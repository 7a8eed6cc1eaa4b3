import { setTimeout as sleep } from "node:timers/promises";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { completeJob, type Outcome, type PendingJob, pendingJobs, type Task, taskOf } from "./jobs.ts";
import type { AddonSpec, ClusterConnection, ClusterSpec, InstanceNode } from "./specs.ts";

/**
 * Runs what the simulated EKS manages, for example as real API servers. A cluster, node group or add-on becomes ACTIVE when its promise resolves; if it
 * rejects, the resource fails with the error's message. Every method must be idempotent: after a restart it may be called again for work already done.
 */
export interface EksBackend {
    createCluster(cluster: ClusterSpec): Promise<ClusterConnection>;
    /** Changes the cluster to another version. */
    updateCluster?(cluster: ClusterSpec): Promise<void>;
    deleteCluster(cluster: ClusterSpec): Promise<void>;
    addNode(node: InstanceNode): Promise<void>;
    removeNode(node: InstanceNode): Promise<void>;
    /** Creates or changes the add-on. */
    putAddon?(addon: AddonSpec): Promise<void>;
    deleteAddon?(addon: AddonSpec): Promise<void>;
}

/** A `Simulation` whose EKS is `backedEks`. */
interface BackedSimulation {
    edit<T>(place: Place, work: (scope: Scope) => T): T;
}

export interface Serving {
    /** Resolves when no job is due or running. */
    idle(): Promise<void>;
    /** Starts no more jobs, and resolves when all running ones have finished. */
    stop(): Promise<void>;
}

const ANYWHERE: Place = { account: "", region: "" };

/**
 * Runs the jobs of the simulated EKS on `backend`, including those left over from before a restart.
 *
 * @param interval milliseconds between checks for due jobs
 */
export function serveEks(aws: BackedSimulation, backend: EksBackend, interval = 20): Serving {
    const running = new Map<string, Promise<void>>();
    let stopped = false;

    const dueJobs = () =>
        aws.edit(ANYWHERE, (scope) =>
            pendingJobs
                .in(scope)
                .list()
                .filter(({ due }) => due),
        );
    const startDue = () => {
        for (const pending of dueJobs()) {
            if (running.has(pending.id)) continue;
            running.set(
                pending.id,
                run(pending).finally(() => running.delete(pending.id)),
            );
        }
    };
    async function run(pending: Readonly<PendingJob>): Promise<void> {
        const task = aws.edit(ANYWHERE, (scope) => structuredClone(taskOf(scope, pending)));
        const outcome = task ? await runTask(backend, task) : {};
        aws.edit(ANYWHERE, (scope) => completeJob(scope, pending, outcome));
    }
    // Poll: jobs become due by the simulation's clock, which sends no events.
    const timer = setInterval(startDue, interval);

    return {
        idle: async () => {
            while (!stopped && (dueJobs().length > 0 || running.size > 0)) {
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

async function runTask(backend: EksBackend, task: Task): Promise<Outcome> {
    try {
        return await perform(backend, task);
    } catch (error) {
        return { failure: error instanceof Error ? error.message : String(error) };
    }
}

async function perform(backend: EksBackend, task: Task): Promise<Outcome> {
    if (task.kind === "createCluster") return { connection: await backend.createCluster(task.cluster) };
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

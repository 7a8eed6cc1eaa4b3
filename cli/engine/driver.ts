import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { automation } from "@pulumi/pulumi";
import { parallel } from "../../core/parallel.ts";
import { engine } from "./engine.ts";
import { interruptedCreations } from "./interrupted.ts";

export type EngineEvent = automation.EngineEvent;

/** Stacks to run, by name. Empty lists are fine. */
export interface Stacks {
    clusters: readonly string[];
    meshes: readonly string[];
}

export interface DriverOptions {
    /** The project's folder. */
    folder: string;
    /** Each of the engine's events as it comes. */
    onEvent?: (stack: string, event: EngineEvent) => void;
    /** The engine's own text, for a log. */
    onOutput?: (stack: string, text: string) => void;
    /** Aborted once: running operations end, no further ones start. */
    signal?: AbortSignal;
    /** Clusters that run at a time. Default: all. */
    concurrency?: number;
    /** Added to the environment of Pulumi and so of the program: backend, credentials, passphrase. */
    env?: Record<string, string>;
    /** Reads what is really there first. Default false. */
    refresh?: boolean;
}

/** How many resources an operation does what with: { create: 3, same: 40 }. */
export type Changes = Partial<Record<automation.OpType, number>>;

/** Each stack's changes, by name. */
export type Results = Map<string, Changes>;

/** A stack whose operation failed. `cause` is what the Automation API threw, with all that the engine printed. */
export class StackError extends Error {
    readonly stackName: string;
    /** Why, in the engine's words. */
    readonly reasons: readonly string[];
    /** @param errors what the engine itself calls errors; none, when it did not come that far */
    constructor(stack: string, errors: readonly string[], cause: unknown) {
        const reasons = (errors.length > 0 ? errors : [cause instanceof Error ? cause.message : String(cause)]).map((reason) =>
            reason.trimEnd(),
        );
        super(`stack ${stack} failed:\n${reasons.join("\n")}`, { cause });
        this.stackName = stack;
        this.reasons = reasons;
    }
}

/** What became of a run of several stacks in which not all was well. `errors` are StackErrors, or what the run was interrupted with. */
export class StacksError extends AggregateError {
    /** Of those that were done. */
    readonly results: Results;
    /** Stacks that were not begun. */
    readonly untouched: readonly string[];
    constructor(errors: readonly unknown[], results: Results, untouched: readonly string[]) {
        super([...errors], `${errors.length} of ${errors.length + results.size + untouched.length} stacks failed`);
        this.results = results;
        this.untouched = untouched;
    }
}

/**
 * Deploys clusters beside each other, then the meshes, which read what those published. What an earlier run was making when it was killed is looked for first.
 *
 * @throws StacksError with a StackError for each stack that failed; the others have been let finish, but no mesh is touched when a cluster failed. After an
 * abort too, of all that was not begun
 */
export function deployMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, common) => {
        await takeUpInterrupted(stack, common);
        const { summary } = await stack.up(common);
        return summary.resourceChanges ?? {};
    });
}

/**
 * Takes into the state what a killed run has made without the state knowing. `up` alone would make it a second time, or fail because it is there. Only where the
 * id follows from the program; of all others the engine's own warning tells at the `up` that follows.
 */
async function takeUpInterrupted(stack: automation.Stack, { onOutput, signal }: Common): Promise<void> {
    const { deployment } = await stack.exportStack();
    const found = interruptedCreations(deployment).flatMap(({ urn, id }) => (id ? [urn, id] : []));
    if (found.length === 0) return;
    const { workDir, envVars, pulumiCommand } = stack.workspace;
    const imports = found.flatMap((word) => ["--import-pending-creates", word]);
    const args = ["refresh", "--yes", "--non-interactive", "--skip-preview", "--skip-pending-creates", "--stack", stack.name, ...imports];
    // The Automation API's own refresh has no such option.
    const { stdout } = await promisify(execFile)(pulumiCommand.command, args, {
        cwd: workDir,
        env: { ...process.env, ...envVars },
        signal,
    });
    onOutput?.(stdout);
}

/** What `deployMesh` would change. A mesh can be previewed once its clusters are deployed. Throws as `deployMesh` does. */
export function previewMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, common) => (await stack.preview(common)).changeSummary);
}

/** In what the world differs from the stacks' states, as `refreshMesh` would take it over; nothing is changed. Throws as `deployMesh` does. */
export function driftOfMesh(stacks: Stacks, { refresh: _, ...options }: DriverOptions): Promise<Results> {
    return inOrder(
        [stacks.clusters, stacks.meshes],
        options,
        async (stack, { refresh: __, ...common }) => (await stack.previewRefresh(common)).changeSummary,
    );
}

/** Takes over into the state what is really there. Throws as `deployMesh` does. */
export function refreshMesh(stacks: Stacks, { refresh: _, ...options }: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, { refresh: __, ...common }) => {
        const { summary } = await stack.refresh(common);
        return summary.resourceChanges ?? {};
    });
}

/** Destroys the meshes, which need the clusters' API servers for that, then the clusters. Throws as `deployMesh` does. */
export function destroyMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.meshes, stacks.clusters], options, async (stack, common) => {
        const { summary } = await stack.destroy(common);
        return summary.resourceChanges ?? {};
    });
}

type Common = Pick<automation.UpOptions, "onEvent" | "onOutput" | "signal" | "refresh" | "suppressProgress" | "color">;

async function inOrder(
    groups: readonly (readonly string[])[],
    options: DriverOptions,
    run: (stack: automation.Stack, common: Common) => Promise<Changes>,
): Promise<Results> {
    const { signal, concurrency = Number.POSITIVE_INFINITY } = options;
    const results: Results = new Map();
    const failures: StackError[] = [];
    const untouched: string[] = [];
    const pulumi = await engine();
    for (const names of groups) {
        const begin = failures.length === 0;
        await parallel(names, concurrency, async (name) => {
            if (!begin || signal?.aborted) return untouched.push(name);
            const errors: string[] = [];
            try {
                const stack = await open(name, options, pulumi);
                results.set(name, await run(stack, commonOptions(name, options, errors)));
            } catch (error) {
                failures.push(new StackError(name, errors, error));
            }
        });
    }
    if (failures.length > 0) throw new StacksError(failures, results, untouched);
    if (untouched.length > 0) throw new StacksError([signal?.reason], results, untouched);
    return results;
}

function commonOptions(name: string, { onEvent, onOutput, signal, refresh }: DriverOptions, errors: string[]): Common {
    return {
        color: "never",
        suppressProgress: true,
        onEvent: (event) => {
            // The SDK's own debugging is among them, whole answers of the engine, keys in plain (seen with SDK 3.270): none of it goes any further.
            if (String(event.diagnosticEvent?.severity) === "debug") return;
            if (event.diagnosticEvent?.severity === "error") errors.push(event.diagnosticEvent.message);
            onEvent?.(name, event);
        },
        onOutput: (text) => onOutput?.(name, text),
        ...(signal && { signal }),
        ...(refresh && { refresh: true }),
    };
}

/** Selects the stack, or makes it where there is none. Every later command names it, so stacks of one folder do not get in each other's way. */
function open(stackName: string, { folder, env = {} }: DriverOptions, pulumiCommand: automation.PulumiCommand): Promise<automation.Stack> {
    return automation.LocalWorkspace.createOrSelectStack({ stackName, workDir: folder }, { envVars: env, pulumiCommand });
}

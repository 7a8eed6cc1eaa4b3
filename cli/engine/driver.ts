import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { automation } from "@pulumi/pulumi";
import { parallel } from "../../core/parallel.ts";
import { engine, withoutEventWarnings } from "./engine.ts";
import { interruptedCreations } from "./interrupted.ts";

export type EngineEvent = automation.EngineEvent;

/** Names of stacks to run. Empty lists are valid. */
export interface Stacks {
    clusters: readonly string[];
    meshes: readonly string[];
}

export interface DriverOptions {
    /** The folder with Pulumi.yaml. */
    folder: string;
    /** Receives each of the engine's events. */
    onEvent?: (stack: string, event: EngineEvent) => void;
    /** Receives the engine's own text, for a log. */
    onOutput?: (stack: string, text: string) => void;
    /** On abort, running operations end and no further ones start. */
    signal?: AbortSignal;
    /** Number of clusters to run in parallel. Default: all. */
    concurrency?: number;
    /** Added to the environment of Pulumi, and so of the program: backend, credentials, passphrase. */
    env?: Record<string, string>;
    /** Refresh the state first. Default false. */
    refresh?: boolean;
}

/** Number of resources per operation: { create: 3, same: 40 }. */
export type Changes = Partial<Record<automation.OpType, number>>;

/** Changes by stack. */
export type Results = Map<string, Changes>;

/** A stack whose operation failed. `cause` is the Automation API's error, with everything that the engine printed. */
export class StackError extends Error {
    readonly stackName: string;
    /** Why, in the engine's words. */
    readonly reasons: readonly string[];
    /** @param errors the engine's own error messages; empty if it failed before it could report any */
    constructor(stack: string, errors: readonly string[], cause: unknown) {
        const reasons = (errors.length > 0 ? errors : [cause instanceof Error ? cause.message : String(cause)]).map((reason) =>
            reason.trimEnd(),
        );
        super(`stack ${stack} failed:\n${reasons.join("\n")}`, { cause });
        this.stackName = stack;
        this.reasons = reasons;
    }
}

/** A run of several stacks that did not succeed. `errors` are StackErrors, or the reason of the abort. */
export class StacksError extends AggregateError {
    /** Of the stacks that succeeded. */
    readonly results: Results;
    /** Stacks that were not started. */
    readonly untouched: readonly string[];
    constructor(errors: readonly unknown[], results: Results, untouched: readonly string[]) {
        super([...errors], `${errors.length} of ${errors.length + results.size + untouched.length} stacks failed`);
        this.results = results;
        this.untouched = untouched;
    }
}

/**
 * Deploys the clusters in parallel, then the meshes, which read what the clusters have published. Resources that a killed run was creating are adopted first.
 *
 * @throws StacksError with a StackError for each stack that failed. The other clusters are allowed to finish, but no mesh is touched if a cluster failed.
 * Also after an abort, with all stacks that were not started
 */
export function deployMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, operation) => {
        await adoptInterrupted(stack, operation);
        const { summary } = await stack.up(operation);
        return summary.resourceChanges ?? {};
    });
}

/**
 * Imports resources into the state that a killed run has created without recording them. `up` alone would create them a second time, or fail because they
 * already exist. Only for resources whose id follows from the program; for all others the engine prints its own warning at the `up` that follows.
 */
async function adoptInterrupted(stack: automation.Stack, { onOutput, signal }: OperationOptions): Promise<void> {
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

/** Shows what `deployMesh` would change. A mesh can be previewed once its clusters are deployed. Throws as `deployMesh` does. */
export function previewMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, operation) => (await stack.preview(operation)).changeSummary);
}

/** Shows what `refreshMesh` would change in the state. Throws as `deployMesh` does. */
export function driftOfMesh(stacks: Stacks, { refresh: _, ...options }: DriverOptions): Promise<Results> {
    return inOrder(
        [stacks.clusters, stacks.meshes],
        options,
        async (stack, { refresh: __, ...operation }) => (await stack.previewRefresh(operation)).changeSummary,
    );
}

/** Updates the state from what really exists. Throws as `deployMesh` does. */
export function refreshMesh(stacks: Stacks, { refresh: _, ...options }: DriverOptions): Promise<Results> {
    return inOrder([stacks.clusters, stacks.meshes], options, async (stack, { refresh: __, ...operation }) => {
        const { summary } = await stack.refresh(operation);
        return summary.resourceChanges ?? {};
    });
}

/** Destroys the meshes, which need the clusters' API servers for that, then the clusters. Throws as `deployMesh` does. */
export function destroyMesh(stacks: Stacks, options: DriverOptions): Promise<Results> {
    return inOrder([stacks.meshes, stacks.clusters], options, async (stack, operation) => {
        const { summary } = await stack.destroy(operation);
        return summary.resourceChanges ?? {};
    });
}

/** What every operation of the Automation API accepts. */
type OperationOptions = Pick<automation.UpOptions, "onEvent" | "onOutput" | "signal" | "refresh" | "suppressProgress" | "color">;

async function inOrder(
    groups: readonly (readonly string[])[],
    options: DriverOptions,
    run: (stack: automation.Stack, operation: OperationOptions) => Promise<Changes>,
): Promise<Results> {
    const { signal, concurrency = Number.POSITIVE_INFINITY } = options;
    const results: Results = new Map();
    const failures: StackError[] = [];
    const untouched: string[] = [];
    const pulumi = await engine(options.env);
    for (const names of groups) {
        const start = failures.length === 0;
        await parallel(names, concurrency, async (name) => {
            if (!start || signal?.aborted) return untouched.push(name);
            const errors: string[] = [];
            try {
                const stack = await openStack(name, options, pulumi);
                results.set(name, await withoutEventWarnings(() => run(stack, operationOptions(name, options, errors))));
            } catch (error) {
                failures.push(new StackError(name, errors, error));
            }
        });
    }
    if (failures.length > 0) throw new StacksError(failures, results, untouched);
    if (untouched.length > 0) throw new StacksError([signal?.reason], results, untouched);
    return results;
}

/** @param errors receives the engine's error messages */
function operationOptions(name: string, { onEvent, onOutput, signal, refresh }: DriverOptions, errors: string[]): OperationOptions {
    return {
        color: "never",
        suppressProgress: true,
        onEvent: (event) => {
            // Drop the SDK's own debugging events: they contain whole answers of the engine, with keys in plain text (seen with SDK 3.270).
            if (String(event.diagnosticEvent?.severity) === "debug") return;
            if (event.diagnosticEvent?.severity === "error") errors.push(event.diagnosticEvent.message);
            onEvent?.(name, event);
        },
        onOutput: (text) => onOutput?.(name, text),
        ...(signal && { signal }),
        ...(refresh && { refresh: true }),
    };
}

/** Selects the stack, or creates it. Every later command names it, so parallel runs in one folder do not depend on the selected stack. */
function openStack(
    stackName: string,
    { folder, env = {} }: DriverOptions,
    pulumiCommand: automation.PulumiCommand,
): Promise<automation.Stack> {
    return automation.LocalWorkspace.createOrSelectStack({ stackName, workDir: folder }, { envVars: env, pulumiCommand });
}

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { automation } from "@pulumi/pulumi";
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
    /** @param errors what the engine itself calls errors; none, when it did not come that far */
    constructor(stack: string, errors: readonly string[], cause: unknown) {
        const reasons = errors.length > 0 ? errors : [cause instanceof Error ? cause.message : String(cause)];
        super(`stack ${stack} failed:\n${reasons.map((reason) => reason.trimEnd()).join("\n")}`, { cause });
        this.stackName = stack;
    }
}

/**
 * Deploys clusters beside each other, then the meshes, which read what those published. What an earlier run was making when it was killed is looked for first.
 *
 * @throws AggregateError of a StackError for each stack that failed; the others have been let finish, but no mesh is touched when a cluster failed
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
    const results: Results = new Map();
    for (const names of groups) {
        await each(names, options.concurrency ?? names.length, async (name, errors) => {
            options.signal?.throwIfAborted();
            const stack = await open(name, options);
            const changes = await run(stack, {
                color: "never",
                suppressProgress: true,
                onEvent: (event) => {
                    // The SDK's own debugging is among them, whole answers of the engine, keys in plain (seen with SDK 3.270): none of it goes any further.
                    if (String(event.diagnosticEvent?.severity) === "debug") return;
                    if (event.diagnosticEvent?.severity === "error") errors.push(event.diagnosticEvent.message);
                    options.onEvent?.(name, event);
                },
                onOutput: (text) => options.onOutput?.(name, text),
                ...(options.signal && { signal: options.signal }),
                ...(options.refresh && { refresh: true }),
            });
            results.set(name, changes);
        });
    }
    return results;
}

/** Selects the stack, or makes it where there is none. Every later command names it, so stacks of one folder do not get in each other's way. */
function open(stackName: string, { folder, env }: DriverOptions): Promise<automation.Stack> {
    return automation.LocalWorkspace.createOrSelectStack({ stackName, workDir: folder }, env ? { envVars: env } : {});
}

/** Lets every one finish, `limit` at a time, then fails with all failures rather than the first. */
async function each(names: readonly string[], limit: number, run: (name: string, errors: string[]) => Promise<void>): Promise<void> {
    const waiting = [...names];
    const failures: StackError[] = [];
    const worker = async () => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
            const [stack, errors] = [name, [] as string[]];
            await run(stack, errors).catch((error) => failures.push(new StackError(stack, errors, error)));
        }
    };
    await Promise.all(Array.from({ length: Math.min(limit, names.length) }, worker));
    if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of ${names.length} stacks failed`);
}

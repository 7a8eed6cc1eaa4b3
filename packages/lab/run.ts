import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { type DriverOptions, deployMesh, destroyMesh, previewMesh, type Results, type Stacks } from "../../cli/engine/driver.ts";
import { readProject, stackNames } from "../../cli/project/stack-files.ts";
import { catchInterrupts } from "../../cli/ui/interrupts.ts";
import { type VerifyOptions, verify } from "../../cli/verify.ts";
import type { Project } from "../../core/settings/project.ts";
import { problemList } from "../../core/text/problems.ts";
import type { VerifyReport } from "../../core/verify/report.ts";
import { type Lab, startLab } from "./lab.ts";
import { runs } from "./process/claim.ts";
import { stackFiles } from "./project.ts";

const FOLDER = "clustermesh-lab-";

/** The options that a command was given; wrong ones are told, and end this process. */
export function readOptions<Options extends ParseArgsOptionsConfig>(options: Options) {
    try {
        return parseArgs({ options }).values;
    } catch (error) {
        console.error(error instanceof Error ? error.message : error);
        return process.exit(2);
    }
}

/** A lab with the repository's stacks. */
export interface Run {
    lab: Lab;
    plan: Project;
    stacks: Stacks;
    driver: DriverOptions;
}

export interface RunOptions {
    log: (line: string) => void;
    onEvent?: DriverOptions["onEvent"];
    /** As `--real` gives them. */
    real?: readonly string[] | undefined;
    simulatedNodes?: boolean;
    /** Makes another mesh of the repository's stack files. Default: as they are. */
    change?: (plan: Project) => Project;
}

/** What is done with a lab, in this order. */
export const PHASES = {
    clusters: ({ stacks, driver }) => deployMesh({ ...stacks, meshes: [] }, driver),
    mesh: ({ stacks, driver }) => deployMesh({ ...stacks, clusters: [] }, driver),
    preview: ({ stacks, driver }) => previewMesh(stacks, { ...driver, onEvent: () => {} }),
    "up without changes": ({ stacks, driver }) => deployMesh(stacks, driver),
    destroy: ({ stacks, driver }) => destroyMesh(stacks, driver),
} satisfies Record<string, (run: Run) => Promise<Results>>;

/**
 * Starts a lab, does the work, and removes the lab, however the work ends.
 *
 * @returns what to end the process with, at once, since a start that was interrupted may still be building: 0, 1 when the work failed (which is told), 130 when an
 * interrupt made it fail
 */
export async function inLab(
    { log, onEvent, real, simulatedNodes = false, change = (plan) => plan }: RunOptions,
    work: (run: Run, interrupted: AbortSignal) => Promise<void>,
): Promise<number> {
    const interrupted = catchInterrupts(log, "then all is removed");
    const folder = makeFolder();
    // The SDK and what it starts leave files there when they are killed, event logs with keys in plain among them.
    const { TMPDIR } = process.env;
    process.env.TMPDIR = join(folder, "tmp");
    mkdirSync(process.env.TMPDIR);
    let code = 0;
    let lab: Lab | undefined;
    try {
        const plan = change(readProject("."));
        const { problems } = plan;
        if (problems.length > 0) throw new Error(problemList(problems));
        lab = await unlessAborted(interrupted, startLab({ folder, stacks: stackFiles(plan), log, simulatedNodes, ...(real && { real }) }));
        const driver: DriverOptions = { folder: lab.project, env: lab.env, signal: interrupted, ...(onEvent && { onEvent }) };
        await work({ lab, plan, stacks: stackNames(plan), driver }, interrupted);
    } catch (error) {
        code = interrupted.aborted ? 130 : 1;
        const failures = interrupted.aborted ? [interrupted.reason] : error instanceof AggregateError ? error.errors : [error];
        for (const failure of failures) console.error(failure instanceof Error ? failure.message : failure);
    } finally {
        await lab?.destroy();
        rmSync(folder, { recursive: true, force: true });
        if (TMPDIR === undefined) delete process.env.TMPDIR;
        else process.env.TMPDIR = TMPDIR;
    }
    return code;
}

/** Tries the mesh, through the API servers of its clusters, as `verify` does anywhere. */
export function verifyLab({ clusters }: Lab, options: VerifyOptions): Promise<VerifyReport> {
    return verify(Object.fromEntries(clusters.running().map(({ name, config }) => [name, config.exportConfig()])), options);
}

/** A new folder in the temporary directory. Those of labs that were killed are removed: the folder's name says whose it is. */
export function makeFolder(): string {
    const parent = tmpdir();
    for (const entry of readdirSync(parent)) {
        const owner = entry.startsWith(FOLDER) && Number(entry.slice(FOLDER.length).split("-")[0]);
        if (owner && !runs(owner)) removeIfPossible(join(parent, entry));
    }
    return mkdtempSync(join(parent, `${FOLDER}${process.pid}-`));
}

/** Somebody else's may not be removable, which is his affair. */
function removeIfPossible(folder: string): void {
    try {
        rmSync(folder, { recursive: true, force: true });
    } catch (error) {
        if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
}

async function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
        return await Promise.race([work, promise]);
    } finally {
        signal.removeEventListener("abort", abort);
    }
}

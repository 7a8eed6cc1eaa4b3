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
import { isRunning } from "./process/claim.ts";
import { stackFiles } from "./project.ts";

const FOLDER = "clustermesh-lab-";

/** Parses a command's options. Prints what is wrong with them and exits with 2. */
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
    /** The providers given to `--real`. */
    real?: readonly string[] | undefined;
    simulatedNodes?: boolean;
    /** Changes the project of the repository's stack files before it is deployed. Default: unchanged. */
    change?: (project: Project) => Project;
}

/** The steps of a lab's run, in order. */
export const PHASES = {
    clusters: ({ stacks, driver }) => deployMesh({ ...stacks, meshes: [] }, driver),
    mesh: ({ stacks, driver }) => deployMesh({ ...stacks, clusters: [] }, driver),
    preview: ({ stacks, driver }) => previewMesh(stacks, { ...driver, onEvent: () => {} }),
    "up without changes": ({ stacks, driver }) => deployMesh(stacks, driver),
    destroy: ({ stacks, driver }) => destroyMesh(stacks, driver),
} satisfies Record<string, (run: Run) => Promise<Results>>;

/**
 * Starts a lab, runs the work, and removes the lab, whether the work succeeds or fails.
 *
 * @returns the exit code: 0, 1 if the work failed (the reason is printed), 130 if an interrupt made it fail. Exit with it at once: an
 * interrupted start may still be building programs
 */
export async function inLab(
    { log, onEvent, real, simulatedNodes = false, change = (plan) => plan }: RunOptions,
    work: (run: Run, interrupted: AbortSignal) => Promise<void>,
): Promise<number> {
    const interrupted = catchInterrupts(log, "then all is removed");
    const folder = makeFolder();
    using _ = temporaryFolder(join(folder, "tmp"));
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
    }
    return code;
}

/**
 * Makes a folder this process's TMPDIR until it is disposed of. The Automation API and Pulumi write temporary files, event logs with
 * private keys in plain text among them, and leave them behind when they are killed. The SDK asks os.tmpdir() for their folder and has no
 * option for it, so only process.env can change it.
 */
function temporaryFolder(folder: string): Disposable {
    const { TMPDIR } = process.env;
    mkdirSync(folder);
    process.env.TMPDIR = folder;
    return {
        [Symbol.dispose]() {
            if (TMPDIR === undefined) delete process.env.TMPDIR;
            else process.env.TMPDIR = TMPDIR;
        },
    };
}

/** Runs `verify` through the API servers of the lab's clusters. */
export function verifyLab({ clusters }: Lab, options: VerifyOptions): Promise<VerifyReport> {
    return verify(Object.fromEntries(clusters.running().map(({ name, config }) => [name, config.exportConfig()])), options);
}

/** Makes a folder in the temporary directory. Removes the folders of killed labs: their names hold the id of the owner's process. */
export function makeFolder(): string {
    const parent = tmpdir();
    for (const entry of readdirSync(parent)) {
        const owner = entry.startsWith(FOLDER) && Number(entry.slice(FOLDER.length).split("-")[0]);
        if (owner && !isRunning(owner)) removeIfPossible(join(parent, entry));
    }
    return mkdtempSync(join(parent, `${FOLDER}${process.pid}-`));
}

/** Another user's folder may not be removable: leave it to that user. */
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

import { explain } from "../../core/text/explain.ts";
import type { Context, Outcome } from "../command.ts";
import { changed } from "../engine/changes.ts";
import type { DriverOptions, Results, StackError, Stacks } from "../engine/driver.ts";
import { follow } from "../ui/follow.ts";
import { remedies } from "../ui/remedies.ts";
import { type OperationReport, operationText } from "./report.ts";

export interface Operation {
    name: OperationReport["operation"];
    stacks: Stacks;
    run: (stacks: Stacks, options: DriverOptions) => Promise<Results>;
    concurrency?: number | undefined;
    refresh?: boolean;
    /** Treat changes as a failure, previewed ones too. */
    expectNoChanges?: boolean;
    /** Number of resources that each stack will have processed in the end. May be filled during the run. */
    totals?: ReadonlyMap<string, number>;
    /** Stacks to leave out, and why. */
    leftOut?: ReadonlyMap<string, string>;
}

/** How the operation ended for every stack. */
interface Ending {
    results: Results;
    failures: readonly StackError[];
    /** Stacks that were not started, and why. */
    untouched: ReadonlyMap<string, string>;
}

/**
 * Runs one operation over several stacks and shows its progress. Failed stacks are in the report.
 *
 * @throws anything that is neither the failure of a stack nor an interrupt: a bug
 */
export async function operate(context: Context, operation: Operation): Promise<Outcome<OperationReport>> {
    const started = performance.now();
    const ending = await runOperation(context, operation);
    const { clusters, meshes } = operation.stacks;
    const report: OperationReport = {
        version: 1,
        operation: operation.name,
        seconds: (performance.now() - started) / 1000,
        stacks: [...clusters, ...meshes].map((stack) => stackReport(stack, ending, operation.leftOut?.get(stack))),
    };
    const unexpected = operation.expectNoChanges ? report.stacks.filter(({ changes }) => changed(changes)) : [];
    const succeeded = ending.failures.length === 0 && ending.untouched.size === 0 && unexpected.length === 0;
    const names = unexpected.map(({ stack }) => stack);
    return { code: succeeded ? 0 : 1, report, text: operationText(report, names) };
}

async function runOperation(context: Context, operation: Operation): Promise<Ending> {
    const { name, run, concurrency, refresh, leftOut = new Map(), totals = new Map() } = operation;
    const included = (stacks: readonly string[]) => stacks.filter((stack) => !leftOut.has(stack));
    const clusters = included(operation.stacks.clusters);
    const meshes = included(operation.stacks.meshes);
    const progress = follow(context, name === "destroy" ? [...meshes, ...clusters] : [...clusters, ...meshes], totals);
    try {
        const results = await run(
            { clusters, meshes },
            {
                folder: context.folder,
                env: context.env,
                signal: context.signal,
                onEvent: progress.onEvent,
                ...(concurrency !== undefined && { concurrency }),
                ...(refresh && { refresh }),
            },
        );
        return { results, failures: [], untouched: new Map() };
    } catch (error) {
        return await failedEnding(error, context.signal);
    } finally {
        progress.stop();
    }
}

async function failedEnding(error: unknown, signal: AbortSignal): Promise<Ending> {
    // Imported late: the driver loads Pulumi's SDK, which takes a second, and `plan` and `help` need no engine.
    const { StackError, StacksError } = await import("../engine/driver.ts");
    if (!(error instanceof StacksError)) throw error;
    const failures = error.errors.filter((failure) => failure instanceof StackError);
    const why = signal.aborted ? explain(signal.reason) : `${failures.map(({ stackName }) => stackName).join(", ")} failed`;
    return { results: error.results, failures, untouched: new Map(error.untouched.map((stack) => [stack, why])) };
}

function stackReport(
    stack: string,
    { results, failures, untouched }: Ending,
    whyLeftOut: string | undefined,
): OperationReport["stacks"][number] {
    const changes = results.get(stack);
    if (changes) return { stack, result: "succeeded", changes: changes as Record<string, number>, reasons: [], remedies: [] };
    const failure = failures.find(({ stackName }) => stackName === stack);
    if (failure)
        return {
            stack,
            result: "failed",
            changes: {},
            reasons: [...failure.reasons],
            remedies: remedies(`${failure.message}\n${explain(failure.cause)}`),
        };
    return { stack, result: "untouched", changes: {}, reasons: [whyLeftOut ?? untouched.get(stack) ?? "not started"], remedies: [] };
}

import { z } from "zod";
import { explain } from "../core/text/explain.ts";
import type { Context, Outcome } from "./command.ts";
import { changed, describeChanges } from "./engine/changes.ts";
import type { DriverOptions, Results, Stacks } from "./engine/driver.ts";
import { follow } from "./ui/follow.ts";
import { remedies } from "./ui/remedies.ts";

/** What an operation did to several stacks, as `--json` prints it. */
export const OperationReport = z.strictObject({
    version: z.literal(1),
    operation: z.enum(["preview", "up", "refresh", "destroy"]),
    seconds: z.number(),
    stacks: z.array(
        z.strictObject({
            stack: z.string(),
            /** Untouched: not begun, since another one failed, the run was interrupted, or there is nothing yet that it could be done with. */
            result: z.enum(["succeeded", "failed", "untouched"]),
            /** Resources by what was, or would be, done with them: { create: 3, same: 40 }. */
            changes: z.record(z.string(), z.int()),
            /** Why it failed or was not begun, in the engine's words. */
            reasons: z.array(z.string()),
            /** What to do about that, as far as it is known. */
            remedies: z.array(z.string()),
        }),
    ),
});

export type OperationReport = z.infer<typeof OperationReport>;

export interface Operation {
    name: OperationReport["operation"];
    stacks: Stacks;
    run: (stacks: Stacks, options: DriverOptions) => Promise<Results>;
    concurrency?: number | undefined;
    refresh?: boolean;
    /** Changes, also ones that were only previewed, are a failure. */
    expectNoChanges?: boolean;
    /** Resources that each stack will have looked at in the end. May be filled while it runs. */
    totals?: ReadonlyMap<string, number>;
    /** Stacks that are left out, and why. */
    leftOut?: ReadonlyMap<string, string>;
}

/** Runs one operation over several stacks and shows how it goes on. What fails is in the report. @throws what is neither a stack's failure nor an interrupt: a bug */
export async function operate(context: Context, operation: Operation): Promise<Outcome<OperationReport>> {
    const { name, run, concurrency, refresh, leftOut = new Map(), totals = new Map() } = operation;
    const chosen = [...operation.stacks.clusters, ...operation.stacks.meshes];
    const kept = (names: readonly string[]) => names.filter((stack) => !leftOut.has(stack));
    const stacks = { clusters: kept(operation.stacks.clusters), meshes: kept(operation.stacks.meshes) };
    const started = performance.now();
    const shown = [...stacks.clusters, ...stacks.meshes];
    const follower = follow(context, name === "destroy" ? shown.toReversed() : shown, totals);
    const { results, failures, untouched } = await run(stacks, {
        folder: context.folder,
        env: context.env,
        signal: context.signal,
        onEvent: follower.onEvent,
        ...(concurrency !== undefined && { concurrency }),
        ...(refresh && { refresh }),
    })
        .then(
            (results) => ({ results, failures: [], untouched: new Map<string, string>() }),
            (error) => settled(error, context.signal),
        )
        .finally(() => follower.stop());

    const report: OperationReport = {
        version: 1,
        operation: name,
        seconds: (performance.now() - started) / 1000,
        stacks: chosen.map((stack) => {
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
            return {
                stack,
                result: "untouched",
                changes: {},
                reasons: [leftOut.get(stack) ?? untouched.get(stack) ?? "not begun"],
                remedies: [],
            };
        }),
    };
    const unexpected = operation.expectNoChanges ? report.stacks.filter(({ changes }) => changed(changes)) : [];
    const good = failures.length === 0 && untouched.size === 0 && unexpected.length === 0;
    return {
        code: good ? 0 : 1,
        report,
        text: operationText(
            report,
            unexpected.map(({ stack }) => stack),
        ),
    };
}

async function settled(error: unknown, signal: AbortSignal) {
    // Not before: the driver brings Pulumi's SDK, a second that commands without an engine need not wait.
    const { StackError, StacksError } = await import("./engine/driver.ts");
    if (!(error instanceof StacksError)) throw error;
    const failures = error.errors.filter((one) => one instanceof StackError);
    const why = signal.aborted ? explain(signal.reason) : `${failures.map(({ stackName }) => stackName).join(", ")} failed`;
    return { results: error.results, failures, untouched: new Map(error.untouched.map((stack) => [stack, why])) };
}

const MARKS = { succeeded: "✓", failed: "✖", untouched: "-" };

function operationText({ operation, stacks, seconds }: OperationReport, unexpected: readonly string[]): string {
    const width = Math.max(0, ...stacks.map(({ stack }) => stack.length));
    const lines = stacks.flatMap(({ stack, result, changes, reasons, remedies: todo }) => {
        const head = `${MARKS[result]} ${stack.padEnd(width)}  `;
        if (result === "succeeded") return [`${head}${describeChanges(changes) ?? "nothing to do"}`];
        if (result === "untouched") return [`${head}untouched: ${reasons.join("; ")}`];
        const detail = reasons.flatMap((reason) => reason.trimEnd().split("\n"));
        return [`${head}failed`, ...[...detail, ...todo].map((line) => `    ${line}`)];
    });
    const surprise = unexpected.length > 0 ? [`✖ changes were expected in none, but ${unexpected.join(", ")} would have or has some`] : [];
    return [...lines, ...surprise, `${operation} took ${Math.round(seconds)} s`].join("\n");
}

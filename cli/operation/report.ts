import { z } from "zod";
import { describeChanges } from "../engine/changes.ts";

/** What an operation did to several stacks, as `--json` prints it. */
export const OperationReport = z.strictObject({
    version: z.literal(1),
    operation: z.enum(["preview", "up", "refresh", "destroy"]),
    seconds: z.number(),
    stacks: z.array(
        z.strictObject({
            stack: z.string(),
            /** Untouched: not started, because another stack failed, the run was interrupted, or the stack cannot be previewed yet. */
            result: z.enum(["succeeded", "failed", "untouched"]),
            /** Number of resources per operation: { create: 3, same: 40 }. */
            changes: z.record(z.string(), z.int()),
            /** Why the stack failed or was not started, in the engine's words. */
            reasons: z.array(z.string()),
            /** Known fixes for these reasons. */
            remedies: z.array(z.string()),
        }),
    ),
});

export type OperationReport = z.infer<typeof OperationReport>;

const MARKS = { succeeded: "✓", failed: "✖", untouched: "-" };

/** @param unexpected stacks with changes although none were expected */
export function operationText({ operation, stacks, seconds }: OperationReport, unexpected: readonly string[]): string {
    const width = Math.max(0, ...stacks.map(({ stack }) => stack.length));
    const lines = stacks.flatMap(({ stack, result, changes, reasons, remedies }) => {
        const head = `${MARKS[result]} ${stack.padEnd(width)}  `;
        if (result === "succeeded") return [`${head}${describeChanges(changes) ?? "no changes"}`];
        if (result === "untouched") return [`${head}untouched: ${reasons.join("; ")}`];
        const detail = reasons.flatMap((reason) => reason.trimEnd().split("\n"));
        return [`${head}failed`, ...[...detail, ...remedies].map((line) => `    ${line}`)];
    });
    return [
        ...lines,
        ...(unexpected.length > 0 ? [`✖ no changes were expected, but these stacks have some: ${unexpected.join(", ")}`] : []),
        `${operation} took ${Math.round(seconds)} s`,
    ].join("\n");
}

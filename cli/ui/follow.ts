import type { Context } from "../command.ts";
import type { EngineEvent } from "../engine/driver.ts";
import { picture, type StackPicture } from "./picture.ts";
import { advance, logLine, type Progress, START } from "./progress.ts";

const REDRAW_MILLISECONDS = 200;

/** Shows the progress of operations. */
export interface Follower {
    onEvent(stack: string, event: EngineEvent): void;
    /** Draws for the last time. */
    stop(): void;
}

/**
 * Draws live progress on a terminal, with failures and warnings as lasting lines above it. Elsewhere logs a line for each finished resource and each message,
 * without control codes.
 *
 * @param stacks in the order of the drawing
 * @param totals number of resources that each stack will have processed in the end, as far as known
 */
export function follow(
    { terminal, log }: Pick<Context, "terminal" | "log">,
    stacks: readonly string[],
    totals: ReadonlyMap<string, number>,
): Follower {
    const started = Date.now();
    const elapsed = () => (Date.now() - started) / 1000;
    const progress = new Map<string, Progress>();
    const step = (stack: string, event: EngineEvent) => {
        const next = advance(progress.get(stack) ?? START, event);
        progress.set(stack, next);
        return next;
    };
    if (!terminal)
        return {
            onEvent(stack, event) {
                const line = logLine(stack, step(stack, event), elapsed());
                if (line) log(line);
            },
            stop() {},
        };

    const draw = () => {
        const pictures = stacks.map((stack): StackPicture => {
            const known = progress.get(stack);
            return { stack, total: totals.get(stack), ...(known && { progress: known }) };
        });
        terminal.draw(picture(pictures, Date.now() / 1000, terminal));
    };
    const timer = setInterval(draw, REDRAW_MILLISECONDS);
    return {
        onEvent(stack, event) {
            const next = step(stack, event);
            const lasting = next.finished?.failed || (next.message && !next.message.severity.startsWith("info"));
            const line = lasting ? logLine(stack, next, elapsed()) : undefined;
            if (line) terminal.print(line);
        },
        stop() {
            clearInterval(timer);
            draw();
            terminal.release();
        },
    };
}

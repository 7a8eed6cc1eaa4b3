import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

interface Question {
    text: string;
    /** The answer to an empty line. */
    fallback: string;
    /** What is wrong with an answer; the question is then asked again. */
    problem?: (answer: string) => string | undefined;
}

/** Asks questions on a terminal, one at a time. */
export type Ask = (question: Question) => Promise<string>;

interface Streams {
    input: Readable;
    output: Writable;
    signal: AbortSignal;
}

/**
 * Runs a dialogue of questions.
 *
 * Node's own readline is enough for a handful of questions that are all answered with a line of text; a prompt library would add a dependency for menus that
 * none of them needs.
 *
 * @throws Error when the input ends before all questions are answered, and the signal's reason after an interrupt
 */
export async function dialogue<T>({ input, output, signal }: Streams, work: (ask: Ask) => Promise<T>): Promise<T> {
    const terminal = "isTTY" in input && input.isTTY === true;
    const reader = createInterface({ input, output, terminal, signal });
    // The terminal is in raw mode: Ctrl-C arrives here as a key and not as a signal.
    reader.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    // `reader.question` would lose lines that arrive before it is called.
    const lines = reader[Symbol.asyncIterator]();
    const ask: Ask = async ({ text, fallback, problem }) => {
        for (;;) {
            reader.setPrompt(`${text} [${fallback}]: `);
            reader.prompt();
            const { value, done } = await lines.next();
            signal.throwIfAborted();
            if (done) throw new Error("the input ended before all questions were answered");
            const answer = value.trim() || fallback;
            const wrong = problem?.(answer);
            if (wrong === undefined) return answer;
            output.write(`${wrong}\n`);
        }
    };
    try {
        return await work(ask);
    } finally {
        reader.close();
    }
}

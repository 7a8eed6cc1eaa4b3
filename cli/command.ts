import type { z } from "zod";
import { nearest } from "../core/text/suggest.ts";
import type { Terminal } from "./ui/terminal.ts";

export interface Option {
    type: "boolean" | "string";
    /**
     * Placeholder for the value in the help, such as "<n>". Shell completion offers stacks for "<stack>", "<cluster>" and "<mesh>", and paths for "<file>" and
     * "<folder>".
     */
    value?: string;
    /** The only valid values. */
    values?: readonly string[];
    short?: string;
    multiple?: boolean;
    /** Imperative, one line. */
    help: string;
}

export type OptionValues = Record<string, string | boolean | (string | boolean)[] | undefined>;

/** Where a command runs and how it reports. */
export interface Context {
    /** The folder with Pulumi.yaml. */
    folder: string;
    /** Added to the environment of Pulumi, and so of the program. */
    env: Record<string, string>;
    /** Aborted by the first interrupt. */
    signal: AbortSignal;
    /** Writes a line of progress to standard error. */
    log: (line: string) => void;
    /** Standard error, if it is a terminal that can show live progress. */
    terminal?: Terminal;
}

/** What a command found or did. */
export interface Outcome<Report> {
    /** The exit code: 0 success, 1 the mesh is unhealthy or an operation failed. */
    code: 0 | 1;
    report: Report;
    /** The report as text, for standard output. */
    text: string;
    /** The command has written its output itself and exits with its own code even if it was interrupted. */
    shown?: true;
}

export interface Command<Report = unknown> {
    name: string;
    /** Imperative, one line. */
    summary: string;
    /** Positional arguments: "<cluster>" (exactly one), "[<mesh>]" (at most one) or "[<stack>...]" (any number). Default: none. */
    operands?: string;
    /** The only valid operands. */
    operandValues?: readonly string[];
    /** More lines for the command's own help. */
    details?: string;
    options: Record<string, Option>;
    /** The command also runs in a folder without Pulumi.yaml. */
    withoutProject?: true;
    /** Schema of what `--json` prints. */
    report: z.ZodType<Report>;
    /** @throws UsageError for mistakes in the command line or in the stack files */
    run(context: Context, options: OptionValues, operands: string[]): Promise<Outcome<Report>>;
}

/** A mistake in what the user gave. The process exits with code 2. */
export class UsageError extends Error {
    readonly problems: readonly string[];
    readonly about: "command line" | "stack files";

    /** @param about what to correct. After a mistake in the command line, the user is pointed to the help */
    constructor(problems: string | readonly string[], about: UsageError["about"] = "command line") {
        const list = typeof problems === "string" ? [problems] : problems;
        super(list.join("\n"));
        this.problems = list;
        this.about = about;
    }
}

/** ": did you mean cluster1?" if a name is close, otherwise " (available: cluster1, cluster2)". */
export function didYouMean(word: string, names: readonly string[]): string {
    if (names.length === 0) return "";
    const name = nearest(word, names);
    return name === undefined ? ` (available: ${names.join(", ")})` : `: did you mean ${name}?`;
}

/**
 * The value of a numeric option; undefined if it was not given.
 *
 * @throws UsageError unless it is a whole number of at least `least`
 */
export function numberOption(options: OptionValues, name: string, least = 1): number | undefined {
    const given = options[name];
    if (given === undefined) return undefined;
    const number = Number(given);
    if (!Number.isInteger(number) || number < least || given === "")
        throw new UsageError(`--${name} must be a whole number of at least ${least}; got ${JSON.stringify(given)}`);
    return number;
}

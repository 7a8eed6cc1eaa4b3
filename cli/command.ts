import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import type { Terminal } from "./ui/terminal.ts";

export interface Option {
    type: "boolean" | "string";
    /** What stands for its value in the help: "<n>". */
    value?: string;
    short?: string;
    multiple?: boolean;
    help: string;
}

export type OptionValues = Record<string, string | boolean | (string | boolean)[] | undefined>;

/** Where a command runs, and whom it talks to. */
export interface Context {
    /** The project's folder. */
    folder: string;
    /** Added to the environment of Pulumi and so of the program. */
    env: Record<string, string>;
    /** Aborted by the first interrupt. */
    signal: AbortSignal;
    /** Progress for people, a line each: standard error. */
    log: (line: string) => void;
    /** Standard error, when it is a terminal on which a picture can be drawn. */
    terminal?: Terminal;
}

/** What a command found or did. */
export interface Outcome<Report> {
    /** What the process ends with: 0 good, 1 the mesh or an operation failed. */
    code: 0 | 1;
    report: Report;
    /** The same for people: standard output. */
    text: string;
    /** The command has shown all this itself, and ends with its own code even when it was interrupted. */
    shown?: true;
}

export interface Command<Report = unknown> {
    name: string;
    /** One line. */
    summary: string;
    /** As in "[<stack>...]". */
    operands?: string;
    /** More lines for its own help. */
    details?: string;
    options: Record<string, Option>;
    /** What `--json` prints. */
    report: z.ZodType<Report>;
    /** @throws UsageError for what is wrong with the command line or the stack files */
    run(context: Context, options: OptionValues, operands: string[]): Promise<Outcome<Report>>;
}

/** The user's mistake: ends with code 2. Each line of the message is a problem by itself. */
export class UsageError extends Error {}

/** What every command understands. */
export const COMMON: Record<string, Option> = {
    cwd: { type: "string", short: "C", value: "<folder>", help: "the project's folder (default: this one)" },
    json: { type: "boolean", help: "the result as JSON on standard output; its schema: clustermesh help <command> --json" },
    help: { type: "boolean", short: "h", help: "this text" },
};

/**
 * The options and operands of a command line.
 *
 * @throws UsageError for an option that there is not, with the nearest one that there is
 */
export function parseOptions(command: Command, args: readonly string[]): { values: OptionValues; positionals: string[] } {
    const options = { ...command.options, ...COMMON };
    try {
        const config = Object.fromEntries(
            Object.entries(options).map(([name, { type, short, multiple }]) => [
                name,
                { type, ...(short && { short }), ...(multiple && { multiple }) },
            ]),
        ) satisfies ParseArgsOptionsConfig;
        const parsed = parseArgs({ args: [...args], options: config, allowPositionals: true });
        if (!command.operands && parsed.positionals.length > 0)
            throw new UsageError(`"${parsed.positionals[0]}" is one too many: ${command.name} takes options only`);
        return parsed;
    } catch (error) {
        if (error instanceof UsageError) throw error;
        const { code, message } = error as NodeJS.ErrnoException;
        if (!code?.startsWith("ERR_PARSE_ARGS")) throw error;
        const unknown = code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" && /^Unknown option '(--?[^']+)'/.exec(message)?.[1];
        throw new UsageError(
            unknown
                ? `there is no option ${unknown}${didYouMean(
                      unknown,
                      Object.keys(options).map((name) => `--${name}`),
                  )}`
                : message,
        );
    }
}

/** ": did you mean cluster1?", else ": there are cluster1, cluster2". */
export function didYouMean(word: string, names: readonly string[]): string {
    if (names.length === 0) return "";
    const nearest = closest(word, [...names]);
    // A third of the letters wrong is a typo; more is another word.
    return distance(word, nearest) <= Math.max(1, word.length / 3) ? `: did you mean ${nearest}?` : `: there are ${names.join(", ")}`;
}

/**
 * A number that an option was given.
 *
 * @throws UsageError
 */
export function numberOption(options: OptionValues, name: string, least = 1): number | undefined {
    const given = options[name];
    if (given === undefined) return undefined;
    const number = Number(given);
    if (!Number.isInteger(number) || number < least || given === "")
        throw new UsageError(`--${name} ${JSON.stringify(given)} is no whole number of ${least} or more`);
    return number;
}

/** Help for a command, on one screen. */
export function commandHelp({ name, summary, operands, details, options }: Command): string {
    return [
        `clustermesh ${name}${operands ? ` ${operands}` : ""}`,
        "",
        summary,
        ...(details ? ["", details] : []),
        "",
        "options:",
        ...optionLines({ ...options, ...COMMON }),
    ].join("\n");
}

/** Help for all: what there is. */
export function overview(commands: readonly Command[]): string {
    const width = Math.max(...commands.map(({ name, operands = "" }) => `${name} ${operands}`.length));
    return [
        "clustermesh <command>: AWS EKS clusters as one Cilium Cluster Mesh",
        "",
        ...commands.map(({ name, operands = "", summary }) => `  ${`${name} ${operands}`.padEnd(width)}  ${summary}`),
        "",
        "clustermesh help <command> tells more. Exit codes: 0 good; 1 the mesh is not as it should be, or an operation failed; 2 the command line or a stack",
        "file is wrong; 130 interrupted. Results go to standard output, progress to standard error. Credentials, state backend and secrets provider are",
        "Pulumi's and AWS's own: PULUMI_BACKEND_URL or `pulumi login`, PULUMI_CONFIG_PASSPHRASE, AWS_PROFILE and so on.",
    ].join("\n");
}

function optionLines(options: Record<string, Option>): string[] {
    const heads = Object.entries(options).map(
        ([name, { short, value }]) => `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`,
    );
    const width = Math.max(...heads.map((head) => head.length));
    return Object.values(options).map(({ help }, i) => `  ${heads[i]?.padEnd(width)}  ${help}`);
}

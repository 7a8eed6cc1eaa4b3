import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { type Command, didYouMean, type Option, type OptionValues, UsageError } from "./command.ts";

/** Options that every command accepts. */
export const SHARED_OPTIONS: Record<string, Option> = {
    cwd: { type: "string", short: "C", value: "<folder>", help: "Run in this folder (default: the current one)" },
    json: { type: "boolean", help: "Print the result as JSON; see `clustermesh help <command> --json`" },
    help: { type: "boolean", short: "h", help: "Show this help" },
};

/**
 * Parses the arguments of a command. Options and operands may be mixed.
 *
 * @throws UsageError for an unknown option, with the nearest known one, an invalid value, or a wrong number of operands
 */
export function parseArguments(command: Command, args: readonly string[]): { values: OptionValues; operands: string[] } {
    const options = { ...command.options, ...SHARED_OPTIONS };
    const config = Object.fromEntries(
        Object.entries(options).map(([name, { type, short, multiple }]) => [
            name,
            { type, ...(short && { short }), ...(multiple && { multiple }) },
        ]),
    ) satisfies ParseArgsOptionsConfig;
    const { values, positionals } = parse(args, config);
    // `--help` works however incomplete the rest of the command line is.
    if (values.help) return { values, operands: positionals };
    for (const [name, { values: valid }] of Object.entries(options))
        for (const value of [values[name] ?? []].flat())
            if (valid && !valid.includes(String(value)))
                throw new UsageError(`--${name}: unknown value ${value}${didYouMean(String(value), valid)}`);
    checkOperands(command, positionals);
    return { values, operands: positionals };
}

function parse(args: readonly string[], options: ParseArgsOptionsConfig): { values: OptionValues; positionals: string[] } {
    try {
        return parseArgs({ args: [...args], options, allowPositionals: true });
    } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (!code?.startsWith("ERR_PARSE_ARGS")) throw error;
        const [, unknown] = (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" && /^Unknown option '(--?[^']+)'/.exec(message)) || [];
        const known = Object.keys(options).map((name) => `--${name}`);
        throw new UsageError(unknown ? `unknown option ${unknown}${didYouMean(unknown, known)}` : message);
    }
}

function checkOperands({ name, operands, operandValues: valid }: Command, given: readonly string[]): void {
    if (!operands && given.length > 0) throw new UsageError(`clustermesh ${name} takes no arguments; got ${given.join(" ")}`);
    const required = operands !== undefined && !operands.startsWith("[");
    const most = operands?.includes("...") ? Number.POSITIVE_INFINITY : 1;
    if (given.length > most || (required && given.length === 0))
        throw new UsageError(
            `clustermesh ${name} takes ${required ? "exactly" : "at most"} one argument, ${operands}; got ${given.join(" ") || "none"}`,
        );
    for (const operand of given)
        if (valid && !valid.includes(operand)) throw new UsageError(`unknown ${operands} ${operand}${didYouMean(operand, valid)}`);
}

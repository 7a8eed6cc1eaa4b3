import { existsSync, readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { join, resolve } from "node:path";
import { z } from "zod";
import { problemList } from "../core/text/problems.ts";
import { parseArguments } from "./arguments.ts";
import { type Command, type Context, didYouMean, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { COMPLETE, complete } from "./completion.ts";
import { commandHelp, overview } from "./help.ts";
import { catchInterrupts } from "./ui/interrupts.ts";
import { remedies } from "./ui/remedies.ts";
import { terminalOn } from "./ui/terminal.ts";

/** What `--json` prints if a command could not do its work. */
const Failure = z.strictObject({ version: z.literal(1), problems: z.array(z.string()) });

/** The command was interrupted and has no result to show. */
class Interrupted extends Error {}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader is gone, as in `clustermesh plan | head`.
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
});
process.exit(await main(process.argv.slice(2)));

async function main([name = "help", ...args]: string[]): Promise<number> {
    try {
        if (name === COMPLETE) return await printCompletions(args);
        if (["help", "--help", "-h"].includes(name)) return await help(args);
        if (name === "--version") return await printVersion();
        const command = findCommand(name);
        const { values, operands } = parseArguments(command, args);
        if (values.help) return await help([name, ...args.filter((arg) => arg === "--json")]);
        const folder = resolve(typeof values.cwd === "string" ? values.cwd : ".");
        if (!command.withoutProject) requireProject(folder);
        return await run(command, folder, values.json === true, (context) => command.run(context, values, operands));
    } catch (error) {
        return fail(error, name, args.includes("--json"));
    }
}

async function run(
    command: Command,
    folder: string,
    json: boolean,
    work: (context: Context) => ReturnType<Command["run"]>,
): Promise<number> {
    const terminal = process.stderr.isTTY && !json ? terminalOn(process.stderr) : undefined;
    const log = terminal ? terminal.print : (line: string) => console.error(line);
    const signal = catchInterrupts(log);
    const { code, report, text, shown } = await work({ folder, env: {}, signal, log, ...(terminal && { terminal }) }).catch((error) => {
        throw signal.aborted ? new Interrupted(String(signal.reason?.message ?? signal.reason), { cause: error }) : error;
    });
    if (shown) return code;
    await (json ? print(command.report.parse(report)) : write(text === "" ? "" : `${text}\n`));
    return signal.aborted ? 130 : code;
}

/** Shows why the command failed. Returns the exit code. */
async function fail(error: unknown, name: string, json: boolean): Promise<number> {
    if (error instanceof UsageError) {
        if (json) await print(Failure.parse({ version: 1, problems: error.problems }));
        else console.error(problemList(error.problems));
        const command = COMMANDS.find((command) => command.name === name);
        if (!json && error.about === "command line") console.error(`Run \`clustermesh help${command ? ` ${name}` : ""}\` for usage.`);
        return 2;
    }
    // Only bugs show where in the program they are.
    const bug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
    const text = error instanceof Error ? (bug && error.stack) || error.message : String(error);
    const problems = [...text.split("\n"), ...remedies(text)];
    if (json) await print(Failure.parse({ version: 1, problems }));
    else console.error(problems.join("\n"));
    return error instanceof Interrupted ? 130 : 1;
}

function findCommand(name: string): Command {
    const command = COMMANDS.find((command) => command.name === name);
    if (command) return command;
    const names = ["help", ...COMMANDS.map((command) => command.name)];
    throw new UsageError(`unknown command ${name}${didYouMean(name, names)}`);
}

async function help(args: string[]): Promise<number> {
    const [name] = args.filter((arg) => !arg.startsWith("-"));
    const command = name === undefined ? undefined : findCommand(name);
    if (command && args.includes("--json")) await print(z.toJSONSchema(z.union([command.report, Failure])));
    else await write(`${command ? commandHelp(command) : overview(COMMANDS)}\n`);
    return 0;
}

async function printVersion(): Promise<number> {
    const manifest = findPackageJSON(import.meta.url);
    if (!manifest) throw new Error("this clustermesh has no package.json");
    await write(`${JSON.parse(readFileSync(manifest, "utf8")).version}\n`);
    return 0;
}

/** Called by the completion script at each Tab. */
async function printCompletions([shell = "", ...words]: string[]): Promise<number> {
    await write(await complete(COMMANDS, shell, words));
    return 0;
}

/** @throws UsageError unless the folder has a Pulumi project */
function requireProject(folder: string): void {
    if (!existsSync(join(folder, "Pulumi.yaml")))
        throw new UsageError(`${folder} has no Pulumi.yaml: run clustermesh in the project's folder, or name the folder with --cwd`);
}

function print(value: unknown): Promise<void> {
    return write(`${JSON.stringify(value, undefined, 4)}\n`);
}

/** Waits until everything is written, since the process exits right after. */
function write(text: string): Promise<void> {
    return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

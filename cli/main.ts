#!/usr/bin/env node
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type Command, type Context, commandHelp, didYouMean, overview, parseOptions, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { catchInterrupts } from "./ui/interrupts.ts";
import { remedies } from "./ui/remedies.ts";
import { terminalOn } from "./ui/terminal.ts";

/** What `--json` prints when a command could not do its work. */
const Failure = z.strictObject({ version: z.literal(1), problems: z.array(z.string()) });

/** What was under way was given up, with nothing to show for it. */
class Interrupted extends Error {}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has gone away, as in `clustermesh plan | head`.
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
});
process.exit(await main(process.argv.slice(2)));

async function main([name = "help", ...args]: string[]): Promise<number> {
    const json = args.includes("--json");
    try {
        if (["help", "--help", "-h"].includes(name)) return await help(args);
        const command = find(name);
        const { values, positionals } = parseOptions(command, args);
        if (values.help) return await help([name, ...args.filter((arg) => arg === "--json")]);
        return await run(command, projectFolder(values.cwd), json, (context) => command.run(context, values, positionals));
    } catch (error) {
        const usage = error instanceof UsageError;
        // Only bugs show where in the program they are.
        const bug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
        const text = error instanceof Error ? (bug && error.stack) || error.message : String(error);
        const problems = [...text.split("\n"), ...remedies(text)];
        if (json) await print(Failure.parse({ version: 1, problems }));
        else console.error(problems.join("\n"));
        // What is wrong in a file is no question of how the command is called.
        if (usage && !json && !text.startsWith("✖"))
            console.error(`clustermesh help${COMMANDS.some((one) => one.name === name) ? ` ${name}` : ""} tells what there is`);
        return usage ? 2 : error instanceof Interrupted ? 130 : 1;
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

function find(name: string): Command {
    const command = COMMANDS.find((one) => one.name === name);
    if (command) return command;
    const names = ["help", ...COMMANDS.map((one) => one.name)];
    throw new UsageError(`there is no command ${name}${didYouMean(name, names)}`);
}

async function help(args: string[]): Promise<number> {
    const [name] = args.filter((arg) => !arg.startsWith("-"));
    const command = name === undefined ? undefined : find(name);
    if (command && args.includes("--json")) await print(z.toJSONSchema(z.union([command.report, Failure])));
    else await write(`${command ? commandHelp(command) : overview(COMMANDS)}\n`);
    return 0;
}

/** @throws UsageError when there is no Pulumi project */
function projectFolder(given: unknown): string {
    const folder = resolve(typeof given === "string" ? given : ".");
    if (!existsSync(join(folder, "Pulumi.yaml")))
        throw new UsageError(`${folder} has no Pulumi.yaml: run clustermesh in the project's folder, or name it by --cwd`);
    return folder;
}

function print(value: unknown): Promise<void> {
    return write(`${JSON.stringify(value, undefined, 4)}\n`);
}

/** Waits until all is written: the process ends right after. */
function write(text: string): Promise<void> {
    return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

import { columns } from "../core/text/columns.ts";
import { SHARED_OPTIONS } from "./arguments.ts";
import type { Command, Option } from "./command.ts";

/** The help of one command; fits on one screen. */
export function commandHelp(command: Command): string {
    const { summary, details, options } = command;
    return [
        summary,
        "",
        usage(command),
        ...(details ? ["", details] : []),
        "",
        "Options:",
        optionList({ ...options, ...SHARED_OPTIONS }),
    ].join("\n");
}

/** The help of the whole command line: all commands; fits on one screen. */
export function overview(commands: readonly Command[]): string {
    return [
        "clustermesh: join AWS EKS clusters into one Cilium Cluster Mesh",
        "",
        "Usage: clustermesh <command> [options], or clustermesh --version",
        "",
        columns(
            commands.map(({ name, operands, summary }) => [words(name, operands), summary]),
            "  ",
        ),
        "",
        "Run `clustermesh help <command>` for the options of a command. Results go to standard output,",
        "progress to standard error. Exit codes: 0 success; 1 the mesh is unhealthy or an operation failed;",
        "2 the command line or a stack file is wrong; 130 interrupted. Credentials, state backend and",
        "secrets provider are those of Pulumi and AWS: `pulumi login` or PULUMI_BACKEND_URL,",
        "PULUMI_CONFIG_PASSPHRASE, AWS_PROFILE and so on.",
    ].join("\n");
}

const [BEGIN, END] = ["<!-- Generated from the help of the commands. -->", "<!-- End of the generated part. -->"];

/**
 * docs/cli.md with the generated part up to date.
 *
 * @param page its current text, with the marks around the generated part
 * @throws Error if the marks are missing
 */
export function withCommandReference(page: string, commands: readonly Command[]): string {
    const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)];
    if (start < 0 || end < start) throw new Error(`the page must contain "${BEGIN}" and then "${END}"`);
    return `${page.slice(0, start + BEGIN.length)}\n\n${commandReference(commands)}\n\n${page.slice(end)}`;
}

/** The help of all commands as Markdown. */
function commandReference(commands: readonly Command[]): string {
    return [
        ...commands.map((command) => [
            `### ${command.name}`,
            `${command.summary}.`,
            ...(command.details ? [asMarkdown(command.details)] : []),
            codeBlock([usage(command), ...(Object.keys(command.options).length > 0 ? ["", optionList(command.options)] : [])].join("\n")),
        ]),
        ["### Options of every command", codeBlock(optionList(SHARED_OPTIONS))],
    ]
        .flat()
        .join("\n\n");
}

/** Indented lines become a code block. */
function asMarkdown(details: string): string {
    return details.replaceAll(/(?:^ {4}.*\n)+/gm, (lines) => `${codeBlock(lines.replaceAll(/^ {4}/gm, "").trimEnd())}\n`);
}

function codeBlock(text: string): string {
    return `\`\`\`text\n${text}\n\`\`\``;
}

function usage({ name, operands }: Command): string {
    return `Usage: clustermesh ${words(name, operands)} [options]`;
}

function words(name: string, operands: string | undefined): string {
    return operands ? `${name} ${operands}` : name;
}

function optionList(options: Record<string, Option>): string {
    return columns(
        Object.entries(options).map(([name, { short, value, help }]) => [
            `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`,
            help,
        ]),
        "  ",
    );
}

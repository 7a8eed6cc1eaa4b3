import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import type { SimulatedAws } from "../aws/aws.ts";
import { AwsError } from "../aws/error.ts";
import type { Caller } from "../aws/scope.ts";

/** A request of `packages/lab/aws-cli/bin/aws`: its arguments, and the environment variables that the AWS CLI reads. */
interface CliRequest {
    args: string[];
    env: { AWS_REGION?: string; AWS_DEFAULT_REGION?: string; AWS_SESSION_TOKEN?: string };
}

interface CliResponse {
    stdout: string;
    stderr: string;
    code: number;
}

/** Services by the CLI's name: the simulation's name, and whether inputs are camelCase instead of PascalCase. */
const SERVICES: Readonly<Record<string, { name: string; camel?: true }>> = {
    autoscaling: { name: "autoscaling" },
    ec2: { name: "ec2" },
    eks: { name: "eks", camel: true },
    elbv2: { name: "elb" },
    iam: { name: "iam" },
    kms: { name: "kms" },
    logs: { name: "logs", camel: true },
    ram: { name: "ram", camel: true },
    sts: { name: "sts" },
};

const READS = /^(describe|list|get|search)-/;
/** Global options that do not change JSON output. */
const IGNORED = ["output", "color", "no-cli-pager", "no-paginate"];
/** The real AWS CLI's exit codes for an error of the service, a missing configuration, and wrong arguments. */
const EXIT_CODE = { service: 254, configuration: 253, usage: 252 };

/**
 * Stands in for the AWS CLI: read-only commands and `sts assume-role`, run against the simulated AWS, with the CLI's own JSON output. Calls without the token of a
 * session from `assume-role` use the lab's own account, whatever credentials the shell has. Not supported: `--query`, other output formats, paging and waiters. An
 * option that the simulated action does not know is ignored.
 */
function simulatedAwsCli(aws: Pick<SimulatedAws, "in">, account: string): (request: CliRequest) => Promise<CliResponse> {
    const sessions = new Map<string, Pick<Caller, "account" | "principal">>();
    return async ({ args, env }) => {
        try {
            const { service, operation, input, region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION } = parseCommand(args);
            if (!region)
                throw new CliError(
                    EXIT_CODE.configuration,
                    'You must specify a region. You can also configure your region by running "aws configure".',
                );
            const caller = sessions.get(env.AWS_SESSION_TOKEN ?? "") ?? { account, principal: undefined };
            const actions = (
                aws.in({ ...caller, region }) as unknown as Record<string, Record<string, (input: object) => Promise<unknown>>>
            )[service];
            const action = actions?.[uncapital(operation)];
            if (!action) throw new CliError(EXIT_CODE.usage, `the lab's AWS CLI does not support "aws ${args.slice(0, 2).join(" ")}"`);
            const output = await action(input).catch((error: unknown) => {
                if (!(error instanceof AwsError)) throw error;
                throw new CliError(
                    EXIT_CODE.service,
                    `An error occurred (${error.code}) when calling the ${operation} operation: ${error.message}`,
                );
            });
            if (operation === "AssumeRole") remember(output as AssumeRoleOutput);
            return { stdout: `${JSON.stringify(output ?? {}, pythonDates, 4)}\n`, stderr: "", code: 0 };
        } catch (error) {
            if (!(error instanceof CliError)) throw error;
            return { stdout: "", stderr: `\n${error.message}\n`, code: error.code };
        }
    };

    function remember({ Credentials, AssumedRoleUser }: AssumeRoleOutput): void {
        const principal = AssumedRoleUser.Arn;
        sessions.set(Credentials.SessionToken, { account: principal.split(":")[4] ?? "", principal });
    }
}

interface AssumeRoleOutput {
    Credentials: { SessionToken: string };
    AssumedRoleUser: { Arn: string };
}

class CliError extends Error {
    readonly code: number;
    constructor(code: number, message: string) {
        super(message);
        this.code = code;
    }
}

/**
 * Parses a command such as `ec2 describe-vpcs --vpc-ids a b --filters Name=x,Values=y` into the simulation's service, operation and input.
 *
 * @throws CliError for a command that is not supported
 */
function parseCommand([service = "", command = "", ...rest]: string[]): {
    service: string;
    operation: string;
    input: object;
    region?: string;
} {
    const { name, camel = false } = SERVICES[service] ?? {};
    if (!name || !(READS.test(command) || command === "assume-role"))
        throw new CliError(EXIT_CODE.usage, `the lab's AWS CLI is read-only and does not support "aws ${service} ${command}"`);
    const input: Record<string, unknown> = {};
    let region: string | undefined;
    for (const [option, values] of optionsOf(rest)) {
        if (option === "region") region = values[0];
        else if (!IGNORED.includes(option)) input[camel ? uncapital(pascal(option)) : pascal(option)] = parsedValue(option, values);
    }
    return { service: name, operation: pascal(command), input, ...(region && { region }) };
}

function optionsOf(words: readonly string[]): Map<string, string[]> {
    const options = new Map<string, string[]>();
    let values: string[] | undefined;
    for (const word of words) {
        if (word.startsWith("--")) {
            values = [];
            options.set(word.slice(2), values);
        } else if (values) values.push(word);
        else throw new CliError(EXIT_CODE.usage, `Unknown options: ${word}`);
    }
    return options;
}

/** The value of an option: a flag, a string, a list (options with a plural name), or a structure in JSON or shorthand syntax. */
function parsedValue(option: string, values: string[]): unknown {
    const [first = ""] = values;
    if (values.length === 0) return !option.startsWith("no-");
    if (/^[[{]/.test(first)) return JSON.parse(first);
    if (/^filters?$/.test(option)) return values.map(shorthand);
    return option.endsWith("s") ? values : first;
}

/** Parses the CLI's shorthand syntax for filters: `Name=vpc-id,Values=a,b`. */
function shorthand(text: string): object {
    const { name = "", values = "" } = /^Name=(?<name>[^,]*),Values=(?<values>.*)$/.exec(text)?.groups ?? {};
    if (!name)
        throw new CliError(EXIT_CODE.usage, `Error parsing parameter '--filters': Expected: 'Name=...,Values=...', received: '${text}'`);
    return { Name: name, Values: values.split(",") };
}

function pascal(kebab: string): string {
    return kebab.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function uncapital(text: string): string {
    return text.charAt(0).toLowerCase() + text.slice(1);
}

/** JSON replacer that writes times as Python does: `2026-11-24T16:33:57.120000+00:00`. */
function pythonDates(_: string, value: unknown): unknown {
    const [, seconds, fraction = "000"] =
        (typeof value === "string" && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3}))?Z$/.exec(value)) || [];
    return seconds ? `${seconds}${fraction === "000" ? "" : `.${fraction}000`}+00:00` : value;
}

/**
 * Serves `packages/lab/aws-cli/bin/aws`.
 *
 * @param account the caller's account without a session
 * @param socket path of a Unix socket, in a folder that only its owner can enter
 */
export async function serveAwsCli(
    aws: Pick<SimulatedAws, "in">,
    { account, socket }: { account: string; socket: string },
): Promise<{ close(): Promise<void> }> {
    const runCommand = simulatedAwsCli(aws, account);
    const server = createServer(async (request, response) => {
        try {
            response.end(JSON.stringify(await runCommand((await json(request)) as CliRequest)));
        } catch (error) {
            response.writeHead(500).end(error instanceof Error ? error.stack : String(error));
        }
    });
    server.listen(socket);
    await once(server, "listening");
    return {
        async close() {
            server.closeAllConnections();
            server.close();
            await once(server, "close");
        },
    };
}

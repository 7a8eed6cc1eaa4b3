import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import type { SimulatedAws } from "../aws/aws.ts";
import { AwsError } from "../aws/error.ts";
import type { Caller } from "../aws/scope.ts";

/** What `packages/lab/aws-cli/bin/aws` hands on: its words, and what the AWS command line reads of the environment. */
export interface CliRequest {
    args: string[];
    env: { AWS_REGION?: string; AWS_DEFAULT_REGION?: string; AWS_SESSION_TOKEN?: string };
}

export interface CliAnswer {
    stdout: string;
    stderr: string;
    code: number;
}

/** The command line's services: what the simulation calls them, and how their inputs are spelt. */
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
/** Options of the command line itself that change nothing of an answer in JSON. */
const IGNORED = ["output", "color", "no-cli-pager", "no-paginate"];
/** The real one's exit codes: an error of the service, of the configuration, of the words. */
const CODE = { refused: 254, configuration: 253, usage: 252 };

/**
 * Stands for the AWS command line: its commands that read, and `sts assume-role`, answered by the simulated AWS in the command line's own JSON. Without a session that it
 * has handed out, whoever asks is the lab's own account, whatever credentials the shell has. Not kept: `--query`, other outputs, paging, waiters; an option that the simulated
 * action does not know is as if it were not there.
 */
export function simulatedAwsCli(aws: Pick<SimulatedAws, "in">, account: string): (request: CliRequest) => Promise<CliAnswer> {
    const sessions = new Map<string, Pick<Caller, "account" | "principal">>();
    return async ({ args, env }) => {
        try {
            const { service, operation, input, region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION } = parseCommand(args);
            if (!region)
                throw new CliError(
                    CODE.configuration,
                    'You must specify a region. You can also configure your region by running "aws configure".',
                );
            const who = sessions.get(env.AWS_SESSION_TOKEN ?? "") ?? { account, principal: undefined };
            const actions = (aws.in({ ...who, region }) as unknown as Record<string, Record<string, (input: object) => Promise<unknown>>>)[
                service
            ];
            const action = actions?.[uncapital(operation)];
            if (!action)
                throw new CliError(
                    CODE.usage,
                    `the lab's stand-in for the AWS command line does not know "aws ${args.slice(0, 2).join(" ")}"`,
                );
            const answer = await action(input).catch((error: unknown) => {
                if (!(error instanceof AwsError)) throw error;
                throw new CliError(
                    CODE.refused,
                    `An error occurred (${error.code}) when calling the ${operation} operation: ${error.message}`,
                );
            });
            if (operation === "AssumeRole") remember(answer as Assumed);
            return { stdout: `${JSON.stringify(answer ?? {}, dates, 4)}\n`, stderr: "", code: 0 };
        } catch (error) {
            if (!(error instanceof CliError)) throw error;
            return { stdout: "", stderr: `\n${error.message}\n`, code: error.code };
        }
    };

    function remember({ Credentials, AssumedRoleUser }: Assumed): void {
        const principal = AssumedRoleUser.Arn;
        sessions.set(Credentials.SessionToken, { account: principal.split(":")[4] ?? "", principal });
    }
}

interface Assumed {
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

/** "ec2 describe-vpcs --vpc-ids a b --filters Name=x,Values=y" as the simulation's service, operation and input. @throws CliError */
function parseCommand([service = "", command = "", ...rest]: string[]): {
    service: string;
    operation: string;
    input: object;
    region?: string;
} {
    const { name, camel = false } = SERVICES[service] ?? {};
    if (!name || !(READS.test(command) || command === "assume-role"))
        throw new CliError(CODE.usage, `the lab's stand-in for the AWS command line only reads: it has no "aws ${service} ${command}"`);
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
        else throw new CliError(CODE.usage, `Unknown options: ${word}`);
    }
    return options;
}

/** Flags, texts, lists (their options are plurals), and structures in JSON or in the short form. */
function parsedValue(option: string, values: string[]): unknown {
    const [first = ""] = values;
    if (values.length === 0) return !option.startsWith("no-");
    if (/^[[{]/.test(first)) return JSON.parse(first);
    if (/^filters?$/.test(option)) return values.map(shorthand);
    return option.endsWith("s") ? values : first;
}

/** "Name=vpc-id,Values=a,b" */
function shorthand(text: string): object {
    const { name = "", values = "" } = /^Name=(?<name>[^,]*),Values=(?<values>.*)$/.exec(text)?.groups ?? {};
    if (!name) throw new CliError(CODE.usage, `Error parsing parameter '--filters': Expected: 'Name=...,Values=...', received: '${text}'`);
    return { Name: name, Values: values.split(",") };
}

function pascal(kebab: string): string {
    return kebab.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function uncapital(text: string): string {
    return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Times as Python writes them: "2026-11-24T16:33:57.120000+00:00". */
function dates(_: string, value: unknown): unknown {
    const [, whole, fraction = "000"] =
        (typeof value === "string" && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3}))?Z$/.exec(value)) || [];
    return whole ? `${whole}${fraction === "000" ? "" : `.${fraction}000`}+00:00` : value;
}

/** Serves it to `packages/lab/aws-cli/bin/aws`. @param socket in a folder that is its owner's alone */
export async function serveAwsCli(
    aws: Pick<SimulatedAws, "in">,
    { account, socket }: { account: string; socket: string },
): Promise<{ close(): Promise<void> }> {
    const answer = simulatedAwsCli(aws, account);
    const server = createServer(async (request, response) => {
        try {
            response.end(JSON.stringify(await answer((await json(request)) as CliRequest)));
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

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";

/** Timeout of an AWS CLI command. */
const TIMEOUT_SECONDS = 30;

interface AwsPlace {
    region: string;
    /** Role to assume first; absent: the user's own credentials. */
    assumeRole?: string | undefined;
}

/**
 * Runs a read-only AWS CLI command. The CLI is required anyway, because kubeconfigs of EKS use it, and it takes the user's own credentials and profile.
 *
 * @param command as in ["ec2", "describe-vpcs"]
 * @param answer schema of its JSON output
 * @throws Error with the CLI's error message
 */
export type Aws = <S extends z.ZodType>(place: AwsPlace, command: string[], answer: S) => Promise<z.output<S>>;

const AssumeRole = z.looseObject({
    Credentials: z.looseObject({ AccessKeyId: z.string(), SecretAccessKey: z.string(), SessionToken: z.string() }),
});

/** The environment of every command, added to this process's own, and what stops running commands. */
interface RunOptions {
    env: Record<string, string>;
    signal?: AbortSignal | undefined;
}

/**
 * @param env added to this process's environment
 * @param signal stops running commands
 */
export function awsCommandLine(env: Record<string, string>, signal?: AbortSignal): Aws {
    const options = { env, signal };
    /** Environment variables of a role's session, by region and role. */
    const sessions = new Map<string, Promise<Record<string, string>>>();
    return async (place, command, answer) => {
        const key = `${place.region} ${place.assumeRole ?? ""}`;
        const session = sessions.get(key) ?? assumeRole(place, options);
        sessions.set(key, session);
        return answer.parse(await runAws(place.region, command, options, await session));
    };
}

/** The session's keys go nowhere but into the environment of further commands. */
async function assumeRole({ region, assumeRole: role }: AwsPlace, options: RunOptions): Promise<Record<string, string>> {
    if (!role) return {};
    const command = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "clustermesh-doctor"];
    const { AccessKeyId, SecretAccessKey, SessionToken } = AssumeRole.parse(await runAws(region, command, options)).Credentials;
    return { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey, AWS_SESSION_TOKEN: SessionToken };
}

async function runAws(
    region: string,
    command: string[],
    { env: added, signal }: RunOptions,
    session: Record<string, string> = {},
): Promise<unknown> {
    const env: NodeJS.ProcessEnv = { ...process.env, ...added, ...session, AWS_PAGER: "" };
    // A profile with a role of its own would take precedence over the session's keys.
    if (session.AWS_SESSION_TOKEN) delete env.AWS_PROFILE;
    const options = { env, timeout: TIMEOUT_SECONDS * 1000, maxBuffer: Number.POSITIVE_INFINITY, ...(signal && { signal }) };
    const args = [...command, "--region", region, "--output", "json"];
    const { stdout } = await promisify(execFile)("aws", args, options).catch((error) => {
        throw new Error(`aws ${command.slice(0, 2).join(" ")} in ${region}: ${reason(error)}`, { cause: error });
    });
    return JSON.parse(stdout || "{}");
}

function reason(error: { code?: unknown; killed?: boolean; stderr?: unknown; message?: string }): string {
    if (error.code === "ENOENT")
        return "the AWS CLI is not on the PATH; kubeconfigs of EKS need it as well, see https://docs.aws.amazon.com/cli/";
    if (error.killed) return `timed out after ${TIMEOUT_SECONDS} s`;
    return String(error.stderr ?? "").trim() || (error.message ?? "failed without a message");
}

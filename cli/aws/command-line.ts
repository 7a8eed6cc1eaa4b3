import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";

/** Seconds that a command of the AWS command line may take. */
const TIMEOUT_SECONDS = 30;

export interface AwsPlace {
    region: string;
    /** Role to assume first; none: the user's own credentials. */
    assumeRole?: string | undefined;
}

/**
 * Asks AWS something that is only read, by the AWS command line, which kubeconfigs need anyway: with the user's own credentials, in his own words.
 *
 * @param command as in ["ec2", "describe-vpcs"]
 * @param answer schema of the JSON that it prints
 * @throws Error with what the command line says
 */
export type Aws = <S extends z.ZodType>(place: AwsPlace, command: string[], answer: S) => Promise<z.output<S>>;

const Assumed = z.looseObject({
    Credentials: z.looseObject({ AccessKeyId: z.string(), SecretAccessKey: z.string(), SessionToken: z.string() }),
});

/** @param env added to this process's environment @param signal ends what is running */
export function awsCommandLine(env: Record<string, string>, signal?: AbortSignal): Aws {
    const sessions = new Map<string, Promise<Record<string, string>>>();
    const run = async <S extends z.ZodType>(region: string, command: string[], answer: S, session: Record<string, string>) => {
        const args = [...command, "--region", region, "--output", "json"];
        const own = { ...process.env, ...env, ...session, AWS_PAGER: "" };
        // A profile that names a role of its own would go before the session's keys.
        if (session.AWS_SESSION_TOKEN) delete (own as NodeJS.ProcessEnv).AWS_PROFILE;
        const settings = { env: own, timeout: TIMEOUT_SECONDS * 1000, maxBuffer: Number.POSITIVE_INFINITY, ...(signal && { signal }) };
        const { stdout } = await promisify(execFile)("aws", args, settings).catch((error) => {
            throw new Error(`aws ${command.slice(0, 2).join(" ")} in ${region}: ${reason(error)}`, { cause: error });
        });
        return answer.parse(JSON.parse(stdout || "{}"));
    };
    /** The keys never go anywhere but into the environment of further commands. */
    const assume = async ({ region, assumeRole: role }: AwsPlace): Promise<Record<string, string>> => {
        if (!role) return {};
        const { Credentials } = await run(
            region,
            ["sts", "assume-role", "--role-arn", role, "--role-session-name", "clustermesh-doctor"],
            Assumed,
            {},
        );
        const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials;
        return { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey, AWS_SESSION_TOKEN: SessionToken };
    };
    return async (place, command, answer) => {
        const key = `${place.region} ${place.assumeRole ?? ""}`;
        const session = sessions.get(key) ?? assume(place);
        sessions.set(key, session);
        return run(place.region, command, answer, await session);
    };
}

function reason(error: { code?: unknown; killed?: boolean; stderr?: unknown; message?: string }): string {
    if (error.code === "ENOENT")
        return "there is no AWS command line on the PATH; kubeconfigs of EKS need it as well: docs.aws.amazon.com/cli";
    if (error.killed) return `no answer within ${TIMEOUT_SECONDS} s`;
    return String(error.stderr ?? "").trim() || (error.message ?? "it failed");
}

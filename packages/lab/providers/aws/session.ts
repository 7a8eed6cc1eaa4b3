import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedAws } from "../../aws/aws.ts";
import type { EngineLink, ResourceRequest } from "../provider.ts";
import { isProperties, type Properties } from "../values.ts";
import { type AwsApi, backoff, type Pace, withRetries } from "./api.ts";
import type { Context, Tags } from "./definition.ts";

/** Key of the tag on everything that the provider creates; the value is derived from the URN. Hidden from the program. */
export const MARK = "clustermesh-lab:resource";

/** A configured provider: its account and region, and what it has learned during this run. */
export interface Session {
    account: string;
    region: string;
    partition: string;
    principal: string | undefined;
    defaultTags: Tags;
    simulation: Pick<SimulatedAws, "in">;
    engine: Pick<EngineLink, "log">;
    pace: Pace;
    /** Ids that the engine has in its state, by URN. A resource with the URN's mark and another id is unknown to the engine. */
    known: Map<string, Set<string>>;
}

/**
 * Configures a session. Roles in `assumeRoles` are chained: each is assumed with the credentials of the one before.
 *
 * @throws Error without a region, or for a role that cannot be assumed
 */
export async function openSession(
    config: Properties,
    base: Pick<Session, "simulation" | "account" | "pace" | "engine" | "known">,
): Promise<Session> {
    const region = config.region ?? process.env.AWS_REGION;
    if (typeof region !== "string" || region === "") throw new Error("invalid AWS Region: set aws:region, or region on the provider");
    const partition = region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
    const { tags: defaultTags = {} } = (parseNested(config.defaultTags) ?? {}) as { tags?: Tags };
    let session: Session = { ...base, region, partition, principal: undefined, defaultTags };
    const roles = parseNested(config.assumeRoles);
    for (const role of Array.isArray(roles) ? roles : []) {
        if (!isProperties(role) || typeof role.roleArn !== "string") continue;
        const { AssumedRoleUser } = await api(session, AbortSignal.timeout(60_000))
            .sts.assumeRole({
                RoleArn: role.roleArn,
                RoleSessionName: String(role.sessionName ?? "pulumi"),
                ...(typeof role.externalId === "string" && { ExternalId: role.externalId }),
            })
            .catch((error: unknown) => {
                throw new Error(`Cannot assume IAM Role. IAM Role (${role.roleArn}) cannot be assumed: ${String(error)}`, { cause: error });
            });
        session = { ...session, account: role.roleArn.split(":")[4] ?? session.account, principal: AssumedRoleUser.Arn };
    }
    return session;
}

/** The engine sends configuration values that are not strings as JSON text. */
function parseNested(value: Properties[string]): Properties[string] {
    return typeof value === "string" && value !== "" ? (JSON.parse(value) as Properties[string]) : value;
}

/** Records that the engine has this resource in its state, with its id if the request carries one. */
export function rememberId({ known }: Session, urn: string, id?: string): void {
    const ids = known.get(urn) ?? new Set();
    if (id) ids.add(id);
    known.set(urn, ids);
}

export function api(session: Session, signal: AbortSignal): AwsApi {
    const { account, region, principal } = session;
    return withRetries(session.simulation.in({ account, region, principal }), session.pace, signal);
}

/** A value per URN that is valid for every service's tags. */
function markOf(urn: string): string {
    return createHash("sha256").update(urn).digest("hex").slice(0, 32);
}

/** Hexadecimal digits that differ between a resource and its replacement, and are stable across retries of the same create. */
export function uniqueFor({ known }: Session, urn: string, digits: number): string {
    const before = known.get(urn);
    return createHash("sha256")
        .update([urn, ...(before ? ["again", ...before] : [])].join("\n"))
        .digest("hex")
        .slice(0, digits);
}

/** A timeout in the real provider's notation: `10m0s`. */
function duration(seconds: number): string {
    const whole = Math.round(seconds);
    return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${whole % 60}s`;
}

/** @param timeoutSeconds limit of each `waitFor` */
export function contextFor(
    session: Session,
    { urn, name, signal }: ResourceRequest,
    { tags = {}, timeoutSeconds }: { tags?: Tags; timeoutSeconds: number },
): Context {
    const { account, region, partition, pace, engine } = session;
    const mark = { key: MARK, value: markOf(urn) };
    return {
        api: api(session, signal),
        account,
        region,
        partition,
        mark,
        name,
        tags: { ...tags, [mark.key]: mark.value },
        unique: (digits) => uniqueFor(session, urn, digits),
        waitFor: async (what, target, fetchState) => {
            const deadline = Date.now() + timeoutSeconds * 1000;
            let logged: string | undefined;
            for (let attempt = 1; ; attempt++) {
                const state = await fetchState();
                if (state === undefined) return;
                if (Date.now() > deadline)
                    throw new Error(
                        `timeout while waiting for state to become '${target}' (last state: '${state}', timeout: ${duration(timeoutSeconds)})`,
                    );
                if (state !== logged) await engine.log("info", `waiting for ${what} to become ${target} (${state})`, { urn, status: true });
                logged = state;
                await sleep(backoff(pace, attempt), undefined, { signal });
            }
        },
    };
}

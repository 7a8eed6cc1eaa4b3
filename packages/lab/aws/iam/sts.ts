import { AwsError } from "../error.ts";
import type { Scope } from "../scope.ts";
import { covers, parseTrustPolicy, type Statement } from "./policy-document.ts";
import { roleByArn, roles } from "./tables.ts";

/** Simulated STS: the caller's identity, and the roles that it may assume. To call as an assumed role, pass its `AssumedRoleUser.Arn` as `Caller.principal`. */
export const sts = (scope: Scope) => ({
    getCallerIdentity: () => ({ Account: scope.account, Arn: scope.principal, UserId: userId(scope) }),

    assumeRole: (request: { RoleArn: string; RoleSessionName: string; ExternalId?: string; DurationSeconds?: number }) => {
        const { RoleArn, RoleSessionName, ExternalId, DurationSeconds = 3600 } = request;
        if (!/^[\w+=,.@-]{2,64}$/.test(RoleSessionName))
            throw new AwsError(
                "ValidationError",
                `1 validation error detected: Value '${RoleSessionName}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*`,
            );
        const account = /^arn:[a-z-]+:iam::(\d{12}):role\/.+$/.exec(RoleArn)?.[1];
        if (!account) throw new AwsError("ValidationError", `${RoleArn} is invalid`);
        const role = roleByArn(scope.at({ account, region: scope.region }), RoleArn);
        // Like AWS, return the same error for a missing role and for one that does not trust the caller.
        if (!role || !parseTrustPolicy(role.trust).some((statement) => trusts(statement, scope, ExternalId)))
            throw new AwsError(
                "AccessDenied",
                `User: ${scope.principal} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
                403,
            );
        if (DurationSeconds < 900 || DurationSeconds > role.MaxSessionDuration)
            throw new AwsError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        return {
            Credentials: {
                AccessKeyId: `ASIA${scope.hex(16).toUpperCase()}`,
                SecretAccessKey: `simulated-${scope.hex(30)}`,
                SessionToken: `simulated-${scope.hex(32)}`,
                Expiration: new Date(scope.now.getTime() + DurationSeconds * 1000).toISOString(),
            },
            AssumedRoleUser: {
                Arn: `arn:${scope.partition}:sts::${account}:assumed-role/${role.RoleName}/${RoleSessionName}`,
                AssumedRoleId: `${role.RoleId}:${RoleSessionName}`,
            },
        };
    },
});

function trusts({ allow, principals, actions, conditions }: Statement, scope: Scope, externalId: string | undefined): boolean {
    const trusted = principals.some(
        ({ kind, name }) =>
            kind === "AWS" &&
            (name === "*" ||
                name === scope.account ||
                name === `arn:${scope.partition}:iam::${scope.account}:root` ||
                name === scope.principal ||
                name === sessionRole(scope)),
    );
    return allow && trusted && covers(actions, "sts:AssumeRole") && conditionsHold(conditions, externalId);
}

/** Whether all conditions hold. Only `sts:ExternalId` is supported: any other condition fails. */
function conditionsHold(conditions: Statement["conditions"], externalId: string | undefined): boolean {
    return Object.entries(conditions).every(
        ([operator, keys]) =>
            operator === "StringEquals" &&
            Object.entries(keys).every(
                ([key, values]) => key === "sts:ExternalId" && externalId !== undefined && values.includes(externalId),
            ),
    );
}

/** ARN of the role whose session is calling. */
function sessionRole(scope: Scope): string | undefined {
    const name = /:assumed-role\/([^/]+)\//.exec(scope.principal)?.[1];
    return name === undefined ? undefined : roles.in(scope).get(name)?.Arn;
}

function userId(scope: Scope): string {
    const [, name, session] = /:assumed-role\/([^/]+)\/(.+)$/.exec(scope.principal) ?? [];
    if (name === undefined)
        return scope.principal.endsWith(":root") ? scope.account : `AIDA${scope.principal.split("/").at(-1)?.toUpperCase()}`;
    return `${roles.in(scope).get(name)?.RoleId ?? "AROA"}:${session}`;
}

import { AwsError } from "../error.ts";

/** A statement of a policy document, with every single value as a list. */
export interface Statement {
    allow: boolean;
    /** Kind (`AWS`, `Service`, `Federated`) and name. Only in trust and resource policies. */
    principals: { kind: string; name: string }[];
    actions: string[];
    /** Operator → key → values. */
    conditions: Record<string, Record<string, string[]>>;
}

/**
 * Parses the trust policy of a role.
 *
 * @throws AwsError as IAM does if it is malformed
 */
export function parseTrustPolicy(text: string): Statement[] {
    return parse(text, (statement) => {
        if ("Resource" in statement || "NotResource" in statement) throw malformed("Has prohibited field Resource");
        if (!("Principal" in statement || "NotPrincipal" in statement)) throw malformed("Missing required field Principal");
        for (const action of list(statement.Action))
            if (!/^(\*|sts:[A-Za-z*]+)$/.test(action)) throw malformed("AssumeRole policy may only specify STS AssumeRole actions.");
    });
}

/**
 * Parses an identity-based policy.
 *
 * @throws AwsError as IAM does if it is malformed
 */
export function parseIdentityPolicy(text: string): Statement[] {
    return parse(text, (statement) => {
        if ("Principal" in statement) throw malformed("Policy document should not specify a principal.");
        if (!("Resource" in statement || "NotResource" in statement)) throw malformed("Policy statement must contain resources.");
    });
}

/**
 * Parses a resource-based policy, such as a KMS key policy.
 *
 * @throws AwsError as IAM does if it is malformed
 */
export function parseResourcePolicy(text: string): Statement[] {
    return parse(text, (statement) => {
        if (!("Principal" in statement)) throw malformed("Policy statement must contain principals.");
    });
}

/** Whether one of `patterns` matches an action. IAM ignores case in actions. */
export function covers(patterns: readonly string[], action: string): boolean {
    return patterns.some((pattern) => {
        const text = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
        return new RegExp(`^${text.replaceAll("?", ".")}$`, "i").test(action);
    });
}

type JsonObject = Record<string, unknown>;

function parse(text: string, check: (statement: JsonObject) => void): Statement[] {
    let document: unknown;
    try {
        document = JSON.parse(text);
    } catch {
        throw malformed("This policy contains invalid Json");
    }
    if (!isObject(document)) throw malformed("Syntax errors in policy.");
    const { Version, Statement } = document;
    if (Version !== undefined && Version !== "2012-10-17" && Version !== "2008-10-17") throw malformed("Syntax errors in policy.");
    const statements = Array.isArray(Statement) ? Statement : [Statement];
    if (statements.length === 0 || !statements.every(isObject)) throw malformed("Syntax errors in policy.");
    return statements.map((statement) => {
        if (statement.Effect !== "Allow" && statement.Effect !== "Deny") throw malformed("Syntax errors in policy.");
        if (!("Action" in statement || "NotAction" in statement)) throw malformed("Missing required field Action");
        check(statement);
        return {
            allow: statement.Effect === "Allow",
            principals: principalsOf(statement.Principal),
            actions: list(statement.Action),
            conditions: conditionsOf(statement.Condition),
        };
    });
}

function principalsOf(value: unknown): Statement["principals"] {
    if (value === undefined) return [];
    if (value === "*") return [{ kind: "AWS", name: "*" }];
    if (!isObject(value)) throw malformed("Syntax errors in policy.");
    return Object.entries(value).flatMap(([kind, names]) => {
        if (!["AWS", "Service", "Federated", "CanonicalUser"].includes(kind)) throw malformed(`Invalid principal in policy: "${kind}"`);
        return list(names).map((name) => {
            if (!principalFits(kind, name)) throw malformed(`Invalid principal in policy: "${kind}":"${name}"`);
            return { kind, name };
        });
    });
}

function principalFits(kind: string, name: string): boolean {
    if (kind === "AWS") return /^(\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role)\/.+))$/.test(name);
    if (kind === "Service") return /^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$/.test(name);
    return true;
}

function conditionsOf(value: unknown): Statement["conditions"] {
    if (value === undefined) return {};
    if (!isObject(value) || !Object.values(value).every(isObject)) throw malformed("Syntax errors in policy.");
    const all = Object.entries(value) as [string, JsonObject][];
    return Object.fromEntries(
        all.map(([operator, keys]) => [operator, Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, list(values)]))]),
    );
}

function list(value: unknown): string[] {
    return (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(String);
}

function isObject(value: unknown): value is JsonObject {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(message: string): AwsError {
    return new AwsError("MalformedPolicyDocument", message);
}

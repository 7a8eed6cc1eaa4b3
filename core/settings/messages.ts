import { z } from "zod";
import { quotedList } from "../text/list.ts";
import { nearest } from "../text/suggest.ts";
import { ClusterSchema } from "./cluster-schema.ts";
import { MeshSchema } from "./mesh-schema.ts";

const TYPES: Record<string, string> = { int: "an integer", array: "a list", object: "a map", record: "a map" };

/** Zod's own findings in words that continue the name of a setting. Schemas with a message of their own do not reach this. */
export function plainMessage(issue: z.core.$ZodRawIssue): string {
    switch (issue.code) {
        case "invalid_type":
            return `must be ${TYPES[issue.expected] ?? `a ${issue.expected}`}`;
        case "invalid_value":
            return `must be ${quotedList(issue.values)}`;
        case "invalid_key":
            return "must have a valid key (1 to 128 characters)";
        case "too_small":
            if (issue.minimum === 1 && issue.origin !== "number" && issue.origin !== "int") return "must not be empty";
            return `must ${limit(issue.origin, `at least ${issue.minimum}`)}`;
        case "too_big":
            return `must ${limit(issue.origin, `at most ${issue.maximum}`)}`;
        default:
            return `must be valid (${issue.code})`;
    }
}

function limit(origin: string, bound: string): string {
    if (origin === "string") return `have ${bound} characters`;
    return origin === "array" ? `have ${bound} entries` : `be ${bound}`;
}

/**
 * The problems of an issue, each with the setting's name and value, and what to do.
 *
 * @param raw the value of `clustermesh:stack`
 */
export function describeIssue(issue: z.core.$ZodIssue, raw: unknown): string[] {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, issue.path, raw));
    const value = issue.path.reduce<unknown>((parent, key) => (parent as Record<PropertyKey, unknown> | undefined)?.[key], raw);
    const name = settingName(issue.path) || "clustermesh:stack";
    // Zod says of a missing or wrong kind only that no schema of the union matches.
    const message = name === "kind" ? `must be ${quotedList(["cluster", "mesh"])}` : issue.message;
    return [
        value === undefined
            ? `${name} is required${name === "kind" ? ` and ${message}` : ""}`
            : `${name} ${message}; got ${JSON.stringify(value)}`,
    ];
}

function unknownKey(key: string, parents: readonly PropertyKey[], raw: unknown): string {
    const schema = (raw as { kind?: unknown }).kind === "mesh" ? MeshSchema : ClusterSchema;
    const similar = nearest(key, keysAt(schema, parents));
    const suggestion = similar === undefined ? "" : `did you mean ${settingName([...parents, similar])}? `;
    return `unknown key "${settingName([...parents, key])}": ${suggestion}docs/configuration.md lists all settings`;
}

/** The keys of the object at `path`. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
    if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
        return keysAt(schema.unwrap(), path);
    if (!(schema instanceof z.ZodObject)) return [];
    const [key, ...rest] = path;
    const inner = key === undefined ? undefined : schema.shape[String(key)];
    return inner ? keysAt(inner, rest) : Object.keys(schema.shape);
}

/** "nodeGroup.instanceTypes[0]" */
function settingName(path: readonly PropertyKey[]): string {
    return path.map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`)).join("");
}

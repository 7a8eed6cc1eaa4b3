import { isProperties, type Properties, plain, Secret, same, type Value } from "./values.ts";

/** How a property differs. */
export type Change = "add" | "delete" | "update";

/** The differences between a resource and the program's inputs. */
export interface Diff {
    changes: boolean;
    /** By property path, such as `metadata.labels["a.b"]` or `subnets[0]`. */
    detailed: Record<string, Change>;
    /** The paths that require a replacement. */
    replaces: string[];
    /** Delete the old resource before the replacement is created, because both cannot exist at once. */
    deleteBeforeReplace?: boolean;
    /** Outputs that this change keeps. Without it, dependents of a replaced resource see all outputs as unknown in a preview. */
    stables?: string[];
}

/** Which top-level properties require a replacement: only these, or all but these. */
type ReplaceRule = { only: readonly string[] } | { allBut: readonly string[] };

/** Compares inputs by property. Lists are compared element by element. */
export function diffInputs(olds: Properties, news: Properties, replace: ReplaceRule = { only: [] }, ignore: readonly string[] = []): Diff {
    const detailed: Record<string, Change> = {};
    const replaces: string[] = [];
    for (const key of new Set([...Object.keys(olds), ...Object.keys(news)])) {
        if (key.startsWith("__") || ignore.includes(key)) continue;
        for (const [path, change] of changesAt(propertyPath([key]), olds[key], news[key])) {
            detailed[path] = change;
            const replacing = "only" in replace ? replace.only.includes(key) : !replace.allBut.includes(key);
            if (replacing) replaces.push(path);
        }
    }
    return { changes: Object.keys(detailed).length > 0, detailed, replaces };
}

function changesAt(path: string, oldValue: Value | undefined, newValue: Value | undefined): [string, Change][] {
    const [a, b] = [unmarked(oldValue), unmarked(newValue)];
    if (same(a, b)) return [];
    if (a === undefined || a === null) return b === undefined || b === null ? [] : [[path, "add"]];
    if (b === undefined || b === null) return [[path, "delete"]];
    if (isProperties(a) && isProperties(b))
        return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => changesAt(`${path}${segment(key)}`, a[key], b[key]));
    if (Array.isArray(a) && Array.isArray(b))
        return Array.from({ length: Math.max(a.length, b.length) }).flatMap((_, i) => changesAt(`${path}[${i}]`, a[i], b[i]));
    return [[path, "update"]];
}

function unmarked(value: Value | undefined): Value | undefined {
    return value instanceof Secret ? plain(value) : value;
}

/** A property path in the engine's notation. */
export function propertyPath(path: readonly (string | number)[]): string {
    return path
        .map((part) => (typeof part === "number" ? `[${part}]` : segment(part)))
        .join("")
        .replace(/^\./, "");
}

function segment(key: string): string {
    // Unquoted, a dot in a key would be read as a separator.
    return /[."[\]]/.test(key) ? `["${key.replaceAll('"', '\\"')}"]` : `.${key}`;
}

import { isProperties, type Properties, plain, Secret, same, type Value } from "./values.ts";

/** What became of one property. */
export type Change = "add" | "delete" | "update";

/** What differs between a resource and what the program wants. */
export interface Diff {
    changes: boolean;
    /** By property path, such as `metadata.labels["a.b"]` or `subnets[0]`. */
    detailed: Record<string, Change>;
    /** The paths among them for which the resource must be made anew. */
    replaces: string[];
    /** The old one goes before the new one comes: both cannot be there at once. */
    deleteBeforeReplace?: boolean;
    /** Outputs that this change leaves as they are; without it a preview shows all outputs as unknown to dependents of a replaced resource. */
    stables?: string[];
}

export const NO_DIFF: Diff = { changes: false, detailed: {}, replaces: [] };

/** Which changes replace: the properties (top-level names) that do, or all but some. */
export type ReplaceRule = { only: readonly string[] } | { allBut: readonly string[] };

/** Compares inputs, as most providers do. Lists that hold the same values differ only where they do. */
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

function changesAt(path: string, old: Value | undefined, wanted: Value | undefined): [string, Change][] {
    const [a, b] = [unmarked(old), unmarked(wanted)];
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

/** The path's text, as the engine reads it. */
export function propertyPath(path: readonly (string | number)[]): string {
    return path
        .map((part) => (typeof part === "number" ? `[${part}]` : segment(part)))
        .join("")
        .replace(/^\./, "");
}

function segment(key: string): string {
    // A dot within a name would be read as two names.
    return /[."[\]]/.test(key) ? `["${key.replaceAll('"', '\\"')}"]` : `.${key}`;
}

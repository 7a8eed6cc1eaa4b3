export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Tree = { [key: string]: Json };

/** Values by field path, with `|` between the parts. A list is one field. */
type Fields = Map<string, Json>;

/** An entry of managedFields. */
export interface Managed {
    manager: string;
    operation: string;
    fields: Set<string>;
}

/** Fields that no manager owns. */
const UNMANAGED = ["apiVersion", "kind", "status", "metadata|uid", "metadata|resourceVersion", "metadata|managedFields"];

export function fieldsOf(object: Tree): Fields {
    const fields: Fields = new Map();
    const walk = (value: Tree, path: string[]) => {
        for (const [key, inner] of Object.entries(value)) {
            const innerPath = [...path, key];
            if (UNMANAGED.includes(innerPath.join("|"))) continue;
            if (isTree(inner)) walk(inner, innerPath);
            else fields.set(innerPath.join("|"), inner);
        }
    };
    walk(object, []);
    return fields;
}

function objectOf(fields: Fields): Tree {
    const object: Tree = {};
    for (const [path, value] of fields) {
        const parts = path.split("|");
        const last = parts.pop() ?? "";
        let parent = object;
        for (const part of parts) {
            parent[part] ??= {};
            parent = parent[part] as Tree;
        }
        parent[last] = value;
    }
    return object;
}

interface Apply {
    live: Tree | undefined;
    managed: readonly Managed[];
    wanted: Tree;
    manager: string;
    force: boolean;
}

/** Server-side apply: the merged object and its managers, or the conflicts that prevent it. */
export function serverSideApply({ live, managed, wanted, manager, force }: Apply): {
    conflicts: string[];
    object: Tree;
    managed: Managed[];
} {
    const fields = fieldsOf(wanted);
    const liveFields = live ? fieldsOf(live) : new Map<string, Json>();
    const isOwn = (entry: Managed) => entry.manager === manager && entry.operation === "Apply";
    const others = managed.filter((entry) => !isOwn(entry));
    const differing = [...fields].filter(
        ([path, value]) => liveFields.has(path) && JSON.stringify(liveFields.get(path)) !== JSON.stringify(value),
    );
    const conflicts = others.flatMap((other) =>
        differing.filter(([path]) => other.fields.has(path)).map(([path]) => `${other.manager}: .${path}`),
    );
    if (conflicts.length > 0 && !force) return { conflicts, object: live ?? {}, managed: [...managed] };
    for (const other of others) for (const [path] of differing) other.fields.delete(path);
    const ownFields = managed.find(isOwn)?.fields ?? new Set();
    const isReleased = (path: string) => ownFields.has(path) && !fields.has(path) && !others.some((other) => other.fields.has(path));
    const merged = new Map([...liveFields].filter(([path]) => !isReleased(path)));
    for (const [path, value] of fields) merged.set(path, value);
    const own = { manager, operation: "Apply", fields: new Set(fields.keys()) };
    return { conflicts: [], object: objectOf(merged), managed: [...others, ...(fields.size > 0 ? [own] : [])] };
}

/** JSON merge patch (RFC 7386). */
export function mergePatch(old: Tree, patch: Tree): Tree {
    const result = { ...old };
    for (const [key, value] of Object.entries(patch)) {
        const current = result[key];
        if (value === null) delete result[key];
        else if (isTree(current) && isTree(value)) result[key] = mergePatch(current, value);
        else result[key] = value;
    }
    return result;
}

function isTree(value: Json | undefined): value is Tree {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

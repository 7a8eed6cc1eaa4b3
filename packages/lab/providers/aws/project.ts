import { isProperties, type Properties, same, Unknown, type Value } from "../values.ts";

/** Inputs that are maps of the program's own keys: a key that appears in one by itself is drift, unlike a property that the program never set. */
const MAPS = new Set(["tags", "labels"]);

/** What `wanted` would have to be for a resource to be as it is: only what the program said is asked for, in the program's own spelling where that is as good. */
export function projected(wanted: Properties, actual: Properties): Properties {
    return Object.fromEntries(
        Object.keys(wanted).map((key) => {
            const value = actual[key];
            return [key, MAPS.has(key) ? (value ?? {}) : projectedValue(wanted[key], value)];
        }),
    );
}

function projectedValue(wanted: Value | undefined, actual: Value | undefined): Value | undefined {
    if (wanted instanceof Unknown) return actual;
    if (isProperties(wanted) && isProperties(actual)) return projected(wanted, actual);
    if (Array.isArray(wanted) && Array.isArray(actual)) return projectedList(wanted, actual);
    return sameText(wanted, actual) ? wanted : actual;
}

/** AWS keeps sets and tells them in any order. */
function projectedList(wanted: Value[], actual: Value[]): Value[] {
    const left = [...actual];
    const kept = wanted.flatMap((one) => {
        const at = left.findIndex((other) => same(projectedValue(one, other), one));
        return at < 0 ? [] : [projectedValue(one, left.splice(at, 1)[0]) ?? null];
    });
    return [...kept, ...left.map((other, i) => projectedValue(wanted[kept.length + i] ?? wanted[0], other) ?? null)];
}

/** Policies are the same if they say the same: AWS does not keep their white space. Numbers may be written as strings. */
function sameText(wanted: Value | undefined, actual: Value | undefined): boolean {
    if (typeof wanted === "string" && typeof actual === "string" && /^\s*[{[]/.test(wanted)) {
        try {
            return same(JSON.parse(wanted), JSON.parse(actual));
        } catch {
            return false;
        }
    }
    const isScalar = (value: Value | undefined) => ["string", "number", "boolean"].includes(typeof value);
    return isScalar(wanted) && isScalar(actual) && String(wanted) === String(actual);
}

/** `properties` with `value` at a path such as `vpcConfig.vpcId`, where there is nothing yet. */
export function filled(properties: Properties, path: string, value: Value): Properties {
    const [key = "", ...rest] = path.split(".");
    const inner = properties[key];
    if (rest.length === 0) return inner === undefined ? { ...properties, [key]: value } : properties;
    if (inner === undefined) return { ...properties, [key]: value };
    return isProperties(inner) ? { ...properties, [key]: filled(inner, rest.join("."), value) } : properties;
}

/** Whether a change at `path` lies within one of `roots`: `vpcConfig.subnetIds[0]` within `vpcConfig.subnetIds`. */
export function isWithin(path: string, roots: readonly string[]): boolean {
    return roots.some((root) => path === root || path.startsWith(`${root}.`) || path.startsWith(`${root}[`));
}

import { isProperties, type Properties, same, Unknown, type Value } from "../values.ts";

/** Inputs whose keys the program chooses. A key that appears in one of them is drift; a property that the program never set is not. */
const MAPS = new Set(["tags", "labels"]);

/**
 * The inputs that would produce a resource's actual state. Contains only properties that the program sets, in the program's own spelling where both spellings
 * mean the same.
 */
export function projectInputs(inputs: Properties, actual: Properties): Properties {
    return Object.fromEntries(
        Object.keys(inputs).map((key) => {
            const value = actual[key];
            return [key, MAPS.has(key) ? (value ?? {}) : projectValue(inputs[key], value)];
        }),
    );
}

function projectValue(input: Value | undefined, actual: Value | undefined): Value | undefined {
    if (input instanceof Unknown) return actual;
    if (isProperties(input) && isProperties(actual)) return projectInputs(input, actual);
    if (Array.isArray(input) && Array.isArray(actual)) return projectList(input, actual);
    return hasSameText(input, actual) ? input : actual;
}

/** AWS treats lists as sets and returns them in any order: keeps the program's order. */
function projectList(inputs: Value[], actual: Value[]): Value[] {
    const remaining = [...actual];
    const matched = inputs.flatMap((input) => {
        const index = remaining.findIndex((value) => same(projectValue(input, value), input));
        return index < 0 ? [] : [projectValue(input, remaining.splice(index, 1)[0]) ?? null];
    });
    return [...matched, ...remaining.map((value, i) => projectValue(inputs[matched.length + i] ?? inputs[0], value) ?? null)];
}

/** Policy documents are equal if their JSON is equal, because AWS does not keep white space. Numbers may be written as strings. */
function hasSameText(input: Value | undefined, actual: Value | undefined): boolean {
    if (typeof input === "string" && typeof actual === "string" && /^\s*[{[]/.test(input)) {
        try {
            return same(JSON.parse(input), JSON.parse(actual));
        } catch {
            return false;
        }
    }
    const isScalar = (value: Value | undefined) => ["string", "number", "boolean"].includes(typeof value);
    return isScalar(input) && isScalar(actual) && String(input) === String(actual);
}

/** `properties` with `value` at a path such as `vpcConfig.vpcId`, unless the path already has a value. */
export function fillPath(properties: Properties, path: string, value: Value): Properties {
    const [key = "", ...rest] = path.split(".");
    const inner = properties[key];
    if (rest.length === 0) return inner === undefined ? { ...properties, [key]: value } : properties;
    if (inner === undefined) return { ...properties, [key]: value };
    return isProperties(inner) ? { ...properties, [key]: fillPath(inner, rest.join("."), value) } : properties;
}

/** Whether `path` is one of `roots` or lies below one: `vpcConfig.subnetIds[0]` is within `vpcConfig.subnetIds`. */
export function isWithin(path: string, roots: readonly string[]): boolean {
    return roots.some((root) => path === root || path.startsWith(`${root}.`) || path.startsWith(`${root}[`));
}

/** A property value: plain JSON, plus unknowns, secrets and resource references. */
export type Value = null | boolean | number | string | Value[] | Properties | Secret | Unknown | Reference;

/** The properties of a resource, by name. */
export interface Properties {
    [key: string]: Value | undefined;
}

/** A value that is not known in a preview. */
export class Unknown {
    readonly unknown = true;
}

/** The only instance needed, because unknown values cannot be distinguished. */
export const UNKNOWN = new Unknown();

/** A value that the engine encrypts in the state. */
export class Secret {
    readonly value: Value;
    constructor(value: Value) {
        this.value = value;
    }
}

/** A resource passed as a value. */
export class Reference {
    readonly urn: string;
    readonly id: Value;
    readonly packageVersion: string;
    constructor(urn: string, id: Value, packageVersion: string) {
        this.urn = urn;
        this.id = id;
        this.packageVersion = packageVersion;
    }
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";
const REFERENCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e";
const OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** The engine's placeholders for an unknown string, boolean, number, array, asset, archive and object, in this order. */
const UNKNOWNS = new Set([
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);
const [UNKNOWN_STRING] = UNKNOWNS;

/** Converts a value from a protobuf Struct. */
export function fromWire(wire: unknown): Value {
    if (typeof wire === "string") return UNKNOWNS.has(wire) ? UNKNOWN : wire;
    if (Array.isArray(wire)) return wire.map(fromWire);
    if (typeof wire !== "object" || wire === null) return wire as Value;
    const object = wire as Record<string, unknown>;
    switch (object[SIGNATURE]) {
        case undefined:
            return propertiesFromWire(object);
        case SECRET_SIGNATURE:
            return new Secret(fromWire(object.value));
        case REFERENCE_SIGNATURE:
            return new Reference(String(object.urn), fromWire(object.id ?? null), String(object.packageVersion ?? ""));
        case OUTPUT_SIGNATURE: {
            const value = "value" in object ? fromWire(object.value) : UNKNOWN;
            return object.secret === true ? new Secret(value) : value;
        }
        default:
            // Assets and archives pass through unchanged.
            return propertiesFromWire(object);
    }
}

export function propertiesFromWire(wire: Record<string, unknown>): Properties {
    return Object.fromEntries(Object.entries(wire).map(([key, value]) => [key, fromWire(value)]));
}

/** Converts a value for a protobuf Struct. Undefined properties are left out, because a Struct has no such value. */
export function toWire(value: Value): unknown {
    if (value instanceof Unknown) return UNKNOWN_STRING;
    if (value instanceof Secret) return { [SIGNATURE]: SECRET_SIGNATURE, value: toWire(value.value) };
    if (value instanceof Reference)
        return {
            [SIGNATURE]: REFERENCE_SIGNATURE,
            urn: value.urn,
            ...(value.id !== null && { id: toWire(value.id) }),
            packageVersion: value.packageVersion,
        };
    if (Array.isArray(value)) return value.map(toWire);
    return isProperties(value) ? propertiesToWire(value) : value;
}

export function propertiesToWire(properties: Properties): Record<string, unknown> {
    return Object.fromEntries(
        Object.entries(properties).flatMap(([key, value]) => (value === undefined ? [] : [[key, toWire(value)] as const])),
    );
}

export function isProperties(value: Value | undefined): value is Properties {
    return (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        !(value instanceof Secret || value instanceof Unknown || value instanceof Reference)
    );
}

/** The value without secret marks. */
export function plain(value: Value): Value {
    if (value instanceof Secret) return plain(value.value);
    if (Array.isArray(value)) return value.map(plain);
    return isProperties(value) ? plainProperties(value) : value;
}

export function plainProperties(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, value === undefined ? value : plain(value)]));
}

export function hasUnknowns(value: Value | undefined): boolean {
    return contains(value, (inner) => inner instanceof Unknown);
}

export function hasSecrets(value: Value | undefined): boolean {
    return contains(value, (inner) => inner instanceof Secret);
}

function contains(value: Value | undefined, matches: (value: Value) => boolean): boolean {
    if (value === undefined) return false;
    if (matches(value)) return true;
    if (value instanceof Secret) return contains(value.value, matches);
    if (Array.isArray(value)) return value.some((inner) => contains(inner, matches));
    return isProperties(value) && Object.values(value).some((inner) => contains(inner, matches));
}

/**
 * `properties` with the secret marks of `marked`, matched by name. Recurses into objects; any other value that contains a secret is marked as a whole, because
 * list elements may have moved. The engine does the same for providers without secret support, and so do providers with it.
 */
export function markLike(properties: Properties, marked: Properties | undefined): Properties {
    if (!marked) return properties;
    return Object.fromEntries(
        Object.entries(properties).map(([key, value]) => {
            const like = marked[key];
            if (value === undefined || like === undefined || value instanceof Secret) return [key, value];
            if (isProperties(value) && isProperties(like)) return [key, markLike(value, like)];
            if (isProperties(value) && like instanceof Secret) return [key, new Secret(value)];
            return [key, hasSecrets(like) ? new Secret(value) : value];
        }),
    );
}

/** `properties` with these top-level properties marked as secret. */
export function markKeys(properties: Properties, keys: readonly string[]): Properties {
    return Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [
            key,
            value === undefined || value instanceof Secret || !keys.includes(key) ? value : new Secret(value),
        ]),
    );
}

/** Whether two values are equal, ignoring secret marks. An unknown equals nothing, not even another unknown. */
export function same(a: Value | undefined, b: Value | undefined): boolean {
    if (a instanceof Secret) return same(a.value, b);
    if (b instanceof Secret) return same(a, b.value);
    if (a instanceof Unknown || b instanceof Unknown) return false;
    if (a instanceof Reference && b instanceof Reference) return a.urn === b.urn && same(a.id, b.id);
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => same(value, b[i]));
    if (isProperties(a) && isProperties(b)) {
        const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
        return [...keys].every((key) => same(a[key], b[key]));
    }
    return a === b;
}

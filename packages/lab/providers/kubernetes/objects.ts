import { isProperties, markLike, type Properties, Secret, type Value } from "../values.ts";

/** A Kubernetes object, as JSON has it. */
export type KubernetesObject = Properties;

/** What a type token names: `kubernetes:apps/v1:DaemonSetPatch`. */
export interface ObjectType {
    apiVersion: string;
    kind: string;
    /** Changes fields of an object that is somebody else's. */
    patch: boolean;
}

export function objectType(token: string): ObjectType | undefined {
    const [pkg, group, name = ""] = token.split(":");
    if (pkg !== "kubernetes" || !group || group === "helm.sh/v3" || group === "helm.sh/v4" || group === "yaml" || group === "kustomize")
        return undefined;
    const patch = name.endsWith("Patch");
    return { apiVersion: group.replace(/^core\//, ""), kind: patch ? name.slice(0, -"Patch".length) : name, patch };
}

export function metadataOf(object: KubernetesObject): Properties {
    return isProperties(object.metadata) ? object.metadata : {};
}

export function nameOf(object: KubernetesObject): string {
    return String(metadataOf(object).name ?? "");
}

export function namespaceOf(object: KubernetesObject): string {
    return String(metadataOf(object).namespace ?? "");
}

export function annotation(object: KubernetesObject, key: string): string | undefined {
    const { annotations } = metadataOf(object);
    const value = isProperties(annotations) ? annotations[key] : undefined;
    return typeof value === "string" ? value : undefined;
}

/** The engine's name of an object. */
export function idOf(object: KubernetesObject): string {
    const [namespace, name] = [namespaceOf(object), nameOf(object)];
    return namespace ? `${namespace}/${name}` : name;
}

export function parseId(id: string): { namespace: string; name: string } {
    const [first = "", second] = id.split("/");
    return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

/** `live` in the shape of `shape`: what others have added is left out. Lists are matched by index. */
export function prune(live: Properties, shape: Properties): Properties {
    return Object.fromEntries(
        Object.entries(live).flatMap(([key, value]) =>
            value === undefined || !(key in shape) ? [] : [[key, pruneValue(value, shape[key])]],
        ),
    );
}

function pruneValue(value: Value, shape: Value | undefined): Value {
    if (isProperties(value) && isProperties(shape)) return prune(value, shape);
    if (Array.isArray(value) && Array.isArray(shape)) return value.slice(0, shape.length).map((one, i) => pruneValue(one, shape[i]));
    return value;
}

/** Inputs as the API server will have them: a Secret's `stringData` as `data`, nothing that only a server sets. Quantities stay as they are written. */
export function normalized(inputs: KubernetesObject): KubernetesObject {
    const { stringData, ...rest } = inputs;
    const object =
        inputs.kind === "Secret" && isProperties(stringData)
            ? { ...rest, data: { ...asProperties(rest.data), ...encoded(stringData) } }
            : inputs;
    return isProperties(object.metadata) ? { ...object, metadata: without(object.metadata, SERVER_SET) } : object;
}

const SERVER_SET = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/** What a program would write to have a live object: everything that no server sets. */
export function asInputs(live: KubernetesObject): KubernetesObject {
    const { status: _, ...rest } = live;
    return { ...rest, metadata: without(metadataOf(live), SERVER_SET) };
}

function encoded(stringData: Properties): Properties {
    return Object.fromEntries(
        Object.entries(stringData).map(([key, value]) => [key, typeof value === "string" ? Buffer.from(value).toString("base64") : value]),
    );
}

function asProperties(value: Value | undefined): Properties {
    return isProperties(value) ? value : {};
}

function without(properties: Properties, keys: readonly string[]): Properties {
    return Object.fromEntries(Object.entries(properties).filter(([key]) => !keys.includes(key)));
}

/** A Secret's data is secret, whether the program has said so or not. */
export function markSecretData(object: KubernetesObject): KubernetesObject {
    if (object.kind !== "Secret") return object;
    const mark = (value: Value | undefined) => (value === undefined || value instanceof Secret ? value : new Secret(value));
    return {
        ...object,
        ...("data" in object && { data: mark(object.data) }),
        ...("stringData" in object && { stringData: mark(object.stringData) }),
    };
}

/** What the state holds of an object: all that is live, with the inputs that made it so, and who applied them. */
export function checkpoint(inputs: KubernetesObject, live: KubernetesObject, fieldManager: string, marked: Properties) {
    return {
        ...markSecretData(live),
        __inputs: markSecretData(markLike(inputs, marked)),
        __initialApiVersion: inputs.apiVersion,
        __fieldManager: fieldManager,
    };
}

export function parseCheckpoint(state: Properties): { inputs: KubernetesObject; live: KubernetesObject } {
    const { __inputs, __initialApiVersion: _, __fieldManager: __, ...live } = state;
    return { inputs: isProperties(__inputs) ? __inputs : {}, live };
}

/** Entries of managedFields that the first server-side apply takes over, so that what is no longer applied is removed: those of the create before it. */
const CREATORS = ["pulumi-kubernetes", "pulumi-resource-kubernetes", "before-first-apply"];

/**
 * `managedFields` after the fields that `Create` set have passed to the manager that applies from now on; undefined if there are none. Without it a field that
 * leaves the program would stay in the object: its creator would still own it.
 */
export function adoptedManagers(live: KubernetesObject, fieldManager: string): Value[] | undefined {
    const { managedFields } = metadataOf(live);
    if (!Array.isArray(managedFields)) return undefined;
    const created = (entry: Value) =>
        isProperties(entry) && entry.operation === "Update" && !entry.subresource && CREATORS.includes(String(entry.manager));
    const taken = managedFields.filter(created);
    if (taken.length === 0) return undefined;
    const own = (entry: Value) =>
        isProperties(entry) && entry.operation === "Apply" && entry.manager === fieldManager && !entry.subresource;
    const parts = [...taken, ...managedFields.filter(own)].filter(isProperties);
    const merged = parts.reduce<Properties>((all, { fieldsV1 }) => union(all, asProperties(fieldsV1)), {});
    const adopted = { ...parts[0], manager: fieldManager, operation: "Apply", fieldsV1: merged };
    return [...managedFields.filter((entry) => !created(entry) && !own(entry)), adopted];
}

function union(a: Properties, b: Properties): Properties {
    const merged = { ...a };
    for (const [key, value] of Object.entries(b)) {
        const mine = merged[key];
        merged[key] = isProperties(mine) && isProperties(value) ? union(mine, value) : value;
    }
    return merged;
}

/** The object without anything: applied by a manager, it gives up all that this one had. */
export function identity(object: KubernetesObject): KubernetesObject {
    const namespace = namespaceOf(object);
    return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: nameOf(object), ...(namespace && { namespace }) } };
}

import { isProperties, markLike, type Properties, Secret, type Value } from "../values.ts";

/** A Kubernetes object in JSON form. */
export type KubernetesObject = Properties;

/** The object type of a token such as `kubernetes:apps/v1:DaemonSetPatch`. */
export interface ObjectType {
    apiVersion: string;
    kind: string;
    /** Whether the resource patches fields of an object that it does not own. */
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

/** The resource id of an object: `namespace/name`, or `name` without a namespace. */
export function idOf(object: KubernetesObject): string {
    const [namespace, name] = [namespaceOf(object), nameOf(object)];
    return namespace ? `${namespace}/${name}` : name;
}

export function parseId(id: string): { namespace: string; name: string } {
    const [first = "", second] = id.split("/");
    return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

/** `live` reduced to the fields of `shape`, without what others added. Lists are matched by index. */
export function prune(live: Properties, shape: Properties): Properties {
    return Object.fromEntries(
        Object.entries(live).flatMap(([key, value]) =>
            value === undefined || !(key in shape) ? [] : [[key, pruneValue(value, shape[key])]],
        ),
    );
}

function pruneValue(value: Value, shape: Value | undefined): Value {
    if (isProperties(value) && isProperties(shape)) return prune(value, shape);
    if (Array.isArray(value) && Array.isArray(shape)) return value.slice(0, shape.length).map((item, i) => pruneValue(item, shape[i]));
    return value;
}

/** Inputs in the API server's form: a Secret's `stringData` becomes `data`, and server-set metadata is removed. Quantities are not normalized. */
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

/** The inputs that would create a live object: everything except what only the server sets. */
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

/** Marks a Secret's data as secret, whether or not the program does. */
export function markSecretData(object: KubernetesObject): KubernetesObject {
    if (object.kind !== "Secret") return object;
    const mark = (value: Value | undefined) => (value === undefined || value instanceof Secret ? value : new Secret(value));
    return {
        ...object,
        ...("data" in object && { data: mark(object.data) }),
        ...("stringData" in object && { stringData: mark(object.stringData) }),
    };
}

/** The state of an object: the live object, the inputs that produced it, and the field manager that applied them. */
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

/** Field managers of a create. The first server-side apply takes over their fields, so that a later apply can remove them. */
const CREATORS = ["pulumi-kubernetes", "pulumi-resource-kubernetes", "before-first-apply"];

/**
 * `managedFields` with the fields of the create moved to `fieldManager`; undefined if there are none. Without the move, a field that the program removes would
 * stay in the object, because the create's manager would still own it.
 */
export function adoptedManagers(live: KubernetesObject, fieldManager: string): Value[] | undefined {
    const { managedFields } = metadataOf(live);
    if (!Array.isArray(managedFields)) return undefined;
    const isCreate = (entry: Value) =>
        isProperties(entry) && entry.operation === "Update" && !entry.subresource && CREATORS.includes(String(entry.manager));
    const taken = managedFields.filter(isCreate);
    if (taken.length === 0) return undefined;
    const isOwn = (entry: Value) =>
        isProperties(entry) && entry.operation === "Apply" && entry.manager === fieldManager && !entry.subresource;
    const parts = [...taken, ...managedFields.filter(isOwn)].filter(isProperties);
    const merged = parts.reduce<Properties>((all, { fieldsV1 }) => union(all, asProperties(fieldsV1)), {});
    const adopted = { ...parts[0], manager: fieldManager, operation: "Apply", fieldsV1: merged };
    return [...managedFields.filter((entry) => !isCreate(entry) && !isOwn(entry)), adopted];
}

function union(a: Properties, b: Properties): Properties {
    const merged = { ...a };
    for (const [key, value] of Object.entries(b)) {
        const current = merged[key];
        merged[key] = isProperties(current) && isProperties(value) ? union(current, value) : value;
    }
    return merged;
}

/** The object without any field. Applying it releases all fields of the manager. */
export function identity(object: KubernetesObject): KubernetesObject {
    const namespace = namespaceOf(object);
    return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: nameOf(object), ...(namespace && { namespace }) } };
}

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type Collection, discovery, kindOf, parsePath } from "./fake-kinds.ts";
import { fieldsOf, type Json, type Managed, mergePatch, serverSideApply, type Tree } from "./managed-fields.ts";
import { parseProtobufSecret } from "./protobuf.ts";

/** An API server for tests, with its objects and a record of its requests. */
export interface FakeApi {
    kubeconfig: string;
    /** Objects by `namespace/plural/name`. */
    objects: Map<string, Tree>;
    requests: { method: string; path: string }[];
    /** Changes an object as a controller or a person would. */
    edit(key: string, change: (object: Tree) => void): void;
    close(): Promise<void>;
}

/**
 * Starts a stand-in for an API server on machines that cannot build one: discovery, create, server-side apply with field managers and conflicts, merge patches,
 * deletion. It has no schema, defaults or controllers, so it accepts objects that a real server would reject.
 */
export async function fakeApi(): Promise<FakeApi> {
    const store = new ObjectStore();
    const requests: FakeApi["requests"] = [];
    const server = createServer((request, response) => {
        requests.push({ method: request.method ?? "", path: new URL(request.url ?? "", "http://api").pathname });
        void handle(store, request)
            .then(({ status, body }) => respond(response, status, body))
            .catch((error: Error) => respond(response, 500, { message: error.message }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
        kubeconfig: kubeconfigFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
        objects: store.objects,
        requests,
        edit: (key, change) => {
            const object = store.objects.get(key);
            if (!object) throw new Error(`object ${key} does not exist; existing: ${[...store.objects.keys()].join(", ")}`);
            change(object);
        },
        close: () =>
            new Promise((resolve) => {
                server.close(() => resolve());
                server.closeAllConnections();
            }),
    };
}

function kubeconfigFor(url: string): string {
    return JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "fake",
        clusters: [{ name: "fake", cluster: { server: url, "insecure-skip-tls-verify": true } }],
        contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
        users: [{ name: "fake", user: { token: "t" } }],
    });
}

interface Response {
    status: number;
    body: object;
}

interface Request {
    collection: Collection;
    /** Empty for the collection itself. */
    name: string;
    manager: string;
    dryRun: boolean;
    force: boolean;
    contentType: string;
    labels: string[];
    body: string;
}

/** Objects and the managers of their fields, by `namespace/plural/name`. */
class ObjectStore {
    readonly objects = new Map<string, Tree>();
    readonly #managed = new Map<string, Managed[]>();

    get(collection: Collection, name: string): Tree | undefined {
        return this.objects.get(keyOf(collection, name));
    }

    list(collection: Collection): Tree[] {
        return [...this.objects].filter(([key]) => key.startsWith(keyOf(collection, ""))).map(([, object]) => object);
    }

    managed(collection: Collection, name: string): Managed[] {
        return this.#managed.get(keyOf(collection, name)) ?? [];
    }

    put({ collection, name, dryRun }: Request, object: Tree, managed: Managed[]): Tree {
        const stored = complete(object, this.get(collection, name), managed, collection);
        if (dryRun) return stored;
        const key = keyOf(collection, nameOf(stored));
        this.objects.set(key, stored);
        this.#managed.set(key, managed);
        return stored;
    }

    delete(collection: Collection, name: string): boolean {
        const key = keyOf(collection, name);
        const existed = this.objects.delete(key);
        if (existed) this.#managed.delete(key);
        return existed;
    }
}

function keyOf({ namespace, plural }: Collection, name: string): string {
    return `${namespace}/${plural}/${name}`;
}

async function handle(store: ObjectStore, message: IncomingMessage): Promise<Response> {
    const { pathname, searchParams } = new URL(message.url ?? "", "http://api");
    const bytes = await buffer(message);
    const discovered = discovery(pathname);
    if (discovered) return { status: 200, body: discovered };
    const path = parsePath(pathname);
    if (!path) return failure("NotFound", `no ${pathname}`);
    const secret = parseProtobufSecret(bytes);
    const request: Request = {
        ...path,
        manager: searchParams.get("fieldManager") ?? message.headers["user-agent"]?.split("/")[0] ?? "unknown",
        dryRun: searchParams.get("dryRun") === "All",
        force: searchParams.get("force") === "true",
        contentType: message.headers["content-type"] ?? "",
        labels: searchParams.get("labelSelector")?.split(",") ?? [],
        body: secret ? JSON.stringify(secret) : bytes.toString("utf8"),
    };
    switch (message.method) {
        case "GET":
            return request.name ? get(store, request) : list(store, request);
        case "POST":
            return create(store, request);
        case "DELETE":
            return store.delete(request.collection, request.name)
                ? { status: 200, body: { kind: "Status", status: "Success" } }
                : notFound(request);
        case "PUT": {
            const managed = store.managed(request.collection, request.name);
            return { status: 200, body: store.put(request, JSON.parse(request.body) as Tree, managed) };
        }
        default:
            return patch(store, request);
    }
}

function get(store: ObjectStore, request: Request): Response {
    const object = store.get(request.collection, request.name);
    return object ? { status: 200, body: object } : notFound(request);
}

function list(store: ObjectStore, { collection, labels }: Request): Response {
    const items = store.list(collection).filter((item) => labels.every((label) => matches(item, label)));
    return { status: 200, body: { kind: `${kindOf(collection)}List`, apiVersion: collection.apiVersion, metadata: {}, items } };
}

function create(store: ObjectStore, request: Request): Response {
    const { collection, manager, body } = request;
    const object = JSON.parse(body) as Tree;
    if (store.get(collection, nameOf(object))) return failure("AlreadyExists", `${collection.plural} "${nameOf(object)}" already exists`);
    const managed = [{ manager, operation: "Update", fields: new Set(fieldsOf(object).keys()) }];
    return { status: 201, body: store.put(request, object, managed) };
}

function patch(store: ObjectStore, request: Request): Response {
    const { collection, name, contentType } = request;
    const body = JSON.parse(request.body) as Json;
    const live = store.get(collection, name);
    const managed = store.managed(collection, name);
    if (contentType.includes("apply-patch")) {
        if (!live && collection.plural === "daemonsets") return failure("Invalid", "spec.selector: Required value");
        const { manager, force } = request;
        const applied = serverSideApply({ live, managed, wanted: body as Tree, manager, force });
        if (applied.conflicts.length > 0) return failure("Conflict", `Apply failed with conflicts: ${applied.conflicts.join("; ")}`);
        return { status: 200, body: store.put(request, applied.object, applied.managed) };
    }
    if (!live) return notFound(request);
    if (contentType.includes("json-patch+json")) return { status: 200, body: store.put(request, live, managedFieldsIn(body)) };
    return { status: 200, body: store.put(request, mergePatch(live, body as Tree), managed) };
}

/** The managedFields that a JSON patch sets; the provider patches nothing else. */
function managedFieldsIn(body: Json): Managed[] {
    const [operation] = body as { value: { manager: string; operation: string; fieldsV1: Tree }[] }[];
    return (operation?.value ?? []).map(({ manager, operation, fieldsV1 }) => ({
        manager,
        operation,
        fields: new Set(Object.keys(fieldsV1).map((field) => field.slice(2))),
    }));
}

/** Adds what the server sets: kind, namespace, uid, resourceVersion, managedFields, and `data` from `stringData`. */
function complete(object: Tree, old: Tree | undefined, managed: readonly Managed[], collection: Collection): Tree {
    const { stringData, ...rest } = object;
    const oldMetadata = (old?.metadata ?? {}) as Tree;
    const encoded = Object.fromEntries(
        Object.entries((stringData ?? {}) as Tree).map(([key, value]) => [key, Buffer.from(String(value)).toString("base64")]),
    );
    return {
        ...rest,
        apiVersion: collection.apiVersion,
        kind: kindOf(collection),
        ...(old?.status !== undefined && { status: old.status }),
        ...((rest.data !== undefined || stringData !== undefined) && { data: { ...(rest.data as Tree), ...encoded } }),
        metadata: {
            ...(rest.metadata as Tree),
            ...(collection.namespace && { namespace: collection.namespace }),
            uid: oldMetadata.uid ?? randomUUID(),
            resourceVersion: String(Number(oldMetadata.resourceVersion ?? 0) + 1),
            managedFields: managed.map(({ manager, operation, fields }) => ({
                manager,
                operation,
                fieldsV1: Object.fromEntries([...fields].map((field) => [`f:${field}`, {}])),
            })),
        },
    };
}

function matches(item: Tree, selector: string): boolean {
    const labels = ((item.metadata as Tree).labels ?? {}) as Tree;
    const set = /^(?<key>\S+) (?<not>not)?in \((?<values>.*)\)$/.exec(selector)?.groups;
    if (set) return (set.values ?? "").split(",").includes(String(labels[set.key ?? ""])) !== Boolean(set.not);
    const [key = "", value] = selector.split("=");
    return String(labels[key]) === value;
}

function nameOf(object: Tree): string {
    return String((object.metadata as Tree | undefined)?.name ?? "");
}

function notFound({ collection, name }: Request): Response {
    return failure("NotFound", `${collection.plural} "${name}" not found`);
}

function failure(reason: string, message: string): Response {
    const code = { NotFound: 404, AlreadyExists: 409, Conflict: 409 }[reason] ?? 422;
    return { status: code, body: { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code } };
}

function respond(response: ServerResponse, status: number, body: object): void {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
}

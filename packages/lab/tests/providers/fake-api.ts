import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Tree = { [key: string]: Json };

const KINDS: Record<string, { kind: string; name: string; namespaced: boolean }[]> = {
    v1: [
        { kind: "Secret", name: "secrets", namespaced: true },
        { kind: "ConfigMap", name: "configmaps", namespaced: true },
        { kind: "Namespace", name: "namespaces", namespaced: false },
        { kind: "Pod", name: "pods", namespaced: true },
    ],
    "apps/v1": [{ kind: "DaemonSet", name: "daemonsets", namespaced: true }],
};

/** Fields by their path, joined; a list is one field. */
type Fields = Map<string, Json>;

interface Managed {
    manager: string;
    operation: string;
    fields: Set<string>;
}

/** What a test API server has, and what it was asked. */
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
 * A stand-in for an API server where none is built: discovery, create, apply with field managers and conflicts, merge patches, deletion. No schema, no defaults,
 * no controllers: what only a real one would refuse is not refused here.
 */
export async function fakeApi(): Promise<FakeApi> {
    const objects = new Map<string, Tree>();
    const managers = new Map<string, Managed[]>();
    const requests: FakeApi["requests"] = [];
    const server = createServer((request, response) => {
        void handle(request, response).catch((error: Error) => answer(response, 500, { message: error.message }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    async function handle(request: IncomingMessage, response: ServerResponse) {
        const { pathname, searchParams } = new URL(request.url ?? "", url);
        const method = request.method ?? "";
        requests.push({ method, path: pathname });
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const sent = Buffer.concat(chunks);
        const text = sent.subarray(0, 4).equals(PROTOBUF) ? JSON.stringify(fromProtobuf(sent)) : sent.toString("utf8");
        const discovered = discovery(pathname);
        if (discovered) return answer(response, 200, discovered);
        const at = locate(pathname);
        if (!at) return answer(response, 404, refusal("NotFound", `no ${pathname}`));
        const dry = searchParams.get("dryRun") === "All";
        const manager = searchParams.get("fieldManager") ?? request.headers["user-agent"]?.split("/")[0] ?? "unknown";
        const key = `${at.namespace}/${at.plural}/${at.name}`;
        const old = objects.get(key);
        const store = (object: Tree, managed: Managed[]) => {
            const stored = finish(object, old, managed, at);
            if (dry) return stored;
            objects.set(`${at.namespace}/${at.plural}/${nameOf(stored)}`, stored);
            managers.set(`${at.namespace}/${at.plural}/${nameOf(stored)}`, managed);
            return stored;
        };
        const missing = () => answer(response, 404, refusal("NotFound", `${at.plural} "${at.name}" not found`));
        if (method === "GET" && !at.name) {
            const items = [...objects].filter(([one]) => one.startsWith(`${at.namespace}/${at.plural}/`)).map(([, object]) => object);
            const labels = searchParams.get("labelSelector")?.split(",") ?? [];
            const chosen = items.filter((item) => labels.every((label) => matches(item, label)));
            return answer(response, 200, { kind: `${kindOf(at)}List`, apiVersion: at.apiVersion, metadata: {}, items: chosen });
        }
        if (method === "GET") return old ? answer(response, 200, old) : missing();
        if (method === "POST") {
            const object = JSON.parse(text) as Tree;
            if (objects.has(`${at.namespace}/${at.plural}/${nameOf(object)}`))
                return answer(response, 409, refusal("AlreadyExists", `${at.plural} "${nameOf(object)}" already exists`));
            return answer(response, 201, store(object, [{ manager, operation: "Update", fields: new Set(fieldsOf(object).keys()) }]));
        }
        if (method === "DELETE") {
            if (!objects.delete(key)) return missing();
            managers.delete(key);
            return answer(response, 200, { kind: "Status", status: "Success" });
        }
        const body = JSON.parse(text) as Json;
        if (method === "PUT") return answer(response, 200, store(body as Tree, managers.get(key) ?? []));
        const type = request.headers["content-type"] ?? "";
        if (type.includes("apply-patch")) {
            if (!old && at.plural === "daemonsets") return answer(response, 422, refusal("Invalid", "spec.selector: Required value"));
            return apply(body as Tree, searchParams.get("force") === "true");
        }
        if (!old) return missing();
        if (type.includes("json-patch+json")) {
            const [operation] = body as { value: { manager: string; operation: string; fieldsV1: Tree }[] }[];
            const managed = (operation?.value ?? []).map((one) => ({
                manager: one.manager,
                operation: one.operation,
                fields: new Set(Object.keys(one.fieldsV1).map((field) => field.slice(2))),
            }));
            return answer(response, 200, store(old, managed));
        }
        return answer(response, 200, store(merged(old, body as Tree), managers.get(key) ?? []));

        function apply(wanted: Tree, force: boolean) {
            const fields = fieldsOf(wanted);
            const managed = managers.get(key) ?? [];
            const have = old ? fieldsOf(old) : new Map<string, Json>();
            const others = managed.filter((one) => !(one.manager === manager && one.operation === "Apply"));
            const own = managed.find((one) => one.manager === manager && one.operation === "Apply");
            const disputed = [...fields].filter(
                ([path, value]) => have.has(path) && JSON.stringify(have.get(path)) !== JSON.stringify(value),
            );
            const conflicts = others.flatMap((other) =>
                disputed.filter(([path]) => other.fields.has(path)).map(([path]) => `${other.manager}: .${path}`),
            );
            if (conflicts.length > 0 && !force)
                return answer(response, 409, refusal("Conflict", `Apply failed with conflicts: ${conflicts.join("; ")}`));
            for (const other of others) for (const [path] of disputed) other.fields.delete(path);
            const left = [...(own?.fields ?? [])].filter((path) => !fields.has(path) && !others.some((other) => other.fields.has(path)));
            const next = new Map([...have].filter(([path]) => !left.includes(path)));
            for (const [path, value] of fields) next.set(path, value);
            const mine = { manager, operation: "Apply", fields: new Set(fields.keys()) };
            return answer(response, 200, store(objectOf(next), [...others, ...(fields.size > 0 ? [mine] : [])]));
        }
    }

    return {
        kubeconfig: JSON.stringify({
            apiVersion: "v1",
            kind: "Config",
            "current-context": "fake",
            clusters: [{ name: "fake", cluster: { server: url, "insecure-skip-tls-verify": true } }],
            contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
            users: [{ name: "fake", user: { token: "t" } }],
        }),
        objects,
        requests,
        edit: (key, change) => {
            const object = objects.get(key);
            if (!object) throw new Error(`no ${key}, only ${[...objects.keys()].join(", ")}`);
            change(object);
        },
        close: () =>
            new Promise((resolve) => {
                server.close(() => resolve());
                server.closeAllConnections();
            }),
    };
}

const PROTOBUF = Buffer.from("k8s\0");

/** What Helm sends of its own records, of which it keeps one in a Secret for each revision. */
function fromProtobuf(sent: Buffer): Tree {
    const object = fields(fields(sent.subarray(PROTOBUF.length)).get(2)?.[0]);
    const metadata = fields(object.get(1)?.[0]);
    const map = (entries: Uint8Array[] = [], encoding: BufferEncoding) =>
        Object.fromEntries(
            entries.map((entry) => {
                const [key, value] = [fields(entry).get(1)?.[0] ?? "", fields(entry).get(2)?.[0] ?? ""];
                return [Buffer.from(key).toString(), Buffer.from(value).toString(encoding)];
            }),
        );
    return {
        metadata: { name: Buffer.from(metadata.get(1)?.[0] ?? "").toString(), labels: map(metadata.get(11), "utf8") },
        data: map(object.get(2), "base64"),
        type: Buffer.from(object.get(3)?.[0] ?? "").toString(),
    };
}

/** The fields of a protobuf message that have bytes, by number. */
function fields(message: Uint8Array = new Uint8Array()): Map<number, Uint8Array[]> {
    const found = new Map<number, Uint8Array[]>();
    let at = 0;
    const varint = () => {
        let [value, shift] = [0, 1];
        for (;;) {
            const byte = message[at++] ?? 0;
            value += (byte & 127) * shift;
            shift *= 128;
            if (byte < 128) return value;
        }
    };
    while (at < message.length) {
        const tag = varint();
        if (tag % 8 === 0) varint();
        else if (tag % 8 === 2) {
            const length = varint();
            const number = Math.floor(tag / 8);
            found.set(number, [...(found.get(number) ?? []), message.subarray(at, at + length)]);
            at += length;
        } else at += tag % 8 === 1 ? 8 : 4;
    }
    return found;
}

function answer(response: ServerResponse, status: number, body: object): void {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
}

function refusal(reason: string, message: string) {
    const code = { NotFound: 404, AlreadyExists: 409, Conflict: 409 }[reason] ?? 422;
    return { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code };
}

function discovery(path: string): object | undefined {
    if (path === "/version") return { major: "1", minor: "36", gitVersion: "v1.36.0" };
    if (path === "/api") return { kind: "APIVersions", versions: ["v1"] };
    if (path === "/apis") {
        const version = { groupVersion: "apps/v1", version: "v1" };
        return { kind: "APIGroupList", apiVersion: "v1", groups: [{ name: "apps", versions: [version], preferredVersion: version }] };
    }
    const groupVersion = path.replace(/^\/apis?\//, "");
    const kinds = KINDS[groupVersion];
    if (!kinds || path === groupVersion) return undefined;
    const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    return {
        kind: "APIResourceList",
        apiVersion: "v1",
        groupVersion,
        resources: kinds.map((one) => ({ ...one, singularName: "", verbs })),
    };
}

function locate(path: string) {
    const match = /^\/(?:api|apis)\/(?<gv>v1|apps\/v1)(?:\/namespaces\/(?<ns>[^/]+))?\/(?<plural>[a-z]+)(?:\/(?<name>[^/]+))?$/.exec(
        path,
    )?.groups;
    const cluster = /^\/api\/v1\/namespaces(?:\/(?<name>[^/]+))?$/.exec(path)?.groups;
    if (cluster) return { apiVersion: "v1", namespace: "", plural: "namespaces", name: cluster.name ?? "" };
    if (!match) return undefined;
    return { apiVersion: match.gv ?? "", namespace: match.ns ?? "", plural: match.plural ?? "", name: match.name ?? "" };
}

function finish(
    object: Tree,
    old: Tree | undefined,
    managed: Managed[],
    at: { apiVersion: string; namespace: string; plural: string },
): Tree {
    const { stringData, ...rest } = object;
    const before = (old?.metadata ?? {}) as Tree;
    const data = Object.fromEntries(
        Object.entries((stringData ?? {}) as Tree).map(([key, value]) => [key, Buffer.from(String(value)).toString("base64")]),
    );
    return {
        ...rest,
        apiVersion: at.apiVersion,
        kind: kindOf(at),
        ...(old?.status !== undefined && { status: old.status }),
        ...((rest.data !== undefined || stringData !== undefined) && { data: { ...(rest.data as Tree), ...data } }),
        metadata: {
            ...(rest.metadata as Tree),
            ...(at.namespace && { namespace: at.namespace }),
            uid: before.uid ?? randomUUID(),
            resourceVersion: String(Number(before.resourceVersion ?? 0) + 1),
            managedFields: managed.map(({ manager, operation, fields }) => ({
                manager,
                operation,
                fieldsV1: Object.fromEntries([...fields].map((field) => [`f:${field}`, {}])),
            })),
        },
    };
}

function kindOf({ apiVersion, plural }: { apiVersion: string; plural: string }): string {
    return KINDS[apiVersion]?.find(({ name }) => name === plural)?.kind ?? "";
}

const IDENTITY = [
    "apiVersion",
    "kind",
    "status",
    "metadata|name",
    "metadata|namespace",
    "metadata|uid",
    "metadata|resourceVersion",
    "metadata|managedFields",
];

function fieldsOf(object: Tree): Fields {
    const fields: Fields = new Map();
    const walk = (value: Tree, path: string[]) => {
        for (const [key, inner] of Object.entries(value)) {
            const here = [...path, key];
            if (IDENTITY.includes(here.join("|"))) {
                if (["metadata|name", "metadata|namespace"].includes(here.join("|"))) fields.set(here.join("|"), inner);
                continue;
            }
            if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) walk(inner, here);
            else fields.set(here.join("|"), inner);
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
        let at = object;
        for (const part of parts) {
            at[part] ??= {};
            at = at[part] as Tree;
        }
        at[last] = value;
    }
    return object;
}

function merged(old: Tree, patch: Tree): Tree {
    const result = { ...old };
    for (const [key, value] of Object.entries(patch)) {
        const mine = result[key];
        if (value === null) delete result[key];
        else if (isTree(mine) && isTree(value)) result[key] = merged(mine, value);
        else result[key] = value;
    }
    return result;
}

function isTree(value: Json | undefined): value is Tree {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(object: Tree): string {
    return String((object.metadata as Tree | undefined)?.name ?? "");
}

function matches(item: Tree, label: string): boolean {
    const labels = ((item.metadata as Tree).labels ?? {}) as Tree;
    const [key = "", value] = label.split("=");
    const set = /^(?<key>\S+) (?<not>not)?in \((?<values>.*)\)$/.exec(label)?.groups;
    if (set) return (set.values ?? "").split(",").includes(String(labels[set.key ?? ""])) !== Boolean(set.not);
    return String(labels[key]) === value;
}

import { type ApiServer, Unreachable } from "./client.ts";
import { type KubernetesObject, nameOf, namespaceOf } from "./objects.ts";

/** Objects of one kind in one namespace. */
export interface Collection {
    namespaced: boolean;
    get(name: string): Promise<KubernetesObject>;
    create(object: KubernetesObject, options: { manager: string; dryRun: boolean }): Promise<KubernetesObject>;
    /** Server-side apply. */
    apply(object: KubernetesObject, options: { manager: string; force?: boolean; dryRun?: boolean }): Promise<KubernetesObject>;
    patch(name: string, operations: { op: "replace" | "test"; path: string; value: unknown }[]): Promise<KubernetesObject>;
    delete(name: string, propagation: string): Promise<void>;
}

/** The collection of an object; undefined if the server does not know the kind. An object without a namespace is in `defaultNamespace`. */
export async function collectionOf(
    server: ApiServer | undefined,
    object: KubernetesObject,
    defaultNamespace: string,
    signal: AbortSignal,
): Promise<Collection | undefined> {
    if (!server) throw new Unreachable("the provider has no kubeconfig");
    const location = await server.locate(String(object.apiVersion), String(object.kind), signal);
    if (!location) return undefined;
    const { root, plural, namespaced } = location;
    const path = namespaced
        ? `${root}/namespaces/${encodeURIComponent(namespaceOf(object) || defaultNamespace)}/${plural}`
        : `${root}/${plural}`;
    const pathOf = (name: string) => `${path}/${encodeURIComponent(name)}`;
    const dryRunOf = (dryRun: boolean | undefined) => (dryRun ? "All" : undefined);
    return {
        namespaced,
        get: (name) => server.request("GET", pathOf(name), { signal }),
        create: (body, { manager, dryRun }) =>
            server.request("POST", path, { query: { fieldManager: manager, dryRun: dryRunOf(dryRun) }, body, signal }),
        apply: (body, { manager, force = false, dryRun }) =>
            server.request("PATCH", pathOf(nameOf(body)), {
                query: { fieldManager: manager, force: String(force), dryRun: dryRunOf(dryRun), fieldValidation: "Warn" },
                body,
                type: "application/apply-patch+yaml",
                signal,
            }),
        patch: (name, body) => server.request("PATCH", pathOf(name), { body, type: "application/json-patch+json", signal }),
        delete: async (name, propagationPolicy) => {
            await server.request("DELETE", pathOf(name), { body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy }, signal });
        },
    };
}

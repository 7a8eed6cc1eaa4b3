/** Kinds that the fake API server knows, by apiVersion. */
const KINDS: Record<string, { kind: string; name: string; namespaced: boolean }[]> = {
    v1: [
        { kind: "Secret", name: "secrets", namespaced: true },
        { kind: "ConfigMap", name: "configmaps", namespaced: true },
        { kind: "Namespace", name: "namespaces", namespaced: false },
        { kind: "Pod", name: "pods", namespaced: true },
    ],
    "apps/v1": [{ kind: "DaemonSet", name: "daemonsets", namespaced: true }],
};

export interface Collection {
    apiVersion: string;
    /** Empty for cluster-scoped kinds. */
    namespace: string;
    plural: string;
}

export function kindOf({ apiVersion, plural }: Collection): string {
    return KINDS[apiVersion]?.find(({ name }) => name === plural)?.kind ?? "";
}

/** The response to a discovery request; undefined for other paths. */
export function discovery(path: string): object | undefined {
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
        resources: kinds.map((kind) => ({ ...kind, singularName: "", verbs })),
    };
}

/** The collection and name in a request's path; the name is empty for the collection itself. */
export function parsePath(path: string): { collection: Collection; name: string } | undefined {
    const cluster = /^\/api\/v1\/namespaces(?:\/(?<name>[^/]+))?$/.exec(path)?.groups;
    if (cluster) return { collection: { apiVersion: "v1", namespace: "", plural: "namespaces" }, name: cluster.name ?? "" };
    const match =
        /^\/(?:api|apis)\/(?<groupVersion>v1|apps\/v1)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[a-z]+)(?:\/(?<name>[^/]+))?$/.exec(
            path,
        )?.groups;
    if (!match) return undefined;
    const { groupVersion = "", namespace = "", plural = "", name = "" } = match;
    return { collection: { apiVersion: groupVersion, namespace, plural }, name };
}

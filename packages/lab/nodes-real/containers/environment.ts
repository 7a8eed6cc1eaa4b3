import type { V1Container, V1EnvVar, V1ObjectFieldSelector, V1Pod } from "@kubernetes/client-node";
import { quantityToScalar } from "@kubernetes/client-node/dist/util.js";

/** A cluster's Secrets and ConfigMaps, as last seen. Secret values are decoded. */
export interface Lookup {
    secret(namespace: string, name: string): Readonly<Record<string, Buffer>> | undefined;
    configMap(namespace: string, name: string): Readonly<Record<string, Buffer>> | undefined;
}

/** Facts about the node and the cluster that a container's environment may refer to. */
export interface Surroundings {
    nodeAddress: string;
    podAddress: string;
    /** The node's allocatable resources, which are the limit of a container without one. */
    allocatable: { cpu: string; memory: string };
    /** The `kubernetes` service. */
    apiServer: { host: string; port: number };
}

/**
 * The environment of a container, built in the kubelet's order: later variables override earlier ones.
 *
 * Service variables exist only for the `kubernetes` service.
 *
 * @throws Error that names a missing Secret, ConfigMap or key that is not optional
 */
export function environment(container: V1Container, pod: V1Pod, lookup: Lookup, around: Surroundings): Record<string, string> {
    const namespace = pod.metadata?.namespace ?? "";
    const result: Record<string, string> = serviceVariables(around.apiServer);
    for (const { configMapRef, secretRef, prefix = "" } of container.envFrom ?? []) {
        const [kind, ref] = configMapRef ? (["configMap", configMapRef] as const) : (["secret", secretRef] as const);
        const data = lookup[kind](namespace, ref?.name ?? "");
        if (!data && !ref?.optional) throw new Error(`${kind} "${ref?.name}" not found`);
        for (const [key, value] of Object.entries(data ?? {})) result[`${prefix}${key}`] = value.toString();
    }
    for (const variable of container.env ?? []) {
        const value = variableValue(variable, container, pod, lookup, around);
        if (value !== undefined) result[variable.name] = expand(value, result);
    }
    return result;
}

function variableValue(
    { name, value = "", valueFrom }: V1EnvVar,
    container: V1Container,
    pod: V1Pod,
    lookup: Lookup,
    around: Surroundings,
) {
    if (!valueFrom) return value;
    const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
    if (fieldRef) return fieldValue(fieldRef, pod, around);
    if (resourceFieldRef) {
        const { resource, divisor = "0" } = resourceFieldRef;
        const [list, kind = ""] = resource.split(".");
        const set = container.resources?.[list as "limits" | "requests"]?.[kind];
        const amount = set ?? (list === "limits" ? around.allocatable[kind as "cpu" | "memory"] : "0") ?? "0";
        const unit = Number(quantityToScalar(divisor)) || 1;
        return `${Math.ceil(Number(quantityToScalar(amount)) / unit)}`;
    }
    const [kind, ref] = configMapKeyRef ? (["configMap", configMapKeyRef] as const) : (["secret", secretKeyRef] as const);
    if (!ref) throw new Error(`source of environment variable ${name} not supported by the lab's kubelet`);
    const data = lookup[kind](pod.metadata?.namespace ?? "", ref.name ?? "");
    const found = data?.[ref.key];
    if (found) return found.toString();
    if (ref.optional) return undefined;
    throw new Error(data ? `couldn't find key ${ref.key} in ${kind} ${ref.name}` : `${kind} "${ref.name}" not found`);
}

/** The value of a pod field, for environment variables and downward API files. */
export function fieldValue(
    { fieldPath }: V1ObjectFieldSelector,
    pod: V1Pod,
    around: Pick<Surroundings, "nodeAddress" | "podAddress">,
): string {
    const { metadata, spec } = pod;
    const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath) ?? [];
    if (map && key) return metadata?.[map as "labels" | "annotations"]?.[key] ?? "";
    const lines = (entries: Record<string, string> = {}) =>
        Object.entries(entries)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
            .join("\n");
    const fields: Record<string, () => string | undefined> = {
        "metadata.name": () => metadata?.name,
        "metadata.namespace": () => metadata?.namespace,
        "metadata.uid": () => metadata?.uid,
        "metadata.labels": () => lines(metadata?.labels),
        "metadata.annotations": () => lines(metadata?.annotations),
        "spec.nodeName": () => spec?.nodeName,
        "spec.serviceAccountName": () => spec?.serviceAccountName,
        "status.hostIP": () => around.nodeAddress,
        "status.hostIPs": () => around.nodeAddress,
        "status.podIP": () => around.podAddress,
        "status.podIPs": () => around.podAddress,
    };
    const field = fields[fieldPath];
    if (!field) throw new Error(`field ${fieldPath} not supported by the lab's kubelet`);
    return field() ?? "";
}

/** Replaces `$(NAME)` with the variable's value. `$$(NAME)` becomes `$(NAME)`, and references to unknown variables are left as they are. */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
    return text.replace(/\$\$|\$\(([^)]*)\)/g, (reference, name?: string) => (name === undefined ? "$" : (variables[name] ?? reference)));
}

function serviceVariables({ host, port }: Surroundings["apiServer"]): Record<string, string> {
    const url = `tcp://${host}:${port}`;
    return {
        KUBERNETES_SERVICE_HOST: host,
        KUBERNETES_SERVICE_PORT: `${port}`,
        KUBERNETES_SERVICE_PORT_HTTPS: `${port}`,
        KUBERNETES_PORT: url,
        [`KUBERNETES_PORT_${port}_TCP`]: url,
        [`KUBERNETES_PORT_${port}_TCP_PROTO`]: "tcp",
        [`KUBERNETES_PORT_${port}_TCP_PORT`]: `${port}`,
        [`KUBERNETES_PORT_${port}_TCP_ADDR`]: host,
    };
}

import { type Diff, diffInputs } from "../diff.ts";
import { isProperties, type Properties, same } from "../values.ts";
import { annotation, type KubernetesObject, metadataOf, nameOf, namespaceOf, normalized, parseCheckpoint, prune } from "./objects.ts";

/** Which data the provider's configuration allows to change in place. */
export interface Mutability {
    secrets: boolean;
    configMaps: boolean;
}

const SELECTOR = ["spec.selector"];

/** Fields whose change replaces the object, besides name and namespace: the real provider's `forceNew`, for common kinds. */
const REPLACING: Record<string, readonly string[]> = {
    DaemonSet: SELECTOR,
    Deployment: SELECTOR,
    StatefulSet: [...SELECTOR, "spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.serviceName", "spec.volumeClaimTemplates"],
    Job: [...SELECTOR, "spec.completions", "spec.parallelism", "spec.template"],
    PersistentVolumeClaim: [...SELECTOR, "spec.accessModes", "spec.storageClassName", "spec.volumeName"],
    Pod: ["spec"],
    Service: ["spec.clusterIP"],
    Secret: ["type"],
    PodDisruptionBudget: [],
    ClusterRoleBinding: ["roleRef"],
    RoleBinding: ["roleRef"],
    StorageClass: ["parameters", "provisioner"],
    ResourceQuota: ["spec.scopes"],
};

function replacingFields(object: KubernetesObject, mutable: Mutability): string[] {
    const kind = String(object.kind);
    const immutable = object.immutable === true;
    const data =
        kind === "Secret" && (!mutable.secrets || immutable)
            ? ["data", "stringData"]
            : kind === "ConfigMap" && (!mutable.configMaps || immutable)
              ? ["data", "binaryData"]
              : [];
    return [...(REPLACING[kind] ?? []), ...data];
}

/**
 * The differences between an object's last known state and the program's inputs. The live object is reduced to the fields of its previous inputs, so that fields
 * which others added do not count.
 */
export function diffObject(
    state: Properties,
    news: KubernetesObject,
    { mutable, patch, ignore = [] }: { mutable: Mutability; patch: boolean; ignore?: readonly string[] },
): Diff {
    const { inputs, live } = parseCheckpoint(state);
    const before = withNamespace(prune(live, normalized(inputs)), live);
    const after = withNamespace(normalized(news), live);
    const diff = diffInputs(before, after, { only: [] });
    const detailed = Object.fromEntries(Object.entries(diff.detailed).filter(([path]) => !ignore.some((ignored) => within(path, ignored))));
    const identity = ["metadata.name", "metadata.namespace"];
    const replacing = patch ? identity : [...identity, ...replacingFields(after, mutable)];
    const replaces = Object.keys(detailed).filter((path) => replacing.some((field) => within(path, field)));
    return {
        changes: Object.keys(detailed).length > 0,
        detailed,
        replaces,
        deleteBeforeReplace:
            replaces.length > 0 && !isAutonamed(news) && nameOf(after) === nameOf(live) && namespaceOf(after) === namespaceOf(live),
    };
}

/** Adds the namespace `default` if none is set. A cluster-scoped object gets none, even if the inputs set one. */
function withNamespace(object: KubernetesObject, live: KubernetesObject): KubernetesObject {
    const { namespace = "default", ...metadata } = metadataOf(object);
    return { ...object, metadata: { ...metadata, ...(namespaceOf(live) && { namespace }) } };
}

function within(path: string, field: string): boolean {
    return path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
}

const AUTONAMED = "pulumi.com/autonamed";

export function isAutonamed(object: KubernetesObject): boolean {
    return annotation(object, AUTONAMED) === "true";
}

/** The inputs with a name: the program's, else the previously generated one, else `fresh`. */
export function named(news: KubernetesObject, olds: KubernetesObject | undefined, fresh: string): KubernetesObject {
    const metadata = metadataOf(news);
    if (metadata.name) return news;
    const name = olds && isAutonamed(olds) ? nameOf(olds) : fresh;
    const annotations = isProperties(metadata.annotations) ? metadata.annotations : {};
    return { ...news, metadata: { ...metadata, name, annotations: { ...annotations, [AUTONAMED]: "true" } } };
}

/** The field manager: from the annotation, else from the state, else `fresh`. */
export function fieldManager(inputs: KubernetesObject, state: Properties, fresh: string): string {
    const previous = state.__fieldManager;
    return annotation(inputs, "pulumi.com/patchFieldManager") || (typeof previous === "string" ? previous : fresh);
}

/** Whether to take fields from their current managers. */
export function forces(inputs: KubernetesObject, enablePatchForce: boolean): boolean {
    return enablePatchForce || annotation(inputs, "pulumi.com/patchForce") === "true";
}

/** How long to wait for readiness, in seconds: from customTimeouts, else from the annotation, else 600. */
export function waitSeconds(inputs: KubernetesObject, timeoutSeconds: number | undefined): number {
    const annotated = Number.parseInt(annotation(inputs, "pulumi.com/timeoutSeconds") ?? "", 10);
    return timeoutSeconds ?? (Number.isNaN(annotated) ? 600 : annotated);
}

export function skipsAwait(inputs: KubernetesObject): boolean {
    return annotation(inputs, "pulumi.com/skipAwait") === "true";
}

/**
 * The differences between two provider configurations. Another cluster replaces the provider; an unchanged `clusterIdentifier` means the same cluster, whatever
 * the kubeconfig.
 */
export function diffProviderConfig(olds: Properties, news: Properties, activeCluster: (config: Properties) => unknown): Diff {
    const diff = diffInputs(olds, news, { only: ["renderYamlToDirectory"] }, ["version"]);
    if (!diff.changes) return diff;
    const [before, after] = [olds.clusterIdentifier, news.clusterIdentifier];
    if (before !== undefined && after !== undefined) {
        return same(before, after) ? { ...diff, replaces: [] } : { ...diff, replaces: [...diff.replaces, "clusterIdentifier"] };
    }
    const changedPointers = ["kubeconfig", "context", "cluster"].filter((key) =>
        Object.keys(diff.detailed).some((path) => within(path, key)),
    );
    const [previous, current] = [activeCluster(olds), activeCluster(news)];
    // A cluster that is not known yet may be another one; replacing is the safe answer.
    const isOther =
        current === undefined ? changedPointers.length > 0 : previous !== undefined && JSON.stringify(previous) !== JSON.stringify(current);
    return isOther ? { ...diff, replaces: [...diff.replaces, ...changedPointers] } : diff;
}

import { type Diff, diffInputs } from "../diff.ts";
import { isProperties, type Properties, same } from "../values.ts";
import { annotation, type KubernetesObject, metadataOf, nameOf, namespaceOf, normalized, parseCheckpoint, prune } from "./objects.ts";

/** What a provider's configuration lets change in place. */
export interface Mutability {
    secrets: boolean;
    configMaps: boolean;
}

const SELECTOR = ["spec.selector"];

/** Fields, by kind, whose change means another object, beside name and namespace. `forceNew` of the real provider, for the kinds that people have. */
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
 * What differs between the object as it was last seen and what the program wants. What others have put into it does not count: the live object is compared in the
 * shape of the inputs that made it.
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

/** A namespace that nobody says is `default`; an object that is in none has none, whatever is said. */
function withNamespace(object: KubernetesObject, live: KubernetesObject): KubernetesObject {
    const { namespace = "default", ...metadata } = metadataOf(object);
    return { ...object, metadata: { ...metadata, ...(namespaceOf(live) && { namespace }) } };
}

function within(path: string, field: string): boolean {
    return path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
}

export const AUTONAMED = "pulumi.com/autonamed";

export function isAutonamed(object: KubernetesObject): boolean {
    return annotation(object, AUTONAMED) === "true";
}

/** The inputs with a name: the one that the program gives, the one that was made up last time, or `fresh`. */
export function named(news: KubernetesObject, olds: KubernetesObject | undefined, fresh: string): KubernetesObject {
    const metadata = metadataOf(news);
    if (metadata.name) return news;
    const name = olds && isAutonamed(olds) ? nameOf(olds) : fresh;
    const annotations = isProperties(metadata.annotations) ? metadata.annotations : {};
    return { ...news, metadata: { ...metadata, name, annotations: { ...annotations, [AUTONAMED]: "true" } } };
}

/** Who applies: the annotation's word, then the one from the state, then a new name. */
export function fieldManager(inputs: KubernetesObject, state: Properties, fresh: string): string {
    const known = state.__fieldManager;
    return annotation(inputs, "pulumi.com/patchFieldManager") || (typeof known === "string" ? known : fresh);
}

/** Whether fields are taken from whoever has them. */
export function forces(inputs: KubernetesObject, enablePatchForce: boolean): boolean {
    return enablePatchForce || annotation(inputs, "pulumi.com/patchForce") === "true";
}

/** Seconds that a resource is given to get ready: customTimeouts, then the annotation, then ten minutes. */
export function waitSeconds(inputs: KubernetesObject, timeoutSeconds: number | undefined): number {
    const said = Number.parseInt(annotation(inputs, "pulumi.com/timeoutSeconds") ?? "", 10);
    return timeoutSeconds ?? (Number.isNaN(said) ? 600 : said);
}

export function skipsAwait(inputs: KubernetesObject): boolean {
    return annotation(inputs, "pulumi.com/skipAwait") === "true";
}

/** Whether a changed provider is another cluster. An unchanged `clusterIdentifier` says that it is not, whatever the kubeconfig is. */
export function diffProviderConfig(olds: Properties, news: Properties, activeCluster: (config: Properties) => unknown): Diff {
    const diff = diffInputs(olds, news, { only: ["renderYamlToDirectory"] }, ["version"]);
    if (!diff.changes) return diff;
    const [before, after] = [olds.clusterIdentifier, news.clusterIdentifier];
    if (before !== undefined && after !== undefined) {
        return same(before, after) ? { ...diff, replaces: [] } : { ...diff, replaces: [...diff.replaces, "clusterIdentifier"] };
    }
    const places = ["kubeconfig", "context", "cluster"].filter((key) => Object.keys(diff.detailed).some((path) => within(path, key)));
    const [was, is] = [activeCluster(olds), activeCluster(news)];
    // One that is not known yet may be another: the safe answer.
    const other = is === undefined ? places.length > 0 : was !== undefined && JSON.stringify(was) !== JSON.stringify(is);
    return other ? { ...diff, replaces: [...diff.replaces, ...places] } : diff;
}

import { parseAllDocuments } from "yaml";
import { type Change, type Diff, diffInputs } from "../../diff.ts";
import { isProperties, type Properties, type Value } from "../../values.ts";

/** The output of `helm get metadata -o json`. */
export interface ReleaseMetadata {
    name: string;
    namespace: string;
    chart: string;
    version: string;
    appVersion: string;
    revision: number;
    status: string;
}

/** A release as Helm has it. */
export interface LiveRelease {
    metadata: ReleaseMetadata;
    values: Properties;
    manifest: string;
}

/** Flags of `helm upgrade`, by the input that sets them. */
const FLAGS: Record<string, string> = {
    atomic: "--atomic",
    cleanupOnFail: "--cleanup-on-fail",
    createNamespace: "--create-namespace",
    dependencyUpdate: "--dependency-update",
    devel: "--devel",
    disableOpenapiValidation: "--disable-openapi-validation",
    disableWebhooks: "--no-hooks",
    forceUpdate: "--force",
    renderSubchartNotes: "--render-subchart-notes",
    resetValues: "--reset-values",
    reuseValues: "--reuse-values",
    skipCrds: "--skip-crds",
};

const DEFAULT_TIMEOUT_SECONDS = 300;

/** Fills in name, namespace and timeout. */
export function withDefaults(news: Properties, olds: Properties | undefined, fallback: { name: string; namespace: string }): Properties {
    const timeout = news.skipAwait === true || news.timeout !== undefined ? news.timeout : DEFAULT_TIMEOUT_SECONDS;
    const { resourceNames: _, ...inputs } = news;
    return {
        ...inputs,
        name: news.name || olds?.name || fallback.name,
        namespace: news.namespace || fallback.namespace,
        ...(timeout !== undefined && { timeout }),
    };
}

/** The arguments that select a chart, for `helm show chart` and `helm upgrade`. */
export function chartArguments(inputs: Properties): string[] {
    const opts = isProperties(inputs.repositoryOpts) ? inputs.repositoryOpts : {};
    return [
        String(inputs.chart),
        ...(inputs.version ? ["--version", String(inputs.version)] : []),
        ...(opts.repo ? ["--repo", String(opts.repo)] : []),
        ...(opts.caFile ? ["--ca-file", String(opts.caFile)] : []),
    ];
}

/** Arguments that install or upgrade a release with values from standard input. */
export function upgradeArguments(inputs: Properties, { install }: { install: boolean }): string[] {
    const [chart = "", ...chartOptions] = chartArguments(inputs);
    return [
        "upgrade",
        ...(install ? ["--install"] : []),
        String(inputs.name),
        chart,
        ...chartOptions,
        "--namespace",
        String(inputs.namespace),
        "--values",
        "-",
        ...waitArguments(inputs),
        ...(inputs.skipAwait !== true && inputs.waitForJobs === true ? ["--wait-for-jobs"] : []),
        ...(typeof inputs.maxHistory === "number" ? ["--history-max", String(inputs.maxHistory)] : []),
        ...(inputs.description ? ["--description", String(inputs.description)] : []),
        ...Object.entries(FLAGS).flatMap(([key, option]) => (inputs[key] === true ? [option] : [])),
    ];
}

export function uninstallArguments(state: Properties): string[] {
    const waits = state.atomic === true || state.skipAwait !== true;
    return [
        "uninstall",
        String(state.name),
        "--namespace",
        String(state.namespace),
        ...(waits ? waitArguments({ ...state, skipAwait: false }) : []),
    ];
}

function waitArguments({ skipAwait, timeout }: Properties): string[] {
    return [
        ...(skipAwait === true ? [] : ["--wait"]),
        "--timeout",
        `${typeof timeout === "number" && timeout > 0 ? timeout : DEFAULT_TIMEOUT_SECONDS}s`,
    ];
}

/** Names of the objects in a manifest, by `Kind.group/apiVersion`, as the real provider lists them. */
export function resourceNames(manifest: string): Record<string, string[]> {
    const names: Record<string, Set<string>> = {};
    for (const document of parseAllDocuments(manifest)) {
        const object: unknown = document.toJS();
        if (!isProperties(object as Value) || !isProperties((object as Properties).metadata)) continue;
        const { apiVersion, kind, metadata } = object as {
            apiVersion: string;
            kind: string;
            metadata: { name: string; namespace?: string };
        };
        const [group, version] = apiVersion.split("/");
        const key = `${version ? `${kind}.${group}` : kind}/${apiVersion}`;
        names[key] = (names[key] ?? new Set()).add(metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name);
    }
    return Object.fromEntries(Object.entries(names).map(([key, set]) => [key, [...set].toSorted()]));
}

/** The outputs of a release: its inputs, their actual values in Helm, and the objects it created. */
export function releaseOutputs(inputs: Properties, live: LiveRelease | undefined): Properties {
    if (!live) return { ...inputs, __inputs: inputs };
    const { name, namespace, chart, version, appVersion, revision, status } = live.metadata;
    return {
        ...inputs,
        // As in the real provider, values removed from the release by hand still count as set.
        values: merge(isProperties(inputs.values) ? inputs.values : {}, live.values),
        version,
        resourceNames: resourceNames(live.manifest),
        status: { name, namespace, chart, version, appVersion, revision, status },
        __inputs: inputs,
    };
}

function merge(a: Properties, b: Properties): Properties {
    const merged = { ...a };
    for (const [key, value] of Object.entries(b)) {
        const current = merged[key];
        merged[key] = isProperties(current) && isProperties(value) ? merge(current, value) : value;
    }
    return merged;
}

/** Inputs that differ from the release, and inputs that the program removed. Values that only Helm has are ignored. */
export function diffRelease(state: Properties, oldInputs: Properties, news: Properties, ignore: readonly string[]): Diff {
    const { __inputs, status: _, resourceNames: __, ...live } = state;
    const before = isProperties(__inputs) ? __inputs : oldInputs;
    const changed = Object.entries(diffInputs(live, news).detailed).filter(([, change]) => change !== "delete");
    const removed = Object.entries(diffInputs(before, news).detailed).filter(([, change]) => change === "delete");
    const detailed: Record<string, Change> = Object.fromEntries(
        [...changed, ...removed].filter(([path]) => !ignore.some((ignored) => path === ignored || path.startsWith(`${ignored}.`))),
    );
    return {
        changes: Object.keys(detailed).length > 0,
        detailed,
        replaces: Object.keys(detailed).filter((path) => path === "name" || path === "namespace"),
    };
}

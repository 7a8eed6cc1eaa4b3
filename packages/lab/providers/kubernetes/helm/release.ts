import { randomBytes } from "node:crypto";
import { parse } from "yaml";
import {
    type Checked,
    type CheckRequest,
    type Created,
    type CreateRequest,
    type DeleteRequest,
    type DiffRequest,
    type EngineLink,
    NotReady,
    type Read,
    type ReadRequest,
    type ResourceType,
    type UpdateRequest,
} from "../../provider.ts";
import { hasUnknowns, markLike, type Properties, Secret, UNKNOWN } from "../../values.ts";
import { HelmError, type HelmOptions, helm } from "./helm.ts";
import {
    chartArguments,
    diffRelease,
    type LiveRelease,
    type ReleaseMetadata,
    releaseOutputs,
    uninstallArguments,
    upgradeArguments,
    withDefaults,
} from "./rules.ts";

/** The cluster of a configured provider. */
interface Cluster {
    engine: EngineLink;
    namespace(): string;
    kubeconfig(): string;
}

/**
 * `helm.v3.Release`, run by the real Helm. The real provider rejects a name that is in use; here a create upgrades an existing release, so that an `up` killed
 * while Helm ran can continue. Not supported: `valueYamlFiles`, `postrender`, `verify`.
 */
export class ReleaseResource implements ResourceType {
    readonly #options: HelmOptions;
    readonly #cluster: Cluster;

    constructor(options: HelmOptions, cluster: Cluster) {
        this.#options = options;
        this.#cluster = cluster;
    }

    async check({ news, olds, name, signal }: CheckRequest): Promise<Checked> {
        const fallback = { name: `${name}-${randomBytes(4).toString("hex")}`, namespace: this.#cluster.namespace() };
        const inputs = withDefaults(news, olds, fallback);
        if (hasUnknowns(news)) return { inputs };
        try {
            // Resolves a version range, or no version, to the current version, so that a newer chart shows as a change.
            const chart = parse(await helm(this.#options, ["show", "chart", ...chartArguments(inputs)], { signal })) as { version: string };
            return { inputs: { ...inputs, version: chart.version } };
        } catch (error) {
            const reason = `${(error as Error).message}; check the chart name and repository configuration.`;
            return { inputs, failures: [{ property: "chart", reason }] };
        }
    }

    diff({ olds, oldInputs, news, ignoreChanges }: DiffRequest) {
        return diffRelease(olds, oldInputs, news, ignoreChanges);
    }

    async create(request: CreateRequest): Promise<Created> {
        return request.preview ? { id: "", outputs: plannedOutputs(request.inputs) } : this.#upgrade(request, { install: true });
    }

    async update(request: UpdateRequest): Promise<{ outputs: Properties }> {
        return request.preview ? { outputs: plannedOutputs(request.inputs) } : this.#upgrade(request, { install: false });
    }

    async read({ id, olds, oldInputs, marked, signal }: ReadRequest): Promise<Read | undefined> {
        const [namespace = "", name = ""] = id.split("/");
        const isImport = Object.keys(olds).length === 0;
        const live = await this.#fetch(isImport ? { name, namespace } : oldInputs, signal);
        if (!live) return undefined;
        const { chart, version } = live.metadata;
        // Helm does not know where a chart came from: after an import the program must set it.
        const inputs = isImport ? { name, namespace, chart, version, values: live.values } : oldInputs;
        return { ...stateOf(inputs, marked, live), inputs };
    }

    async delete({ olds, signal }: DeleteRequest): Promise<void> {
        await this.#helm(uninstallArguments(olds), signal);
    }

    async #upgrade({ inputs, marked, signal, urn }: CreateRequest, { install }: { install: boolean }): Promise<Created> {
        try {
            await this.#helm(upgradeArguments(inputs, { install }), signal, JSON.stringify(inputs.values ?? {}));
        } catch (error) {
            // The request's signal may be aborted already; what Helm left behind must still be reported.
            const live = await this.#fetch(inputs, AbortSignal.timeout(10_000)).catch(() => undefined);
            if (!(error instanceof HelmError) || !live || live.metadata.status === "deployed") throw error;
            const state = stateOf(inputs, marked, live);
            if (install) await this.#warnOfFailedCreate(String(inputs.name), error, urn);
            const what = install ? "was created, but failed to initialize completely" : "failed to initialize completely";
            const reason = `failed to become available within allocated timeout. Error: Helm Release ${state.id}: ${error.message}`;
            throw new NotReady(state, [`Helm release "${state.id}" ${what}. Use Helm CLI to investigate: ${reason}`]);
        }
        return stateOf(inputs, marked, await this.#fetch(inputs, signal));
    }

    async #warnOfFailedCreate(name: string, { message }: HelmError, urn: string): Promise<void> {
        await this.#cluster.engine.log(
            "warning",
            `Helm release "${name}" was created but has a failed status. Use the \`helm\` command to investigate the error, correct it, then retry. Reason: ${message}`,
            { urn },
        );
    }

    /** The release as Helm has it; undefined if it does not exist. */
    async #fetch(inputs: Properties, signal: AbortSignal): Promise<LiveRelease | undefined> {
        const release = [String(inputs.name), "--namespace", String(inputs.namespace)];
        try {
            const [metadata, values, manifest] = await Promise.all([
                this.#helm(["get", "metadata", ...release, "--output", "json"], signal),
                this.#helm(["get", "values", ...release, "--output", "json"], signal),
                this.#helm(["get", "manifest", ...release], signal),
            ]);
            return { metadata: JSON.parse(metadata) as ReleaseMetadata, values: (JSON.parse(values) ?? {}) as Properties, manifest };
        } catch (error) {
            if (error instanceof HelmError && error.message.includes("release: not found")) return undefined;
            throw error;
        }
    }

    #helm(args: readonly string[], signal: AbortSignal, stdin?: string): Promise<string> {
        return helm(this.#options, args, { kubeconfig: this.#cluster.kubeconfig(), signal, ...(stdin !== undefined && { stdin }) });
    }
}

/** `__inputs` is secret as a whole, because the engine's copy of it would lose the marks inside. */
function stateOf(inputs: Properties, marked: Properties, live: LiveRelease | undefined): Created {
    const outputs = releaseOutputs(inputs, live);
    return { id: `${inputs.namespace}/${inputs.name}`, outputs: { ...markLike(outputs, marked), __inputs: new Secret(inputs) } };
}

function plannedOutputs(inputs: Properties): Properties {
    return { ...inputs, resourceNames: UNKNOWN, status: UNKNOWN };
}

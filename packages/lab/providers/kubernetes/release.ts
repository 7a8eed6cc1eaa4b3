import { randomBytes } from "node:crypto";
import { parse } from "yaml";
import { type EngineLink, NotReady, type ResourceType } from "../provider.ts";
import { hasUnknowns, markLike, type Properties, Secret, UNKNOWN } from "../values.ts";
import { HelmError, type HelmOptions, helm } from "./helm.ts";
import {
    chartArguments,
    diffRelease,
    type ReleaseMetadata,
    releaseOutputs,
    uninstallArguments,
    upgradeArguments,
    withDefaults,
} from "./release-rules.ts";

export type { HelmOptions } from "./helm.ts";

interface Cluster {
    engine: EngineLink;
    namespace(): string;
    kubeconfig(): string;
}

/**
 * `helm.v3.Release` with the real Helm. Unlike the real provider, which refuses a name that is in use, a create takes over a release that is there: so an `up`
 * that was killed while Helm ran goes on where it was. Left out: `valueYamlFiles`, `postrender`, `verify`.
 */
export function releaseResource(options: HelmOptions, { engine, namespace, kubeconfig }: Cluster): ResourceType {
    const run = (args: readonly string[], signal: AbortSignal, stdin?: string) =>
        helm(options, args, { kubeconfig: kubeconfig(), signal, ...(stdin !== undefined && { stdin }) });

    /** What Helm has; undefined for nothing. */
    async function look(inputs: Properties, signal: AbortSignal) {
        const about = [String(inputs.name), "--namespace", String(inputs.namespace)];
        try {
            const [metadata, values, manifest] = await Promise.all([
                run(["get", "metadata", ...about, "--output", "json"], signal),
                run(["get", "values", ...about, "--output", "json"], signal),
                run(["get", "manifest", ...about], signal),
            ]);
            return { metadata: JSON.parse(metadata) as ReleaseMetadata, values: (JSON.parse(values) ?? {}) as Properties, manifest };
        } catch (error) {
            if (error instanceof HelmError && error.message.includes("release: not found")) return undefined;
            throw error;
        }
    }

    /** All inputs are secret in here: their marks would be lost on the way through the engine's own copy. */
    const state = (inputs: Properties, marked: Properties, live: Awaited<ReturnType<typeof look>>) => {
        const outputs = releaseOutputs(inputs, live);
        return { id: `${inputs.namespace}/${inputs.name}`, outputs: { ...markLike(outputs, marked), __inputs: new Secret(inputs) } };
    };

    async function apply(request: { inputs: Properties; marked: Properties; signal: AbortSignal; urn: string }, install: boolean) {
        const { inputs, marked, signal, urn } = request;
        try {
            await run(upgradeArguments(inputs, { install }), signal, JSON.stringify(inputs.values ?? {}));
        } catch (error) {
            // The engine is gone, or has no more time: what Helm left behind is still to be told.
            const live = await look(inputs, AbortSignal.timeout(10_000)).catch(() => undefined);
            if (!(error instanceof HelmError) || !live || live.metadata.status === "deployed") throw error;
            const id = `${inputs.namespace}/${inputs.name}`;
            const reason = `failed to become available within allocated timeout. Error: Helm Release ${id}: ${error.message}`;
            if (install) {
                await engine.log(
                    "warning",
                    `Helm release "${inputs.name}" was created but has a failed status. Use the \`helm\` command to investigate the error, correct it, then retry. Reason: ${error.message}`,
                    { urn },
                );
            }
            const what = install ? "was created, but failed to initialize completely" : "failed to initialize completely";
            throw new NotReady(state(inputs, marked, live), [`Helm release "${id}" ${what}. Use Helm CLI to investigate: ${reason}`]);
        }
        return state(inputs, marked, await look(inputs, signal));
    }

    const planned = (inputs: Properties) => ({ ...inputs, resourceNames: UNKNOWN, status: UNKNOWN });

    return {
        check: async ({ news, olds, name, signal }) => {
            const fallback = { name: `${name}-${randomBytes(4).toString("hex")}`, namespace: namespace() };
            const inputs = withDefaults(news, olds, fallback);
            if (hasUnknowns(news)) return { inputs };
            try {
                // The version that a range or no version at all stands for, so that a newer chart is a change.
                const chart = parse(await helm(options, ["show", "chart", ...chartArguments(inputs)], { signal })) as { version: string };
                return { inputs: { ...inputs, version: chart.version } };
            } catch (error) {
                const reason = `${(error as Error).message}; check the chart name and repository configuration.`;
                return { inputs, failures: [{ property: "chart", reason }] };
            }
        },
        diff: ({ olds, oldInputs, news, ignoreChanges }) => diffRelease(olds, oldInputs, news, ignoreChanges),
        create: async (request) => (request.preview ? { id: "", outputs: planned(request.inputs) } : apply(request, true)),
        update: async (request) => (request.preview ? { outputs: planned(request.inputs) } : apply(request, false)),
        read: async ({ id, olds, oldInputs, marked, signal }) => {
            const [ownNamespace = "", name = ""] = id.split("/");
            const first = Object.keys(olds).length === 0;
            const inputs = first ? { name, namespace: ownNamespace } : oldInputs;
            const live = await look(inputs, signal);
            if (!live) return undefined;
            const { chart, version } = live.metadata;
            // An import: the program has to say where the chart comes from.
            const known = first ? { ...inputs, chart, version, values: live.values } : oldInputs;
            return { ...state(known, marked, live), inputs: known };
        },
        delete: async ({ olds, signal }) => {
            await run(uninstallArguments(olds), signal);
        },
    };
}

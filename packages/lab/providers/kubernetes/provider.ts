import { existsSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import type { EngineLink, Package, Provider } from "../provider.ts";
import type { Properties } from "../values.ts";
import { ApiServer } from "./client.ts";
import type { HelmOptions } from "./helm/helm.ts";
import { ReleaseResource } from "./helm/release.ts";
import type { Context } from "./kind.ts";
import { objectType } from "./objects.ts";
import { objectResource } from "./resource.ts";
import { diffProviderConfig } from "./rules.ts";

interface KubernetesOptions extends HelmOptions {
    /**
     * Rewrites a kubeconfig before this process and Helm use it, because the lab's clusters have no `aws` to get a token from. The state keeps the program's
     * kubeconfig.
     */
    rewriteKubeconfig?(kubeconfig: string): string;
}

const RELEASE = "kubernetes:helm.sh/v3:Release";

/**
 * The lab's stand-in for @pulumi/kubernetes 4.34: real requests to a real API server, and the real Helm. Not supported: charts, YAML and Kustomize components,
 * client-side apply, rendering to files, schema validation before the server's own, and waiting for anything except rollouts and deletions.
 */
export function kubernetesPackage(options: KubernetesOptions): Package {
    return { name: "kubernetes", version: "4.34.2", open: (engine) => provider(engine, options) };
}

function provider(engine: EngineLink, options: KubernetesOptions): Provider {
    const context: Context = {
        engine,
        server: undefined,
        namespace: "default",
        mutable: { secrets: false, configMaps: false },
        enablePatchForce: false,
        deleteUnreachable: false,
    };
    let kubeconfig = "";
    return {
        diffConfig: ({ oldInputs, news }) => diffProviderConfig(oldInputs, news, activeCluster),
        configure: (config) => {
            const loaded = load(config, options.rewriteKubeconfig);
            kubeconfig = loaded.exportConfig();
            context.server = new ApiServer(loaded);
            context.namespace = string(config.namespace) || loaded.getContextObject(loaded.currentContext)?.namespace || "default";
            context.mutable = { secrets: flag(config.enableSecretMutable), configMaps: flag(config.enableConfigMapMutable) };
            context.enablePatchForce = flag(config.enablePatchForce);
            context.deleteUnreachable = flag(config.deleteUnreachable ?? process.env.PULUMI_K8S_DELETE_UNREACHABLE);
        },
        resource: (type) => {
            if (type === RELEASE)
                return new ReleaseResource(options, { engine, namespace: () => context.namespace, kubeconfig: () => kubeconfig });
            const object = objectType(type);
            return object && objectResource(object, context);
        },
    };
}

function load({ kubeconfig, context, cluster }: Properties, rewrite: (text: string) => string = (text) => text): KubeConfig {
    const config = new KubeConfig();
    const text = string(kubeconfig);
    if (!text) config.loadFromDefault();
    else if (!text.includes("\n") && existsSync(text)) config.loadFromFile(text);
    else config.loadFromString(rewrite(text));
    if (string(context)) config.setCurrentContext(string(context));
    const current = config.getContextObject(config.currentContext);
    if (current && string(cluster)) Object.assign(current, { cluster: string(cluster) });
    return config;
}

/** The cluster that a kubeconfig points to; undefined if that is not known. */
function activeCluster(config: Properties): unknown {
    try {
        return typeof config.kubeconfig === "string" ? load(config).getCurrentCluster() : undefined;
    } catch {
        return undefined;
    }
}

/** The engine sends booleans as text. */
function flag(value: unknown): boolean {
    return value === true || value === "true";
}

function string(value: unknown): string {
    return typeof value === "string" ? value : "";
}

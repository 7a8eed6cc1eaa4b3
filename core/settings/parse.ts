import type { z } from "zod";
import { defaultPool } from "../network/cidr.ts";
import { type IngressPolicy, parseTraffic } from "../network/traffic.ts";
import { fullStackName } from "../stack-names.ts";
import { ADDON_VERSIONS, type AddonVersions } from "../versions.ts";
import { ClusterSchema, DEFAULT_INSTANCE_TYPES } from "./cluster-schema.ts";
import { MeshSchema } from "./mesh-schema.ts";
import { describeIssue, plainMessage } from "./messages.ts";
import { CLUSTER_RULES, MESH_RULES } from "./rules.ts";
import { type ClusterSettings, type MeshSettings, StackSettings } from "./schema.ts";

export interface ClusterConfig extends ClusterSettings {
    nodeGroup: ClusterSettings["nodeGroup"] & { instanceTypes: string[] };
    cilium: ClusterSettings["cilium"] & { poolCidr: string };
    addons: AddonVersions;
}

export interface MeshConfig extends Omit<MeshSettings, "ingress"> {
    /** Full names, each once. */
    clusters: string[];
    ingress: IngressPolicy;
}

export type StackConfig = ClusterConfig | MeshConfig;

/**
 * Validates the value of `clustermesh:stack`. The only file that it reads is the Chart.yaml of a chart on disk.
 *
 * @param project "<organization>/<project>", which completes short stack names
 * @param folder folder of Pulumi.yaml, which a chart on disk is relative to. Default: the working directory
 * @returns every problem, or the settings with all defaults
 */
export function parseConfig(raw: unknown, project: string, folder = "."): { config?: StackConfig; problems: string[] } {
    if (raw === undefined)
        return { problems: ["clustermesh:stack is required: see Pulumi.cluster1.yaml for a cluster, Pulumi.mesh.yaml for a mesh"] };
    const parsed = StackSettings.safeParse(raw, { error: plainMessage });
    const issues = parsed.error?.issues ?? [];
    const problems = [
        ...issues.flatMap((issue) => describeIssue(issue, raw)),
        ...ruleProblems(withoutUnknownKeys(raw, issues), project, folder),
    ];
    return parsed.success && problems.length === 0 ? { config: withComputedDefaults(parsed.data, project), problems } : { problems };
}

/** Problems across settings. Each rule runs as soon as its own settings are valid, whatever is wrong elsewhere, so that all problems are reported at once. */
function ruleProblems(known: unknown, project: string, folder: string): string[] {
    if (isKind(known, "cluster"))
        return CLUSTER_RULES.flatMap(({ needs, problems }) =>
            validSettings(ClusterSchema, needs, known).flatMap((settings) => problems(settings, folder)),
        );
    if (isKind(known, "mesh"))
        return MESH_RULES.flatMap(({ needs, problems }) =>
            validSettings(MeshSchema, needs, known).flatMap((settings) => problems(settings, project)),
        );
    return [];
}

/** The settings of these keys, or nothing if one of them is invalid. */
function validSettings<S extends z.ZodObject>(schema: S, keys: readonly (keyof z.output<S>)[], raw: unknown): z.output<S>[] {
    const parsed = schema
        .strip()
        .pick(Object.fromEntries(keys.map((key) => [key, true as const])) as never)
        .safeParse(raw);
    return parsed.success ? [parsed.data as z.output<S>] : [];
}

/** Adds the defaults that depend on other settings. */
function withComputedDefaults(parsed: ClusterSettings | MeshSettings, project: string): StackConfig {
    if (parsed.kind === "mesh") {
        const { clusters, ingress } = parsed;
        return {
            ...parsed,
            clusters: clusters.map((name) => fullStackName(name, project)),
            ingress: ingress === "all" ? "all" : ingress.flatMap((port) => parseTraffic(port) ?? []),
        };
    }
    const { nodeGroup, cilium, addons } = parsed;
    return {
        ...parsed,
        nodeGroup: { ...nodeGroup, instanceTypes: nodeGroup.instanceTypes ?? [DEFAULT_INSTANCE_TYPES[nodeGroup.architecture]] },
        cilium: { ...cilium, poolCidr: cilium.poolCidr ?? defaultPool(parsed.id) },
        addons: { ...ADDON_VERSIONS[parsed.kubernetesVersion], ...addons },
    };
}

function isKind(raw: unknown, kind: StackConfig["kind"]): boolean {
    return typeof raw === "object" && raw !== null && "kind" in raw && raw.kind === kind;
}

/** A copy without the keys that the schema rejected, so that a typo in one place hides no problem in another. */
function withoutUnknownKeys(raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
    const copy = structuredClone(raw);
    for (const issue of issues) {
        if (issue.code !== "unrecognized_keys") continue;
        const parent = issue.path.reduce<unknown>((object, key) => (object as Record<PropertyKey, unknown>)[key], copy) as Record<
            string,
            unknown
        >;
        for (const key of issue.keys) delete parent[key];
    }
    return copy;
}

import type { z } from "zod";
import { defaultPool } from "../network/cidr.ts";
import { type IngressPolicy, parseTraffic } from "../network/traffic.ts";
import { fullStackName } from "../stack-names.ts";
import { ADDON_VERSIONS, type AddonVersions } from "../versions.ts";
import { CLUSTER_RULES, MESH_RULES } from "./rules.ts";
import { ClusterSchema, type ClusterSettings, MeshSchema, type MeshSettings, StackSettings } from "./schema.ts";

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
 * Checks the value of `clustermesh:stack`. Reads nothing but, for a chart on disk, its Chart.yaml.
 *
 * @param project "<organization>/<project>", which completes short stack names
 * @returns every problem, or the settings with all defaults
 */
export function parseConfig(raw: unknown, project: string): { config?: StackConfig; problems: string[] } {
    if (raw === undefined)
        return { problems: ["clustermesh:stack is missing: see Pulumi.cluster1.yaml for a cluster, Pulumi.mesh.yaml for a mesh"] };
    const parsed = StackSettings.safeParse(raw);
    const issues = parsed.error?.issues ?? [];
    const known = withoutUnknownKeys(raw, issues);
    const problems = issues.map((issue) => describe(issue, raw));
    if (isKind(raw, "cluster"))
        problems.push(...CLUSTER_RULES.flatMap(({ needs, problems }) => checked(ClusterSchema, needs, known).flatMap(problems)));
    if (isKind(raw, "mesh"))
        problems.push(
            ...MESH_RULES.flatMap(({ needs, problems }) =>
                checked(MeshSchema, needs, known).flatMap((settings) => problems(settings, project)),
            ),
        );
    return parsed.success && problems.length === 0 ? { config: complete(parsed.data, project), problems } : { problems };
}

/** These settings, if they are right by themselves whatever is wrong elsewhere: so a rule across them is not silent until all else is mended. */
function checked<S extends z.ZodObject>(schema: S, keys: readonly (keyof z.output<S>)[], raw: unknown): z.output<S>[] {
    const parsed = schema
        .strip()
        .pick(Object.fromEntries(keys.map((key) => [key, true as const])) as never)
        .safeParse(raw);
    return parsed.success ? [parsed.data as z.output<S>] : [];
}

/** Fills in the defaults that depend on other settings. */
function complete(parsed: ClusterSettings | MeshSettings, project: string): StackConfig {
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
        nodeGroup: {
            ...nodeGroup,
            instanceTypes: nodeGroup.instanceTypes ?? [nodeGroup.architecture === "arm64" ? "m7g.large" : "m7i.large"],
        },
        cilium: { ...cilium, poolCidr: cilium.poolCidr ?? defaultPool(parsed.id) },
        addons: { ...ADDON_VERSIONS[parsed.kubernetesVersion], ...addons },
    };
}

function isKind(raw: unknown, kind: StackConfig["kind"]): boolean {
    return typeof raw === "object" && raw !== null && "kind" in raw && raw.kind === kind;
}

/** "vpcCidr "10.0.0.0/99" is no IPv4 block ...": zod's own messages start with a capital, the ones above continue the sentence. */
function describe(issue: z.core.$ZodIssue, raw: unknown): string {
    const path = issue.path.join(".");
    if (issue.code === "unrecognized_keys") {
        return issue.keys
            .map((key) => `unknown key "${[...issue.path, key].join(".")}": remove it or correct its spelling; config.ts has all settings`)
            .join("\n✖ ");
    }
    const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], raw);
    if (issue.path[0] === "kind") return `kind ${JSON.stringify(value)} is neither "cluster" nor "mesh"`;
    if (value === undefined) return `${path} is missing`;
    return /^[A-Z]/.test(issue.message)
        ? `${path} ${JSON.stringify(value)}: ${issue.message}`
        : `${path} ${JSON.stringify(value)} ${issue.message}`;
}

/** The settings without the keys that the schema refused, so that a typo in one place hides no problem in another. */
function withoutUnknownKeys(raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
    const copy = structuredClone(raw);
    for (const issue of issues) {
        if (issue.code !== "unrecognized_keys") continue;
        const parent = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)[key], copy) as Record<string, unknown>;
        for (const key of issue.keys) delete parent[key];
    }
    return copy;
}

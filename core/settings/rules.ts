import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { type HelmValues, refusedPaths } from "../cilium/helm-values.ts";
import { defaultPool, layout, overlap } from "../network/cidr.ts";
import { fullStackName } from "../stack-names.ts";
import type { ClusterSettings, MeshSettings } from "./schema.ts";

/** A check across several settings, each of which is right by itself. */
interface ClusterRule {
    needs: readonly (keyof ClusterSettings)[];
    problems: (settings: ClusterSettings) => string[];
}

interface MeshRule {
    needs: readonly (keyof MeshSettings)[];
    /** @param project "<organization>/<project>" */
    problems: (settings: MeshSettings, project: string) => string[];
}

/** A rule that sees no more than the settings which it names: the others may be wrong. */
function rule<K extends keyof ClusterSettings>(needs: K[], problems: (settings: Pick<ClusterSettings, K>) => string[]): ClusterRule {
    return { needs, problems };
}

export const CLUSTER_RULES: ClusterRule[] = [
    rule(["vpcCidr", "zones"], ({ vpcCidr, zones }) => {
        const count = typeof zones === "number" ? zones : zones.length;
        const fits = (prefix: number) => layout(`10.0.0.0/${prefix}`, count) !== undefined;
        const smallest = [28, 27, 26, 25, 24, 23, 22, 21, 20].find(fits);
        return layout(vpcCidr, count)
            ? []
            : [`vpcCidr "${vpcCidr}" is too small for ${count} zones, which need a /${smallest} at least: widen it, or have fewer zones`];
    }),
    rule(["zones", "region"], ({ zones, region }) => {
        if (typeof zones === "number") return [];
        const foreign = zones.filter((zone) => !zone.startsWith(region) || zone === region);
        return [
            ...foreign.map((zone) => `zones: "${zone}" is no availability zone of ${region}, as ${region}a is`),
            ...(new Set(zones).size < zones.length ? [`zones names one twice (${zones.join(", ")}): name different ones`] : []),
        ];
    }),
    rule(["nat", "nodeGroup"], ({ nat, nodeGroup }) =>
        nat === "none" && nodeGroup.subnets === "private"
            ? [
                  'nat "none" and nodeGroup.subnets "private" leave nodes no way to their images and to EKS: set nat to zone or single, or nodeGroup.subnets to public',
              ]
            : [],
    ),
    rule(["nodeGroup"], ({ nodeGroup: { min, desired, max } }) =>
        min <= desired && desired <= max
            ? []
            : [`nodeGroup: min ${min}, desired ${desired}, max ${max} are not in ascending order: correct them`],
    ),
    rule(["vpcCidr", "serviceCidr"], ({ vpcCidr, serviceCidr }) =>
        overlap(vpcCidr, serviceCidr)
            ? [`serviceCidr "${serviceCidr}" overlaps vpcCidr "${vpcCidr}": services would hide nodes and pods; choose another`]
            : [],
    ),
    rule(["id", "vpcCidr", "serviceCidr", "cilium"], ({ id, vpcCidr, serviceCidr, cilium }) => {
        const pool = cilium.poolCidr ?? defaultPool(id);
        return Object.entries({ vpcCidr, serviceCidr })
            .filter(([, cidr]) => overlap(pool, cidr))
            .map(
                ([key, cidr]) =>
                    `cilium.poolCidr "${pool}" overlaps ${key} "${cidr}": router addresses of nodes would hide others; choose another`,
            );
    }),
    rule(["cilium"], ({ cilium }) =>
        refusedPaths(cilium.values as HelmValues).map(
            (path) => `cilium.values sets ${path}, on which the mesh depends: take it out; what may differ has a setting of its own`,
        ),
    ),
    rule(["cilium"], ({ cilium }) => chartProblems(cilium.chart, cilium.version)),
];

export const MESH_RULES: MeshRule[] = [
    {
        needs: ["clusters"],
        problems: ({ clusters }, project) => {
            const full = clusters.map((name) => fullStackName(name, project));
            return clusters.filter((_, i) => full.indexOf(full[i] ?? "") < i).map((name) => `clusters names ${name} twice: name it once`);
        },
    },
    {
        needs: ["ingress"],
        problems: ({ ingress }) =>
            ingress === "all"
                ? []
                : ingress.filter((port, i) => ingress.indexOf(port) < i).map((port) => `ingress lists ${port} twice: list it once`),
    },
];

/** A chart on disk is looked at before anything is made: Helm would find out after a quarter of an hour. */
function chartProblems(chart: string, version: string): string[] {
    if (/^(https?|oci):\/\//.test(chart)) return [];
    if (!existsSync(chart))
        return [`cilium.chart "${chart}" is not there: name a folder or .tgz relative to Pulumi.yaml, or a repository (https://, oci://)`];
    if (chart.endsWith(".tgz")) return [];
    const manifest = `${chart}/Chart.yaml`;
    if (!existsSync(manifest)) return [`cilium.chart "${chart}" has no Chart.yaml: name the chart's own folder`];
    const found = (parse(readFileSync(manifest, "utf8")) as { version?: string }).version;
    return found === version ? [] : [`cilium.chart "${chart}" is version ${found}, but cilium.version is ${version}: make them agree`];
}

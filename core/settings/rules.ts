import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import { type HelmValues, refusedPaths } from "../cilium/helm-values.ts";
import { defaultPool, overlap, subnetBlocks } from "../network/cidr.ts";
import { fullStackName } from "../stack-names.ts";
import { isRemoteChart } from "./chart.ts";
import type { ClusterSettings, MeshSettings } from "./schema.ts";

/** A check across several settings, each of which is valid by itself. */
interface ClusterRule {
    needs: readonly (keyof ClusterSettings)[];
    /** @param folder folder of Pulumi.yaml */
    problems: (settings: ClusterSettings, folder: string) => string[];
}

interface MeshRule {
    needs: readonly (keyof MeshSettings)[];
    /** @param project "<organization>/<project>" */
    problems: (settings: MeshSettings, project: string) => string[];
}

/** A rule that sees only the settings it names: the others may be invalid. */
function rule<K extends keyof ClusterSettings>(
    needs: K[],
    problems: (settings: Pick<ClusterSettings, K>, folder: string) => string[],
): ClusterRule {
    return { needs, problems };
}

export const CLUSTER_RULES: ClusterRule[] = [
    rule(["vpcCidr", "zones"], ({ vpcCidr, zones }) => {
        const count = typeof zones === "number" ? zones : zones.length;
        const fits = (cidr: string) => subnetBlocks(cidr, count, "private") !== undefined;
        const smallest = [28, 27, 26, 25, 24, 23, 22, 21, 20].find((prefix) => fits(`10.0.0.0/${prefix}`));
        return fits(vpcCidr) ? [] : [`vpcCidr must be at least a /${smallest} for ${count} zones; got "${vpcCidr}"`];
    }),
    rule(["zones", "region"], ({ zones, region }) => {
        if (typeof zones === "number") return [];
        const foreign = zones.filter((zone) => !zone.startsWith(region) || zone === region);
        return [
            ...foreign.map((zone) => `zones must be availability zones of ${region}, such as ${region}a; got "${zone}"`),
            ...(new Set(zones).size < zones.length ? [`zones must list each zone once; got ${zones.join(", ")}`] : []),
        ];
    }),
    rule(["nat", "nodeGroup"], ({ nat, nodeGroup }) =>
        nat === "none" && nodeGroup.subnets === "private"
            ? [
                  'nat "none" with nodeGroup.subnets "private" leaves nodes without a route to image registries and EKS: set nat to zone or single, or nodeGroup.subnets to public',
              ]
            : [],
    ),
    rule(["nodeGroup"], ({ nodeGroup: { min, desired, max } }) =>
        min <= desired && desired <= max
            ? []
            : [`nodeGroup must satisfy min <= desired <= max; got min ${min}, desired ${desired}, max ${max}`],
    ),
    rule(["vpcCidr", "serviceCidr"], ({ vpcCidr, serviceCidr }) =>
        overlap(vpcCidr, serviceCidr)
            ? [`serviceCidr "${serviceCidr}" must not overlap vpcCidr "${vpcCidr}": Services would shadow nodes and pods`]
            : [],
    ),
    rule(["id", "vpcCidr", "serviceCidr", "cilium"], ({ id, vpcCidr, serviceCidr, cilium }) => {
        const pool = cilium.poolCidr ?? defaultPool(id);
        return Object.entries({ vpcCidr, serviceCidr })
            .filter(([, cidr]) => overlap(pool, cidr))
            .map(
                ([key, cidr]) =>
                    `cilium.poolCidr "${pool}" must not overlap ${key} "${cidr}": router addresses of nodes would shadow other addresses`,
            );
    }),
    rule(["cilium"], ({ cilium }) =>
        refusedPaths(cilium.values as HelmValues).map(
            (path) =>
                `cilium.values must not set ${path}, which the mesh depends on: remove it, or use the stack setting for it (docs/configuration.md)`,
        ),
    ),
    rule(["cilium"], ({ cilium }, folder) => chartProblems(cilium.chart, cilium.version, folder)),
];

export const MESH_RULES: MeshRule[] = [
    {
        needs: ["clusters"],
        problems: ({ clusters }, project) => {
            const full = clusters.map((name) => fullStackName(name, project));
            return clusters
                .filter((_, i) => full.indexOf(full[i] ?? "") < i)
                .map((name) => `clusters must list each stack once; ${name} is a duplicate`);
        },
    },
    {
        needs: ["ingress"],
        problems: ({ ingress }) =>
            ingress === "all"
                ? []
                : ingress
                      .filter((port, i) => ingress.indexOf(port) < i)
                      .map((port) => `ingress must list each port once; ${port} is a duplicate`),
    },
];

/** Checks a chart on disk before any resource exists: Helm would fail only after a quarter of an hour. */
function chartProblems(chart: string, version: string, folder: string): string[] {
    if (isRemoteChart(chart)) return [];
    const path = resolve(folder, chart);
    if (!existsSync(path))
        return [
            `cilium.chart must be an existing folder or .tgz, relative to Pulumi.yaml, or a repository (https://, oci://); got "${chart}"`,
        ];
    if (chart.endsWith(".tgz")) return [];
    const manifest = `${path}/Chart.yaml`;
    if (!existsSync(manifest)) return [`cilium.chart must be a chart's own folder, with a Chart.yaml; got "${chart}"`];
    const found = (parse(readFileSync(manifest, "utf8")) as { version?: string }).version;
    return found === version ? [] : [`cilium.chart "${chart}" has version ${found}, but cilium.version is ${version}: they must match`];
}

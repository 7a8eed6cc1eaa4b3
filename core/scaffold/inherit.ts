import { isDeepStrictEqual } from "node:util";
import { LONG_PATH_MTU } from "../preflight.ts";
import { type ClusterConfig, parseConfig } from "../settings/parse.ts";
import type { Allocation } from "./allocate.ts";

/** Settings that a cluster has to itself, or that belong to a region: never taken from other clusters. */
const OWN = ["kind", "name", "id", "region", "vpcCidr", "serviceCidr", "kmsKeyArn"] as const;

type Settings = { [key: string]: unknown };

/**
 * The settings on which all clusters agree, without those that have the default value. A region's own settings are left out: names of zones, the KMS key.
 * An `mtu` over 8500 is kept only within one region, because peering between regions does not carry it.
 */
export function sharedSettings(clusters: readonly ClusterConfig[], region: string): Settings {
    const shared = clusters.map(inheritable).reduce(agreement);
    if (Array.isArray(shared.zones)) delete shared.zones;
    if (clusters.some((cluster) => cluster.region !== region && cluster.mtu > LONG_PATH_MTU)) delete shared.mtu;
    // Add-on versions belong to a Kubernetes version.
    if (!("kubernetesVersion" in shared)) delete shared.addons;
    return withoutDefaults(withWholeSizes(shared), inheritable(defaultsFor(shared)));
}

/** Without min, desired and max unless all three are there: one of them beside the defaults of the others may be out of order. */
function withWholeSizes(shared: Settings): Settings {
    const { min, desired, max, ...others } = (shared.nodeGroup ?? {}) as Settings;
    const sizes = { min, desired, max };
    return { ...shared, nodeGroup: Object.values(sizes).includes(undefined) ? others : { ...others, ...sizes } };
}

/** The settings of a cluster in the order in which its file lists them: its own, then the shared ones. */
export function clusterSettings(
    name: string,
    region: string,
    { id, vpcCidr, serviceCidr, poolCidr }: Allocation,
    shared: Settings,
): { kind: "cluster" } & Settings {
    const { assumeRole, cilium, ...others } = shared;
    return {
        kind: "cluster",
        name,
        id,
        region,
        ...(assumeRole !== undefined && { assumeRole }),
        vpcCidr,
        ...(serviceCidr && { serviceCidr }),
        ...others,
        ...((cilium !== undefined || poolCidr) && { cilium: { ...(cilium as Settings | undefined), ...(poolCidr && { poolCidr }) } }),
    };
}

function inheritable(config: ClusterConfig): Settings {
    const { poolCidr: _, ...cilium } = config.cilium;
    return Object.fromEntries(Object.entries({ ...config, cilium }).filter(([key]) => !OWN.some((own) => own === key)));
}

/** What two objects have in common, at any depth. Lists are compared as a whole. */
function agreement(a: Settings, b: Settings): Settings {
    return Object.fromEntries(
        Object.entries(a).flatMap(([key, value]) => {
            const other = b[key];
            if (isDeepStrictEqual(value, other)) return [[key, value]];
            return isObject(value) && isObject(other) ? [[key, agreement(value, other)]] : [];
        }),
    );
}

function withoutDefaults(settings: Settings, defaults: Settings): Settings {
    return Object.fromEntries(
        Object.entries(settings).flatMap(([key, value]) => {
            const standard = defaults[key];
            if (isDeepStrictEqual(value, standard)) return [];
            if (!isObject(value)) return [[key, value]];
            const rest = withoutDefaults(value, isObject(standard) ? standard : {});
            return Object.keys(rest).length > 0 ? [[key, rest]] : [];
        }),
    );
}

/** The defaults of a cluster. Add-on versions depend on its Kubernetes version, instance types on its architecture. */
function defaultsFor({ kubernetesVersion, nodeGroup }: Settings): ClusterConfig {
    const { architecture } = (nodeGroup ?? {}) as Settings;
    const plain = minimalCluster({});
    const { addons } = kubernetesVersion === undefined ? plain : minimalCluster({ kubernetesVersion });
    const { instanceTypes } = (architecture === undefined ? plain : minimalCluster({ nodeGroup: { architecture } })).nodeGroup;
    return { ...plain, addons, nodeGroup: { ...plain.nodeGroup, instanceTypes } };
}

function minimalCluster(settings: Settings): ClusterConfig {
    const required = { kind: "cluster", name: "c", id: 1, region: "eu-central-1", vpcCidr: "10.0.0.0/16" };
    const { config, problems } = parseConfig({ ...required, ...settings }, "organization/clustermesh");
    if (config?.kind !== "cluster") throw new Error(`the defaults of a cluster are not valid: ${problems.join(", ")}`);
    return config;
}

function isObject(value: unknown): value is Settings {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

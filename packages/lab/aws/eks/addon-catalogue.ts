import { parse } from "yaml";
import { ADDON_VERSIONS, type AddonVersions } from "../../../../core/versions.ts";
import { invalid } from "./tables.ts";

interface CatalogueAddon {
    type: string;
    /** The add-on's key in `ADDON_VERSIONS`. Without it, `versions` holds for every Kubernetes version. */
    pinned?: keyof AddonVersions;
    versions: string[];
    /** Top-level keys that its configuration values may have. */
    settings: string[];
    /** Whether it is ACTIVE only once its pods run, which need a node. */
    needsNodes: boolean;
}

const SCHEDULING = ["affinity", "nodeSelector", "podAnnotations", "podLabels", "resources", "tolerations"];

/** All add-ons. */
export const ADDONS: Record<string, CatalogueAddon> = {
    "vpc-cni": {
        type: "networking",
        pinned: "vpcCni",
        versions: ["v1.20.4-eksbuild.1"],
        settings: [
            ...SCHEDULING,
            "enableNetworkPolicy",
            "enableWindowsIpam",
            "enableWindowsPrefixDelegation",
            "env",
            "eniConfig",
            "init",
            "livenessProbeTimeoutSeconds",
            "minimumWindowsIPTarget",
            "nodeAgent",
            "originalMatchLabels",
            "priorityClassName",
            "readinessProbeTimeoutSeconds",
            "warmWindowsIPTarget",
            "warmWindowsPrefixTarget",
        ],
        needsNodes: false,
    },
    "kube-proxy": {
        type: "networking",
        pinned: "kubeProxy",
        versions: [],
        settings: [...SCHEDULING, "ipvs", "mode", "priorityClassName"],
        needsNodes: false,
    },
    coredns: {
        type: "networking",
        pinned: "coreDns",
        versions: ["v1.12.1-eksbuild.2"],
        settings: [
            ...SCHEDULING,
            "autoScaling",
            "computeType",
            "corefile",
            "podDisruptionBudget",
            "replicaCount",
            "topologySpreadConstraints",
        ],
        needsNodes: true,
    },
    "eks-pod-identity-agent": {
        type: "security",
        versions: ["v1.3.8-eksbuild.2"],
        settings: [...SCHEDULING, "agent", "init", "priorityClassName"],
        needsNodes: false,
    },
    "aws-ebs-csi-driver": {
        type: "storage",
        versions: ["v1.48.0-eksbuild.1"],
        settings: [...SCHEDULING, "controller", "node", "defaultStorageClass", "sidecars"],
        needsNodes: true,
    },
};

/** The versions of an add-on for a Kubernetes minor version, the default first. */
export function addonVersions(name: string, kubernetes: string): string[] {
    const addon = ADDONS[name];
    if (!addon) return [];
    const pinned = addon.pinned && (ADDON_VERSIONS as Record<string, AddonVersions>)[kubernetes]?.[addon.pinned];
    const others = name === "kube-proxy" ? [`v${kubernetes}.0-eksbuild.2`] : addon.versions;
    return [...(pinned ? [pinned] : []), ...others];
}

export function defaultVersion(name: string, kubernetes: string): string {
    return addonVersions(name, kubernetes)[0] ?? "";
}

/**
 * Checks configuration values: only the top-level keys and the values of `env`.
 *
 * @throws AwsError as EKS does if the add-on's schema does not allow them
 */
export function checkConfiguration(name: string, text: string): void {
    const values = parseConfiguration(text);
    const settings = ADDONS[name]?.settings ?? [];
    const unknown = Object.keys(values).find((key) => !settings.includes(key));
    if (unknown !== undefined)
        throw unsupported(`$.${unknown}: is not defined in the schema and the schema does not allow additional properties`);
    for (const [key, value] of Object.entries(asObject(values.env ?? {}, "$.env")))
        if (typeof value !== "string") throw unsupported(`$.env.${key}: ${typeof value} found, string expected`);
}

/**
 * Parses configuration values, which may be JSON or YAML.
 *
 * @throws AwsError if they are neither, or not an object
 */
export function parseConfiguration(text: string): Record<string, unknown> {
    let values: unknown;
    try {
        values = parse(text);
    } catch {
        throw invalid("ConfigurationValue provided in request is not supported: it is neither valid JSON nor valid YAML");
    }
    return asObject(values ?? {}, "$");
}

function asObject(value: unknown, path: string): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        throw unsupported(`${path}: ${typeof value} found, object expected`);
    return value as Record<string, unknown>;
}

function unsupported(problem: string) {
    return invalid(`ConfigurationValue provided in request is not supported: Json schema validation failed with error: [${problem}]`);
}

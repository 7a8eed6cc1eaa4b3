import { parse } from "yaml";
import { ADDON_VERSIONS, type AddonVersions } from "../../../../core/versions.ts";
import { invalid } from "./tables.ts";

interface Known {
    type: string;
    /** Whose versions these are in `ADDON_VERSIONS`. None: the same ones for every Kubernetes. */
    pinned?: keyof AddonVersions;
    versions: string[];
    /** What its configuration may hold at the top. */
    settings: string[];
    /** Ready only once pods of its own run: they need a node. */
    needsNodes: boolean;
}

const PLACING = ["affinity", "nodeSelector", "podAnnotations", "podLabels", "resources", "tolerations"];

/** The add-ons that there are. */
export const ADDONS: Record<string, Known> = {
    "vpc-cni": {
        type: "networking",
        pinned: "vpcCni",
        versions: ["v1.20.4-eksbuild.1"],
        settings: [
            ...PLACING,
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
        settings: [...PLACING, "ipvs", "mode", "priorityClassName"],
        needsNodes: false,
    },
    coredns: {
        type: "networking",
        pinned: "coreDns",
        versions: ["v1.12.1-eksbuild.2"],
        settings: [
            ...PLACING,
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
        settings: [...PLACING, "agent", "init", "priorityClassName"],
        needsNodes: false,
    },
    "aws-ebs-csi-driver": {
        type: "storage",
        versions: ["v1.48.0-eksbuild.1"],
        settings: [...PLACING, "controller", "node", "defaultStorageClass", "sidecars"],
        needsNodes: true,
    },
};

/** The versions of an add-on for a minor of Kubernetes, the default one first. */
export function addonVersions(name: string, kubernetes: string): string[] {
    const known = ADDONS[name];
    if (!known) return [];
    const pinned = known.pinned && (ADDON_VERSIONS as Record<string, AddonVersions>)[kubernetes]?.[known.pinned];
    const plain = name === "kube-proxy" ? [`v${kubernetes}.0-eksbuild.2`] : known.versions;
    return [...(pinned ? [pinned] : []), ...plain];
}

export function defaultVersion(name: string, kubernetes: string): string {
    return addonVersions(name, kubernetes)[0] ?? "";
}

/** Refuses a configuration that the add-on's schema does not allow. Only the names at the top and the `env` are looked at. */
export function checkConfiguration(name: string, text: string): void {
    const values = parseConfiguration(text);
    const settings = ADDONS[name]?.settings ?? [];
    const unknown = Object.keys(values).find((key) => !settings.includes(key));
    if (unknown !== undefined)
        throw unsupported(`$.${unknown}: is not defined in the schema and the schema does not allow additional properties`);
    for (const [key, value] of Object.entries(fields(values.env ?? {}, "$.env")))
        if (typeof value !== "string") throw unsupported(`$.env.${key}: ${typeof value} found, string expected`);
}

/** A configuration, which may be JSON or YAML. */
export function parseConfiguration(text: string): Record<string, unknown> {
    let values: unknown;
    try {
        values = parse(text);
    } catch {
        throw invalid("ConfigurationValue provided in request is not supported: it is neither valid JSON nor valid YAML");
    }
    return fields(values ?? {}, "$");
}

function fields(value: unknown, path: string): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        throw unsupported(`${path}: ${typeof value} found, object expected`);
    return value as Record<string, unknown>;
}

function unsupported(problem: string) {
    return invalid(`ConfigurationValue provided in request is not supported: Json schema validation failed with error: [${problem}]`);
}

import semver from "semver";

/** Kubernetes minor versions that are in standard support of EKS and that Cilium 1.20 is tested with. */
export const KUBERNETES_VERSIONS = ["1.34", "1.35", "1.36"] as const;

/** Cilium versions whose chart the Helm values are written for. Older charts name certificates differently; 1.21 has no direct wiring. */
export const CILIUM_RANGE = ">=1.20.0 <1.21.0";

export type KubernetesVersion = (typeof KUBERNETES_VERSIONS)[number];

/** Versions of the EKS add-ons. The stack file can override each. */
export interface AddonVersions {
    vpcCni: string;
    kubeProxy: string;
    coreDns: string;
}

/**
 * Pinned, because @pulumi/eks would otherwise use the newest version in every run and so change a cluster unasked. From the EKS user guide
 * (managing-vpc-cni, managing-kube-proxy, managing-coredns) where it lists the version, otherwise from configurations in public repositories;
 * not verified on an account. `aws eks describe-addon-versions --kubernetes-version <v>` lists the versions of a region.
 */
export const ADDON_VERSIONS: Record<KubernetesVersion, AddonVersions> = {
    "1.34": { vpcCni: "v1.21.1-eksbuild.3", kubeProxy: "v1.34.6-eksbuild.13", coreDns: "v1.13.2-eksbuild.7" },
    "1.35": { vpcCni: "v1.21.1-eksbuild.3", kubeProxy: "v1.35.3-eksbuild.13", coreDns: "v1.14.2-eksbuild.4" },
    "1.36": { vpcCni: "v1.22.4-eksbuild.3", kubeProxy: "v1.36.0-eksbuild.14", coreDns: "v1.14.3-eksbuild.3" },
};

/** Whether the Helm values of this program are written for this Cilium version. */
export function supportsCilium(version: string): boolean {
    return semver.valid(version) === version && semver.satisfies(version, CILIUM_RANGE);
}

/** The minor version of "1.35" or "1.20.2" as a number, for differences. A major version counts as a hundred minor versions. */
export function minor(version: string): number {
    const parsed = semver.coerce(version);
    return parsed ? parsed.major * 100 + parsed.minor : Number.NaN;
}

import semver from "semver";

/** Kubernetes minors that EKS has in standard support and Cilium 1.20 is tested with. */
export const KUBERNETES_VERSIONS = ["1.34", "1.35", "1.36"] as const;

/** Cilium versions for whose chart the Helm values are written. Older ones name certificates otherwise; 1.21 has no direct wiring. */
export const CILIUM_RANGE = ">=1.20.0 <1.21.0";

export type KubernetesVersion = (typeof KUBERNETES_VERSIONS)[number];

/** Versions of EKS's own add-ons. Each can be overridden by the stack file. */
export interface AddonVersions {
    vpcCni: string;
    kubeProxy: string;
    coreDns: string;
}

/**
 * Pinned, since @pulumi/eks would otherwise take the newest at every run and so change a cluster without being asked. From AWS's EKS user guide
 * (managing-vpc-cni, managing-kube-proxy, managing-coredns) where it had the version, else from configurations that public repositories run;
 * not tried on an account. `aws eks describe-addon-versions --kubernetes-version <v>` lists what a region offers.
 */
export const ADDON_VERSIONS: Record<KubernetesVersion, AddonVersions> = {
    "1.34": { vpcCni: "v1.21.1-eksbuild.3", kubeProxy: "v1.34.6-eksbuild.13", coreDns: "v1.13.2-eksbuild.7" },
    "1.35": { vpcCni: "v1.21.1-eksbuild.3", kubeProxy: "v1.35.3-eksbuild.13", coreDns: "v1.14.2-eksbuild.4" },
    "1.36": { vpcCni: "v1.22.4-eksbuild.3", kubeProxy: "v1.36.0-eksbuild.14", coreDns: "v1.14.3-eksbuild.3" },
};

/** Whether the program's Helm values fit this Cilium. */
export function supportsCilium(version: string): boolean {
    return semver.valid(version) === version && semver.satisfies(version, CILIUM_RANGE);
}

/** The minor of "1.35" or "1.20.2" as a number that can be subtracted. A new major is as far away as a hundred minors. */
export function minor(version: string): number {
    const parsed = semver.coerce(version);
    return parsed ? parsed.major * 100 + parsed.minor : Number.NaN;
}

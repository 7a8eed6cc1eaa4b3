/** The NodePort behind which every node forwards to clustermesh-apiserver: the NLB's target. The chart's own default, pinned. */
export const APISERVER_NODE_PORT = 32379;

/** A router address for each node, from Cilium's pool. /29 renders as well, but leaves no room for an ingress address. */
const POOL_MASK_SIZE = 28;

/** The most clusters that one mesh can have. Must be the same in all of them and can never change on a living one, so it is no setting. */
export const MAX_CONNECTED_CLUSTERS = 255;

/** A tree of Helm values. */
export interface HelmValues {
    [key: string]: unknown;
}

/** What the values of the Cilium chart depend on. */
export interface CiliumSettings {
    name: string;
    id: number;
    poolCidr: string;
    /** Bytes. */
    mtu: number;
    kvstoreMesh: boolean;
    privileged: boolean;
}

/**
 * The values that a cluster of the mesh cannot do without, for the chart of Cilium 1.20, chained on the AWS VPC CNI. No secret is among them: the chart
 * finds its certificates in Secrets that are there before it.
 */
export function meshValues({ name, id, poolCidr, mtu, kvstoreMesh }: CiliumSettings): HelmValues {
    return {
        cluster: { name, id },
        // Cilium attaches behind the VPC CNI, which addresses the pods; exclusive would rename the VPC CNI's own config away.
        cni: { chainingMode: "aws-cni", exclusive: false },
        eni: { enabled: false },
        routingMode: "native",
        // A source address that is not the pod's is no identity in the peer's eyes: policies would not match.
        enableIPv4Masquerade: false,
        // The VPC CNI uses bits of the packet mark as well (cilium#21330, cilium#38738).
        enableIdentityMark: false,
        bandwidthManager: { enabled: false },
        MTU: mtu,
        identityAllocationMode: "crd",
        // Router addresses only. The chart's default, 10.0.0.0/8, would be the same in every cluster and collide with VPCs (cilium#30682).
        ipam: { mode: "cluster-pool", operator: { clusterPoolIPv4PodCIDRList: [poolCidr], clusterPoolIPv4MaskSize: POOL_MASK_SIZE } },
        clustermesh: {
            useAPIServer: true,
            maxConnectedClusters: MAX_CONNECTED_CLUSTERS,
            // The mesh stack owns the secrets: the chart must not write them too.
            config: { enabled: false },
            apiserver: {
                service: {
                    type: "NodePort",
                    nodePort: APISERVER_NODE_PORT,
                    // Every node is a target of the NLB, also one that runs no replica.
                    externalTrafficPolicy: "Cluster",
                    // With two replicas the chart's default would be ClientIP, which AWS load balancers refuse (cilium#32646).
                    enableSessionAffinity: "Never",
                },
                kvstoremesh: { enabled: kvstoreMesh },
                // Certificates made by each rendering of the chart would differ every time and break the peers.
                tls: { authMode: "migration", auto: { enabled: false } },
            },
        },
    };
}

/** Defaults for production that a user may change: two replicas each, no certificates that change at every upgrade. */
function defaultValues({ privileged }: CiliumSettings): HelmValues {
    return {
        // Stated, though it is the chart's default since 1.19: without a cluster label a policy selects local pods only.
        clustermesh: {
            policyDefaultLocalCluster: true,
            apiserver: { replicas: 2, podDisruptionBudget: { enabled: true, maxUnavailable: 1 } },
        },
        operator: { replicas: 2 },
        // Its certificates would be made anew by every upgrade of the release; turn it on with hubble.tls.auto.method cronJob.
        hubble: { enabled: false },
        ...(privileged && { securityContext: { privileged: true } }),
    };
}

/** The values of a cluster's release: defaults, then the user's. Settings validation (`refusedPaths`) has already refused values that the mesh depends on. */
export function ciliumValues(settings: CiliumSettings, extra: HelmValues): HelmValues {
    return [meshValues(settings), extra].reduce(merge, defaultValues(settings));
}

/** Merges as Helm does: trees key by key, anything else replaced. */
function merge(base: HelmValues, over: HelmValues): HelmValues {
    const both = Object.entries(over).map(([key, value]) => {
        const old = base[key];
        return [key, isTree(old) && isTree(value) ? merge(old, value) : value];
    });
    return { ...base, ...Object.fromEntries(both) };
}

function isTree(value: unknown): value is HelmValues {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Paths, besides the ones that `meshValues` sets, through which the mesh can be broken. */
const ALSO_REFUSED = [
    "clustermesh.apiserver.tls",
    "clustermesh.apiserver.kvstoremesh.kvstoreMode",
    "clustermesh.apiserver.service.externallyCreated",
    "clustermesh.config",
    "cni.chainingTarget",
    "cni.configMap",
    "cni.customConf",
    "enableIPv4",
    "etcd",
    "extraConfig.allow-unsafe-policy-skb-usage",
    "extraConfig.clustermesh-config",
    "tls.ca",
    "tls.caBundle",
];

/** Keys of `cilium-config` that the values above write: `extraConfig` is rendered after them and would win. */
const REFUSED_CONFIG_KEYS = [
    "cluster-id",
    "cluster-name",
    "cluster-pool-ipv4-cidr",
    "cluster-pool-ipv4-mask-size",
    "cni-chaining-mode",
    "cni-exclusive",
    "enable-identity-mark",
    "enable-ipv4-masquerade",
    "identity-allocation-mode",
    "ipam",
    "max-connected-clusters",
    "routing-mode",
];

/** Dotted paths of the user's extra Helm values on which the mesh depends. Empty when there is none. */
export function refusedPaths(extra: HelmValues): string[] {
    const sample = meshValues({ name: "", id: 0, poolCidr: "", mtu: 0, kvstoreMesh: false, privileged: false });
    const owned = [...leaves(sample), ...ALSO_REFUSED, ...REFUSED_CONFIG_KEYS.map((key) => `extraConfig.${key}`)];
    const under = (path: string, root: string) => path === root || path.startsWith(`${root}.`);
    // Both ways round: "cluster: null" would take away cluster.id, and "tls.ca.key" is a part of tls.ca.
    return leaves(extra).filter((path) => owned.some((root) => under(path, root) || under(root, path)));
}

function leaves(values: HelmValues, prefix = ""): string[] {
    return Object.entries(values).flatMap(([key, value]) => (isTree(value) ? leaves(value, `${prefix}${key}.`) : [`${prefix}${key}`]));
}

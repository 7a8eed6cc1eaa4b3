import { ETCD_PORT } from "../cilium/clustermesh-config.ts";
import { MAX_CONNECTED_CLUSTERS } from "../cilium/helm-values.ts";
import { endpointAddress, type SubnetBlocks, subnetBlocks } from "../network/cidr.ts";
import type { ClusterConfig } from "../settings/parse.ts";
import type { ClusterFacts } from "./schema.ts";

/** What a cluster will publish, as far as its stack file decides it. */
export type PlannedFacts = Omit<
    ClusterFacts,
    "contract" | "accountId" | "clusterArn" | "vpcId" | "attachmentSubnetIds" | "etcdCertificatesExpire"
>;

/** What of it the file alone decides: published by the stack, and planned, as one and the same. */
export function decidedFacts(config: ClusterConfig) {
    const { name, cilium } = config;
    return {
        name,
        id: config.id,
        region: config.region,
        // Left out where there is none: the engine warns of an output that is undefined.
        ...(config.assumeRole && { assumeRole: config.assumeRole }),
        kubernetesVersion: config.kubernetesVersion,
        ciliumVersion: cilium.version,
        datapath: "aws-cni",
        maxConnectedClusters: MAX_CONNECTED_CLUSTERS,
        wiring: cilium.kvstoreMesh ? ("kvstoremesh" as const) : ("direct" as const),
        mtu: config.mtu,
        vpcCidrs: [config.vpcCidr],
        serviceCidr: config.serviceCidr,
        ciliumPoolCidr: cilium.poolCidr,
    };
}

/**
 * What the stack will publish. Where AWS will give an id, a name of ours stands, a different one for each thing: so routes and rules can be counted with the
 * functions that make them.
 *
 * @param stack full name
 */
export function plannedFacts(config: ClusterConfig, stack: string): PlannedFacts {
    const { name } = config;
    const zones = zoneNames(config);
    return {
        ...decidedFacts(config),
        stack,
        routeTableIds: ["public", ...zones.map((zone) => `private ${zone}`)].map((table) => `${table} of ${name}`),
        nodeSecurityGroupIds: [`nodes of ${name}`],
        etcd: { addresses: subnets(config).private.map(endpointAddress), port: ETCD_PORT, securityGroupId: `etcd of ${name}` },
    };
}

/** The zones that the file names, else "zone 1" and so on: which ones these are, only AWS tells. */
export function zoneNames({ zones }: ClusterConfig): string[] {
    return typeof zones === "number" ? Array.from({ length: zones }, (_, i) => `zone ${i + 1}`) : zones;
}

/** Blocks of the subnets, one in each zone. */
export function subnets({ vpcCidr, zones, nodeGroup }: Pick<ClusterConfig, "vpcCidr" | "zones" | "nodeGroup">): SubnetBlocks {
    const blocks = subnetBlocks(vpcCidr, typeof zones === "number" ? zones : zones.length, nodeGroup.subnets);
    if (!blocks) throw new Error(`${vpcCidr} is too small for its zones, which settings validation should have reported`);
    return blocks;
}

/** The account in which the cluster is made, by the role that is assumed for it; undefined: that of whoever runs Pulumi. */
export function accountOf({ assumeRole }: Pick<PlannedFacts, "assumeRole">): string | undefined {
    return assumeRole?.split(":")[4];
}

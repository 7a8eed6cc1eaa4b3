import { ETCD_PORT } from "../cilium/clustermesh-config.ts";
import { MAX_CONNECTED_CLUSTERS } from "../cilium/helm-values.ts";
import { endpointAddress, type SubnetBlocks, subnetBlocks } from "../network/cidr.ts";
import type { ClusterConfig } from "../settings/parse.ts";
import type { ClusterFacts } from "./schema.ts";

/** The facts that a cluster will publish, as far as its stack file decides them. */
export type PlannedFacts = Omit<
    ClusterFacts,
    "contract" | "accountId" | "clusterArn" | "vpcId" | "attachmentSubnetIds" | "etcdCertificatesExpire"
>;

/** The facts that the stack file alone decides. The stack publishes them, and the plan uses them, from this one function. */
export function decidedFacts(config: ClusterConfig) {
    const { name, cilium } = config;
    return {
        name,
        id: config.id,
        region: config.region,
        // Omitted if undefined: the engine warns about undefined outputs.
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
 * The facts that the stack will publish. Ids that AWS will assign are replaced by unique names, so that routes and rules can be counted with the functions that
 * create them.
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

/** The zones that the file names, or "zone 1" and so on: only AWS knows which zones those are. */
export function zoneNames({ zones }: ClusterConfig): string[] {
    return typeof zones === "number" ? Array.from({ length: zones }, (_, i) => `zone ${i + 1}`) : zones;
}

/** Blocks of the subnets, one in each zone. */
export function subnets({ vpcCidr, zones, nodeGroup }: Pick<ClusterConfig, "vpcCidr" | "zones" | "nodeGroup">): SubnetBlocks {
    const blocks = subnetBlocks(vpcCidr, typeof zones === "number" ? zones : zones.length, nodeGroup.subnets);
    if (!blocks) throw new Error(`${vpcCidr} is too small for its zones, which settings validation should have reported`);
    return blocks;
}

/** The cluster's account, from the role that is assumed for it. Undefined for the account of the credentials that run Pulumi. */
export function accountOf({ assumeRole }: Pick<PlannedFacts, "assumeRole">): string | undefined {
    return assumeRole?.split(":")[4];
}

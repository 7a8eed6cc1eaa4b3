import fc from "fast-check";
import { type ClusterFacts, CONTRACT_VERSION } from "../core/facts/schema.ts";
import { defaultPool } from "../core/network/cidr.ts";

/** The facts of the cluster with this id. Clusters with different ids up to 127 can form a mesh. */
export function member(id: number, facts: Partial<ClusterFacts> = {}): ClusterFacts {
    const name = facts.name ?? `c${id}`;
    return {
        contract: CONTRACT_VERSION,
        stack: `organization/clustermesh/${name}`,
        name,
        id,
        region: "eu-central-1",
        accountId: "111111111111",
        clusterArn: `arn:aws:eks:eu-central-1:111111111111:cluster/${name}`,
        kubernetesVersion: "1.35",
        ciliumVersion: "1.20.2",
        datapath: "aws-cni",
        maxConnectedClusters: 255,
        wiring: "direct",
        mtu: 8500,
        vpcId: `vpc-${name}`,
        vpcCidrs: [`10.${id}.0.0/16`],
        routeTableIds: [`rtb-${name}-public`, `rtb-${name}-private`],
        attachmentSubnetIds: [`subnet-${name}`],
        serviceCidr: "172.20.0.0/16",
        ciliumPoolCidr: defaultPool(id),
        nodeSecurityGroupIds: [`sg-${name}`],
        etcd: { addresses: [`10.${id}.0.16`, `10.${id}.64.16`], port: 2379, securityGroupId: `sg-${name}-etcd` },
        etcdCertificatesExpire: "2099-01-01T00:00:00Z",
        ...facts,
    };
}

/**
 * 2 to 12 clusters that can form a mesh, in any order, each with 1 to 3 CIDR blocks, 1 to 4 route tables, 1 to 2 security groups and 2 to 3 zones with an etcd
 * address.
 */
export const fitMembers: fc.Arbitrary<ClusterFacts[]> = fc
    .uniqueArray(fc.integer({ min: 1, max: 127 }), { minLength: 2, maxLength: 12 })
    .chain((ids) =>
        fc.tuple(
            ...ids.map((id) =>
                fc
                    .record({
                        blocks: fc.integer({ min: 1, max: 3 }),
                        tables: fc.integer({ min: 1, max: 4 }),
                        groups: fc.integer({ min: 1, max: 2 }),
                        zones: fc.integer({ min: 2, max: 3 }),
                    })
                    .map(({ blocks, tables, groups, zones }) =>
                        member(id, {
                            vpcCidrs: numbered(blocks, (i) => `10.${id}.${i * 64}.0/18`),
                            routeTableIds: numbered(tables, (i) => `rtb-${id}-${i}`),
                            nodeSecurityGroupIds: numbered(groups, (i) => `sg-${id}-${i}`),
                            etcd: {
                                addresses: numbered(zones, (i) => `10.${id}.${i * 16}.16`),
                                port: 2379,
                                securityGroupId: `sg-${id}-etcd`,
                            },
                        }),
                    ),
            ),
        ),
    );

function numbered<T>(count: number, item: (i: number) => T): T[] {
    return Array.from({ length: count }, (_, i) => item(i));
}

import { z } from "zod";
import type { AwsEvidence, MeshEvidence } from "../../core/doctor/evidence.ts";
import { type Depth, fetchers } from "../../core/doctor/fetch.ts";
import type { ClusterFacts } from "../../core/facts/schema.ts";
import type { Aws } from "./command-line.ts";

const RouteTables = z.looseObject({
    RouteTables: z.array(
        z.looseObject({
            RouteTableId: z.string(),
            Routes: z.array(
                z.looseObject({
                    DestinationCidrBlock: z.string().optional(),
                    DestinationPrefixListId: z.string().optional(),
                    State: z.string().optional(),
                    GatewayId: z.string().optional(),
                    NatGatewayId: z.string().optional(),
                    TransitGatewayId: z.string().optional(),
                    VpcPeeringConnectionId: z.string().optional(),
                    NetworkInterfaceId: z.string().optional(),
                }),
            ),
        }),
    ),
});

const Rules = z.looseObject({
    SecurityGroupRules: z.array(
        z.looseObject({
            GroupId: z.string(),
            IsEgress: z.boolean(),
            IpProtocol: z.string(),
            FromPort: z.int().optional(),
            ToPort: z.int().optional(),
            CidrIpv4: z.string().optional(),
        }),
    ),
});

const Peerings = z.looseObject({
    VpcPeeringConnections: z.array(z.looseObject({ VpcPeeringConnectionId: z.string(), Status: z.looseObject({ Code: z.string() }) })),
});

const Attachments = z.looseObject({
    TransitGatewayVpcAttachments: z.array(z.looseObject({ TransitGatewayId: z.string(), State: z.string() })),
});

const Balancers = z.looseObject({
    LoadBalancers: z.array(
        z.looseObject({
            LoadBalancerArn: z.string(),
            LoadBalancerName: z.string(),
            State: z.looseObject({ Code: z.string() }),
            SecurityGroups: z.array(z.string()).default([]),
            AvailabilityZones: z.array(
                z.looseObject({ LoadBalancerAddresses: z.array(z.looseObject({ PrivateIPv4Address: z.string().optional() })).default([]) }),
            ),
        }),
    ),
});

const Groups = z.looseObject({ TargetGroups: z.array(z.looseObject({ TargetGroupArn: z.string() })) });

const Health = z.looseObject({
    TargetHealthDescriptions: z.array(
        z.looseObject({
            Target: z.looseObject({ Id: z.string() }),
            TargetHealth: z.looseObject({ State: z.string(), Description: z.string().optional() }),
        }),
    ),
});

/** Evidence from AWS: a cluster's routes, ingress rules and connections to its peers, and its etcd's load balancer. A part that cannot be read holds the reason. */
export async function awsEvidence(aws: Aws, cluster: ClusterFacts, mesh: MeshEvidence | undefined, depth: Depth): Promise<AwsEvidence> {
    const { fetch, fetchForDoctor } = fetchers(depth);
    const [routes, rules, connections, balancer] = await Promise.all([
        fetchForDoctor(() => readRoutes(aws, cluster)),
        fetchForDoctor(() => readIngressRules(aws, cluster)),
        fetch(() => readConnections(aws, cluster, mesh)),
        fetch(() => readBalancer(aws, cluster)),
    ]);
    return { routes, rules, connections, balancer };
}

async function readRoutes(aws: Aws, cluster: ClusterFacts) {
    const command = ["ec2", "describe-route-tables", ...filter("vpc-id", [cluster.vpcId])];
    const { RouteTables: tables } = await aws(cluster, command, RouteTables);
    return tables.flatMap(({ RouteTableId: table, Routes }) =>
        Routes.map((route) => ({
            table,
            destination: route.DestinationCidrBlock ?? route.DestinationPrefixListId ?? "",
            target:
                route.VpcPeeringConnectionId ??
                route.TransitGatewayId ??
                route.NatGatewayId ??
                route.GatewayId ??
                route.NetworkInterfaceId ??
                "another kind of target",
            state: route.State ?? "active",
        })),
    );
}

async function readIngressRules(aws: Aws, cluster: ClusterFacts) {
    const groups = [cluster.etcd.securityGroupId, ...cluster.nodeSecurityGroupIds];
    const { SecurityGroupRules } = await aws(cluster, ["ec2", "describe-security-group-rules", ...filter("group-id", groups)], Rules);
    return SecurityGroupRules.flatMap(({ GroupId, IsEgress, IpProtocol, FromPort, ToPort, CidrIpv4 }) =>
        IsEgress || CidrIpv4 === undefined
            ? []
            : [
                  {
                      group: GroupId,
                      source: CidrIpv4,
                      protocol: IpProtocol,
                      ...(FromPort !== undefined && { fromPort: FromPort }),
                      ...(ToPort !== undefined && { toPort: ToPort }),
                  },
              ],
    );
}

/** States by id. Requested by filters, because asking for an id that no longer exists is an error. */
async function readConnections(aws: Aws, cluster: ClusterFacts, mesh: MeshEvidence | undefined): Promise<Record<string, string>> {
    if (mesh?.network === "transit-gateway") {
        const command = ["ec2", "describe-transit-gateway-vpc-attachments", ...filter("vpc-id", [cluster.vpcId])];
        const { TransitGatewayVpcAttachments } = await aws(cluster, command, Attachments);
        return statesById(TransitGatewayVpcAttachments.map(({ TransitGatewayId, State }) => [TransitGatewayId, State]));
    }
    const ids = Object.entries(mesh?.connections ?? {}).flatMap(([pair, id]) => (pair.split(".").includes(cluster.name) ? [id] : []));
    if (ids.length === 0) return {};
    const command = ["ec2", "describe-vpc-peering-connections", ...filter("vpc-peering-connection-id", ids)];
    const { VpcPeeringConnections } = await aws(cluster, command, Peerings);
    return statesById(VpcPeeringConnections.map(({ VpcPeeringConnectionId, Status }) => [VpcPeeringConnectionId, Status.Code]));
}

/** AWS still lists a deleted attachment for a while beside its replacement; the available one wins. */
function statesById(states: [string, string][]): Record<string, string> {
    return Object.fromEntries(states.toSorted(([, a], [, b]) => Number(a === "available") - Number(b === "available")));
}

/** The load balancer in front of the cluster's etcd; null: it does not exist. */
async function readBalancer(aws: Aws, cluster: ClusterFacts) {
    const { LoadBalancers } = await aws(cluster, ["elbv2", "describe-load-balancers"], Balancers);
    const balancer = LoadBalancers.find(({ SecurityGroups }) => SecurityGroups.includes(cluster.etcd.securityGroupId));
    if (!balancer) return null;
    return {
        name: balancer.LoadBalancerName,
        state: balancer.State.Code,
        addresses: balancer.AvailabilityZones.flatMap(({ LoadBalancerAddresses }) =>
            LoadBalancerAddresses.flatMap((address) => address.PrivateIPv4Address ?? []),
        ),
        targets: await readTargets(aws, cluster, balancer.LoadBalancerArn),
    };
}

async function readTargets(aws: Aws, cluster: ClusterFacts, balancerArn: string) {
    const { TargetGroups } = await aws(cluster, ["elbv2", "describe-target-groups", "--load-balancer-arn", balancerArn], Groups);
    const health = await Promise.all(
        TargetGroups.map(({ TargetGroupArn }) =>
            aws(cluster, ["elbv2", "describe-target-health", "--target-group-arn", TargetGroupArn], Health),
        ),
    );
    return health
        .flatMap(({ TargetHealthDescriptions }) => TargetHealthDescriptions)
        .map(({ Target, TargetHealth: { State, Description } }) => ({
            id: Target.Id,
            state: State,
            ...(Description && { reason: Description }),
        }));
}

function filter(name: string, values: readonly string[]): string[] {
    return ["--filters", `Name=${name},Values=${values.join(",")}`];
}

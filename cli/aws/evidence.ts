import { z } from "zod";
import { type AwsEvidence, attempt, type Known, LEFT_OUT, type MeshEvidence } from "../../core/doctor/evidence.ts";
import type { ClusterFacts } from "../../core/facts/schema.ts";
import { explain } from "../../core/text/explain.ts";
import type { Depth } from "../../kubernetes/evidence.ts";
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

/** What AWS tells of a cluster's ways to its peers, and of the load balancer before its etcd. Never throws: what could not be had says why. */
export async function awsEvidence(aws: Aws, cluster: ClusterFacts, mesh: MeshEvidence | undefined, depth: Depth): Promise<AwsEvidence> {
    const look = <T>(run: () => Promise<T>) => attempt(run, explain);
    const deep = <T>(run: () => Promise<T>): Promise<Known<T>> => (depth === "doctor" ? look(run) : Promise.resolve(LEFT_OUT));
    const [routes, rules, connections, balancer] = await Promise.all([
        deep(async () => {
            const { RouteTables: tables } = await aws(
                cluster,
                ["ec2", "describe-route-tables", ...filter("vpc-id", [cluster.vpcId])],
                RouteTables,
            );
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
                        "something else",
                    state: route.State ?? "active",
                })),
            );
        }),
        deep(async () => {
            const groups = [cluster.etcd.securityGroupId, ...cluster.nodeSecurityGroupIds];
            const { SecurityGroupRules } = await aws(
                cluster,
                ["ec2", "describe-security-group-rules", ...filter("group-id", groups)],
                Rules,
            );
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
        }),
        look(() => connectionsOf(aws, cluster, mesh)),
        look(() => balancerOf(aws, cluster)),
    ]);
    return { routes, rules, connections, balancer };
}

/** States by id: by filters, since an id that is gone would be an error. */
async function connectionsOf(aws: Aws, cluster: ClusterFacts, mesh: MeshEvidence | undefined): Promise<Record<string, string>> {
    if (mesh?.network === "transit-gateway") {
        const asked = ["ec2", "describe-transit-gateway-vpc-attachments", ...filter("vpc-id", [cluster.vpcId])];
        const { TransitGatewayVpcAttachments } = await aws(cluster, asked, Attachments);
        return byId(TransitGatewayVpcAttachments.map(({ TransitGatewayId, State }) => [TransitGatewayId, State]));
    }
    const ids = Object.entries(mesh?.connections ?? {}).flatMap(([pair, id]) => (pair.split(".").includes(cluster.name) ? [id] : []));
    if (ids.length === 0) return {};
    const { VpcPeeringConnections } = await aws(
        cluster,
        ["ec2", "describe-vpc-peering-connections", ...filter("vpc-peering-connection-id", ids)],
        Peerings,
    );
    return byId(VpcPeeringConnections.map(({ VpcPeeringConnectionId, Status }) => [VpcPeeringConnectionId, Status.Code]));
}

/** What was deleted is still shown for a while, beside what has taken its place. */
function byId(states: [string, string][]): Record<string, string> {
    return Object.fromEntries(states.toSorted(([, a], [, b]) => Number(a === "available") - Number(b === "available")));
}

async function balancerOf(aws: Aws, cluster: ClusterFacts) {
    const { LoadBalancers } = await aws(cluster, ["elbv2", "describe-load-balancers"], Balancers);
    const found = LoadBalancers.find(({ SecurityGroups }) => SecurityGroups.includes(cluster.etcd.securityGroupId));
    if (!found) return null;
    const { TargetGroups } = await aws(cluster, ["elbv2", "describe-target-groups", "--load-balancer-arn", found.LoadBalancerArn], Groups);
    const health = await Promise.all(
        TargetGroups.map(({ TargetGroupArn }) =>
            aws(cluster, ["elbv2", "describe-target-health", "--target-group-arn", TargetGroupArn], Health),
        ),
    );
    return {
        name: found.LoadBalancerName,
        state: found.State.Code,
        addresses: found.AvailabilityZones.flatMap(({ LoadBalancerAddresses }) =>
            LoadBalancerAddresses.flatMap((one) => one.PrivateIPv4Address ?? []),
        ),
        targets: health
            .flatMap(({ TargetHealthDescriptions }) => TargetHealthDescriptions)
            .map(({ Target, TargetHealth: { State, Description } }) => ({
                id: Target.Id,
                state: State,
                ...(Description && { reason: Description }),
            })),
    };
}

function filter(name: string, values: readonly string[]): string[] {
    return ["--filters", `Name=${name},Values=${values.join(",")}`];
}

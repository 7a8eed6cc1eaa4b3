import { type SimulatedAws, simulatedAws } from "../../aws/aws.ts";
import { interfaces } from "../../aws/ec2/tables.ts";
import { clusters } from "../../aws/eks/tables.ts";
import type { Place } from "../../aws/memory.ts";
import type { Endpoint } from "../../aws/path/path.ts";

/** Port on which pods and nodes listen in these tests. */
export const POD_PORT = 4240;
export const ETCD_PORT = 2379;
export const NODE_PORT = 32379;

const trust = (Service: string) =>
    JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" } });

export const fastAws = (): SimulatedAws => simulatedAws({ speed: Number.POSITIVE_INFINITY });

interface MemberOptions extends Place {
    name: string;
    /** A /16. */
    cidr: string;
    nodes: number;
    /** Environment of the VPC CNI add-on, in addition to prefix delegation. */
    env?: Record<string, string>;
}

/** A cluster as the program creates it: a VPC with a subnet and a route table in each of three zones, nodes with prefixes for pods, and an NLB in front. */
export async function member(aws: SimulatedAws, options: MemberOptions) {
    const { name, cidr, account, region } = options;
    const place = { account, region };
    const clients = aws.in(place);
    const { vpcId, zones } = await createVpc(clients, cidr, region);
    const { nodeGroupId, autoScalingGroup } = await createCluster(clients, options, zones);
    const { etcdGroupId, rules } = await createEtcdGroup(clients, name, vpcId, nodeGroupId);
    const { TargetGroupArn, crossZone } = await createBalancer(clients, name, vpcId, zones, etcdGroupId);
    await clients.autoscaling.attachLoadBalancerTargetGroups({
        AutoScalingGroupName: autoScalingGroup,
        TargetGroupARNs: [TargetGroupArn],
    });
    const { ec2, elb, eks } = clients;
    return {
        ...{ name, cidr, place, vpcId, zones, ec2, elb, eks, nodeGroupId, etcdGroupId, TargetGroupArn, rules, crossZone },
        nodes: () => nodesOf(aws, place, vpcId),
        endpoint: (address: string): Endpoint => ({ ...place, vpcId, address }),
        /** Ids of the API server's interfaces. */
        apiServer: () => aws.edit(place, (scope) => clusters.in(scope).get(name)?.own.interfaces ?? []),
        setEndpoint: (endpoint: string) => aws.edit(place, (scope) => clusters.in(scope).update(name, { endpoint })),
    };
}
export type Member = Awaited<ReturnType<typeof member>>;

type Clients = ReturnType<SimulatedAws["in"]>;

interface Zone {
    subnetId: string;
    tableId: string;
    /** Address of the balancer. */
    balancer: string;
}

async function createVpc({ ec2 }: Clients, cidr: string, region: string): Promise<{ vpcId: string; zones: Zone[] }> {
    const [first, second] = cidr.split(".");
    const vpcId = (await ec2.createVpc({ CidrBlock: cidr })).Vpc.VpcId;
    const zones = await Promise.all(
        ["a", "b", "c"].map(async (letter, i) => {
            const CidrBlock = `${first}.${second}.${i}.0/24`;
            const { SubnetId } = (await ec2.createSubnet({ VpcId: vpcId, CidrBlock, AvailabilityZone: `${region}${letter}` })).Subnet;
            const tableId = (await ec2.createRouteTable({ VpcId: vpcId })).RouteTable.RouteTableId;
            await ec2.associateRouteTable({ SubnetId, RouteTableId: tableId });
            // Otherwise a node's prefix could contain the balancer's address.
            await ec2.createSubnetCidrReservation({ SubnetId, Cidr: `${first}.${second}.${i}.16/28`, ReservationType: "explicit" });
            return { subnetId: SubnetId, tableId, balancer: `${first}.${second}.${i}.16` };
        }),
    );
    return { vpcId, zones };
}

async function createCluster({ iam, eks }: Clients, { name, nodes, env = {} }: MemberOptions, zones: readonly Zone[]) {
    const subnetIds = zones.map(({ subnetId }) => subnetId);
    const role = async (service: string) =>
        (await iam.createRole({ RoleName: `${name}-${service}`, AssumeRolePolicyDocument: trust(`${service}.amazonaws.com`) })).Role.Arn;

    const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true", AWS_VPC_K8S_CNI_EXTERNALSNAT: "true", ...env } });
    await eks.createCluster({ name, roleArn: await role("eks"), resourcesVpcConfig: { subnetIds } });
    await eks.describeCluster({ name });
    await eks.createAddon({ clusterName: name, addonName: "vpc-cni", configurationValues });
    const { nodegroup } = await eks.createNodegroup({
        clusterName: name,
        nodegroupName: "nodes",
        nodeRole: await role("ec2"),
        subnets: subnetIds,
        scalingConfig: { minSize: nodes, maxSize: nodes, desiredSize: nodes },
    });
    await eks.describeNodegroup({ clusterName: name, nodegroupName: "nodes" });
    const nodeGroupId = (await eks.describeCluster({ name })).cluster.resourcesVpcConfig.clusterSecurityGroupId;
    return { nodeGroupId, autoScalingGroup: nodegroup.resources.autoScalingGroups[0]?.name ?? "" };
}

/** The security group of the balancer in front of etcd, and the rules between it and the nodes. */
async function createEtcdGroup({ ec2 }: Clients, name: string, vpcId: string, nodeGroupId: string) {
    const etcdGroupId = (await ec2.createSecurityGroup({ GroupName: `${name}-etcd`, Description: "etcd", VpcId: vpcId })).GroupId;
    const toNodes = { IpProtocol: "tcp", FromPort: NODE_PORT, ToPort: NODE_PORT };
    const everything = [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }];
    await ec2.revokeSecurityGroupEgress({ GroupId: etcdGroupId, IpPermissions: everything });
    const egress = { GroupId: etcdGroupId, IpPermissions: [{ ...toNodes, UserIdGroupPairs: [{ GroupId: nodeGroupId }] }] };
    const fromBalancer = { GroupId: nodeGroupId, IpPermissions: [{ ...toNodes, UserIdGroupPairs: [{ GroupId: etcdGroupId }] }] };
    await ec2.authorizeSecurityGroupEgress(egress);
    await ec2.authorizeSecurityGroupIngress(fromBalancer);
    return { etcdGroupId, rules: { egress, fromBalancer, everything } };
}

async function createBalancer({ elb }: Clients, name: string, vpcId: string, zones: readonly Zone[], etcdGroupId: string) {
    const [balancer] = (
        await elb.createLoadBalancer({
            Name: name,
            Type: "network",
            Scheme: "internal",
            SecurityGroups: [etcdGroupId],
            SubnetMappings: zones.map(({ subnetId, balancer }) => ({ SubnetId: subnetId, PrivateIPv4Address: balancer })),
        })
    ).LoadBalancers;
    const LoadBalancerArn = balancer?.LoadBalancerArn ?? "";
    const crossZone = (Value: "true" | "false") =>
        elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes: [{ Key: "load_balancing.cross_zone.enabled", Value }] });
    await crossZone("true");
    const check = { HealthCheckIntervalSeconds: 5, HealthCheckTimeoutSeconds: 5, HealthyThresholdCount: 2, UnhealthyThresholdCount: 2 };
    const [group] = (await elb.createTargetGroup({ Name: name, Protocol: "TCP", Port: NODE_PORT, VpcId: vpcId, ...check })).TargetGroups;
    const TargetGroupArn = group?.TargetGroupArn ?? "";
    const attributes = {
        "deregistration_delay.connection_termination.enabled": "true",
        "deregistration_delay.timeout_seconds": "0",
        "preserve_client_ip.enabled": "false",
    };
    await elb.modifyTargetGroupAttributes({
        TargetGroupArn,
        Attributes: Object.entries(attributes).map(([Key, Value]) => ({ Key, Value })),
    });
    const DefaultActions = [{ Type: "forward" as const, TargetGroupArn }];
    await elb.createListener({ LoadBalancerArn, Port: ETCD_PORT, Protocol: "TCP", DefaultActions });
    return { TargetGroupArn, crossZone };
}

/** The nodes in a VPC, each with the first address of its pod prefix. */
function nodesOf(aws: SimulatedAws, place: Place, vpcId: string) {
    return aws
        .edit(place, (scope) => interfaces.in(scope).list())
        .filter((eni) => eni.VpcId === vpcId && eni.Attachment?.InstanceId)
        .map((eni) => ({
            interfaceId: eni.NetworkInterfaceId,
            instanceId: eni.Attachment?.InstanceId ?? "",
            address: eni.PrivateIpAddress,
            pod: eni.Ipv4Prefixes[0]?.Ipv4Prefix.split("/")[0] ?? "",
        }));
}

const tcp = (port: number, CidrIp: string) => [{ IpProtocol: "tcp", FromPort: port, ToPort: port, IpRanges: [{ CidrIp }] }];

/** The rules that allow a peer's traffic, pods to pods and clients to etcd, each as something that can be added and removed. */
export function admissions(member: Member, peerCidr: string) {
    return [
        { GroupId: member.nodeGroupId, IpPermissions: tcp(POD_PORT, peerCidr) },
        { GroupId: member.etcdGroupId, IpPermissions: tcp(ETCD_PORT, peerCidr) },
    ].map((request) => ({
        add: () => member.ec2.authorizeSecurityGroupIngress(request),
        remove: () => member.ec2.revokeSecurityGroupIngress(request),
    }));
}

/** The routes from each zone of a member to a block, each as something that can be added and removed. */
export function routesTo(
    member: Member,
    DestinationCidrBlock: string,
    target: { VpcPeeringConnectionId?: string; TransitGatewayId?: string },
) {
    return member.zones.map(({ tableId: RouteTableId }) => ({
        add: () => member.ec2.createRoute({ RouteTableId, DestinationCidrBlock, ...target }),
        remove: () => member.ec2.deleteRoute({ RouteTableId, DestinationCidrBlock }),
    }));
}

/** Requests a peering. @returns its id */
export async function requestPeering(a: Member, b: Member) {
    const request = { VpcId: a.vpcId, PeerVpcId: b.vpcId, PeerOwnerId: b.place.account, PeerRegion: b.place.region };
    const { VpcPeeringConnectionId } = (await a.ec2.createVpcPeeringConnection(request)).VpcPeeringConnection;
    await a.ec2.describeVpcPeeringConnections();
    return VpcPeeringConnectionId;
}

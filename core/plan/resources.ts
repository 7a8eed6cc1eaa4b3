import { accountOf, type PlannedFacts } from "../facts/planned.ts";
import { distinct, ingressFrom, pairs, peersOf, routesTo } from "../network/mesh.ts";
import type { ClusterConfig, MeshConfig } from "../settings/parse.ts";

/** Number of resources per Pulumi type, including components and providers as in the engine's own count. */
export type Resources = Record<string, number>;

/** Number of NAT gateways of a cluster. */
export function natGateways({ nat }: Pick<ClusterConfig, "nat">, zones: number): number {
    return { zone: zones, single: 1, none: 0 }[nat];
}

/**
 * The resources that `stacks/cluster.ts` registers. `eks:index:Cluster` counts as one: only its plugin knows the resources in it (control plane, role, add-ons,
 * access entries).
 */
export function clusterResources(config: ClusterConfig): Resources {
    const zones = typeof config.zones === "number" ? config.zones : config.zones.length;
    const nat = natGateways(config, zones);
    return withoutZeros({
        "aws:autoscaling/attachment:Attachment": 1,
        "aws:cloudwatch/logGroup:LogGroup": 2,
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": 1,
        "aws:ec2/eip:Eip": nat,
        "aws:ec2/flowLog:FlowLog": 1,
        "aws:ec2/internetGateway:InternetGateway": 1,
        "aws:ec2/launchTemplate:LaunchTemplate": 1,
        "aws:ec2/natGateway:NatGateway": nat,
        // A default route in the table of the public subnets, and in each private table if there are NAT gateways.
        "aws:ec2/route:Route": 1 + (nat > 0 ? zones : 0),
        "aws:ec2/routeTable:RouteTable": 1 + zones,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": 2 * zones,
        "aws:ec2/securityGroup:SecurityGroup": 1,
        "aws:ec2/subnet:Subnet": 2 * zones,
        "aws:ec2/subnetCidrReservation:SubnetCidrReservation": zones,
        "aws:ec2/vpc:Vpc": 1,
        "aws:eks/addon:Addon": 1,
        "aws:eks/nodeGroup:NodeGroup": 1,
        "aws:iam/role:Role": 2,
        "aws:iam/rolePolicy:RolePolicy": 1,
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": 3,
        "aws:kms/key:Key": config.kmsKeyArn ? 0 : 1,
        "aws:lb/listener:Listener": 1,
        "aws:lb/loadBalancer:LoadBalancer": 1,
        "aws:lb/targetGroup:TargetGroup": 1,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 1,
        "clustermesh:index:Cilium": 1,
        "clustermesh:index:Eks": 1,
        "clustermesh:index:EtcdEndpoint": 1,
        "clustermesh:index:EtcdTls": 1,
        "clustermesh:index:Network": 1,
        "eks:index:Cluster": 1,
        "kubernetes:core/v1:ConfigMap": 1,
        "kubernetes:core/v1:Secret": 4,
        "kubernetes:helm.sh/v3:Release": 1,
        "pulumi:providers:aws": 1,
        "pulumi:providers:kubernetes": 1,
        "tls:index/certRequest:CertRequest": 4,
        "tls:index/locallySignedCert:LocallySignedCert": 4,
        "tls:index/privateKey:PrivateKey": 5,
        "tls:index/selfSignedCert:SelfSignedCert": 1,
    });
}

/** The resources that `stacks/mesh.ts` registers. Roles are assumed to belong to another account than the credentials that run Pulumi, whose account only AWS knows. */
export function meshResources(members: readonly PlannedFacts[], { network, ingress }: Pick<MeshConfig, "network" | "ingress">): Resources {
    const direct = members.filter(({ wiring }) => wiring === "direct").length;
    const ordered = members.flatMap((self) => peersOf(self, members).map((peer) => ({ self, peer })));
    const sum = (count: (pair: { self: PlannedFacts; peer: PlannedFacts }) => number) =>
        ordered.reduce((total, pair) => total + count(pair), 0);
    const accesses = distinct(members.map(({ region, assumeRole }) => `${region} ${assumeRole}`)).length;
    const connections = network === "peering" ? peerings(members) : transitGateways(members);
    return withoutZeros({
        ...connections,
        "aws:ec2/route:Route": sum(({ self, peer }) => routesTo(self, peer).length),
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": sum(({ self, peer }) => ingressFrom(peer, self, ingress).length),
        "clustermesh:index:Ingress": members.length,
        "clustermesh:index:Member": members.length,
        "clustermesh:index:ReadyGate": members.length,
        "command:local:Command": members.length,
        "kubernetes:apps/v1:DaemonSetPatch": members.length,
        "kubernetes:core/v1:Secret": direct + 2 * (members.length - direct),
        "pulumi:providers:aws": accesses + (network === "transit-gateway" ? regionsOf(members).length : 0),
        "pulumi:providers:kubernetes": members.length,
    });
}

function peerings(members: readonly PlannedFacts[]): Resources {
    const count = pairs(members).length;
    return {
        "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": 2 * count,
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": count,
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": count,
        "clustermesh:index:Peering": count,
    };
}

function transitGateways(members: readonly PlannedFacts[]): Resources {
    const foreign = members.filter((member) => accountOf(member) !== undefined);
    const sharedWith = distinct(foreign.map((member) => `${member.region} ${accountOf(member)}`)).length;
    const shares = regionsOf(foreign).length;
    const regions = regionsOf(members);
    const links = pairs(regions);
    const blocks = (region: string) => members.filter((member) => member.region === region).flatMap(({ vpcCidrs }) => vpcCidrs).length;
    return {
        "aws:ec2transitgateway/peeringAttachment:PeeringAttachment": links.length,
        "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter": links.length,
        "aws:ec2transitgateway/route:Route": links.reduce((total, [a, b]) => total + blocks(a) + blocks(b), 0),
        "aws:ec2transitgateway/transitGateway:TransitGateway": regions.length,
        "aws:ec2transitgateway/vpcAttachment:VpcAttachment": members.length,
        "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter": foreign.length,
        "aws:ram/principalAssociation:PrincipalAssociation": sharedWith,
        "aws:ram/resourceAssociation:ResourceAssociation": shares,
        "aws:ram/resourceShare:ResourceShare": shares,
        "clustermesh:index:TransitGateways": 1,
    };
}

/** The members' regions, sorted and without duplicates. */
export function regionsOf(members: readonly Pick<PlannedFacts, "region">[]): string[] {
    return distinct(members.map(({ region }) => region)).toSorted();
}

function withoutZeros(resources: Resources): Resources {
    return Object.fromEntries(Object.entries(resources).filter(([, count]) => count > 0));
}

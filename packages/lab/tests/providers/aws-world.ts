import type { Properties } from "../../providers/values.ts";
import type { Resource, Run } from "./aws-harness.ts";

type Args = Properties | ((world: World) => Properties | Promise<Properties>);

/** What other resources need, made when first asked for. */
export class World {
    readonly #run: Run;
    readonly #made = new Map<string, Promise<Resource>>();
    constructor(run: Run) {
        this.#run = run;
    }

    need(token: string, name: string, args: () => Properties | Promise<Properties>): Promise<Resource> {
        const key = `${token} ${name}`;
        const made = this.#made.get(key) ?? Promise.resolve(args()).then((all) => this.#run.create(token, name, all));
        this.#made.set(key, made);
        return made;
    }
    async vpc(name = "vpc", block = "10.0"): Promise<string> {
        const args = { cidrBlock: `${block}.0.0/16`, enableDnsHostnames: true };
        return (await this.need("aws:ec2/vpc:Vpc", name, () => args)).id;
    }
    async subnet(i: number): Promise<string> {
        const make = async () => ({
            vpcId: await this.vpc(),
            cidrBlock: `10.0.${i}.0/24`,
            availabilityZone: `eu-central-1${"abc"[i]}`,
        });
        return (await this.need("aws:ec2/subnet:Subnet", `subnet${i}`, make)).id;
    }
    async table(name = "table"): Promise<string> {
        return (await this.need("aws:ec2/routeTable:RouteTable", name, async () => ({ vpcId: await this.vpc() }))).id;
    }
    async gateway(): Promise<string> {
        return (await this.need("aws:ec2/internetGateway:InternetGateway", "gateway", async () => ({ vpcId: await this.vpc() }))).id;
    }
    async group(name = "group"): Promise<string> {
        return (await this.need("aws:ec2/securityGroup:SecurityGroup", name, async () => ({ vpcId: await this.vpc() }))).id;
    }
    role(service: string): Promise<Resource> {
        return this.need("aws:iam/role:Role", service, () => ({ assumeRolePolicy: trust(service) }));
    }
    async peering(): Promise<string> {
        const make = async () => ({ vpcId: await this.vpc(), peerVpcId: await this.vpc("other", "10.1") });
        return (await this.need("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "peering", make)).id;
    }
    async activePeering(): Promise<string> {
        const make = async () => ({ vpcPeeringConnectionId: await this.peering(), autoAccept: true });
        return (await this.need("aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter", "accepter", make)).id;
    }
    transit(name = "transit"): Promise<Resource> {
        return this.need("aws:ec2transitgateway/transitGateway:TransitGateway", name, () => ({ description: name }));
    }
    async attachment(): Promise<string> {
        const make = async () => ({
            transitGatewayId: (await this.transit()).id,
            vpcId: await this.vpc(),
            subnetIds: [await this.subnet(0)],
        });
        return (await this.need("aws:ec2transitgateway/vpcAttachment:VpcAttachment", "attachment", make)).id;
    }
    async share(): Promise<string> {
        return (await this.need("aws:ram/resourceShare:ResourceShare", "share", () => ({ name: "share" }))).id;
    }
    async balancer(): Promise<string> {
        const make = async () => ({ loadBalancerType: "network", internal: true, subnets: [await this.subnet(0), await this.subnet(1)] });
        return (await this.need("aws:lb/loadBalancer:LoadBalancer", "balancer", make)).id;
    }
    async targets(name = "targets"): Promise<string> {
        const make = async () => ({ vpcId: await this.vpc(), port: 32379, protocol: "TCP" });
        return (await this.need("aws:lb/targetGroup:TargetGroup", name, make)).id;
    }
    async cluster(): Promise<string> {
        const make = async () => ({
            roleArn: (await this.role("eks.amazonaws.com")).outputs.arn,
            version: "1.34",
            accessConfig: { authenticationMode: "API" },
            vpcConfig: { subnetIds: [await this.subnet(0), await this.subnet(1)] },
        });
        return (await this.need("aws:eks/cluster:Cluster", "cluster", make)).id;
    }
    async nodes(): Promise<Resource> {
        const make = async () => ({
            clusterName: await this.cluster(),
            nodeRoleArn: (await this.role("ec2.amazonaws.com")).outputs.arn,
            subnetIds: [await this.subnet(0)],
            scalingConfig: { minSize: 1, desiredSize: 1, maxSize: 2 },
        });
        return this.need("aws:eks/nodeGroup:NodeGroup", "nodes", make);
    }
    async entry(): Promise<string> {
        const make = async () => ({
            clusterName: await this.cluster(),
            principalArn: String((await this.role("lambda.amazonaws.com")).outputs.arn),
        });
        return String((await this.need("aws:eks/accessEntry:AccessEntry", "entry", make)).inputs.principalArn);
    }
}

export function trust(Service: string): string {
    return JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" }],
    });
}

/** How a type of resource is made, changed and made anew. */
export interface Case {
    token: string;
    args: Args;
    /** Changes in place. */
    change?: Args;
    /** Changes that replace, and the paths that do. */
    anew?: [Args, ...string[]];
    /** What is taken for granted elsewhere: it stays at AWS after its deletion. */
    stays?: true;
}

const tags = { tags: { Name: "x" } };
const policy = (Action: string) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] });

export const CASES: Case[] = [
    {
        token: "aws:ec2/vpc:Vpc",
        args: { cidrBlock: "10.9.0.0/16", ...tags },
        change: { enableDnsHostnames: true },
        anew: [{ cidrBlock: "10.8.0.0/16" }, "cidrBlock"],
    },
    { token: "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", args: async (w) => ({ vpcId: await w.vpc(), ...tags }), stays: true },
    { token: "aws:ec2/internetGateway:InternetGateway", args: async (w) => ({ vpcId: await w.vpc() }), change: tags },
    {
        token: "aws:ec2/subnet:Subnet",
        args: async (w) => ({ vpcId: await w.vpc(), cidrBlock: "10.0.9.0/24", availabilityZone: "eu-central-1a" }),
        change: { mapPublicIpOnLaunch: true, ...tags },
        anew: [{ availabilityZone: "eu-central-1b" }, "availabilityZone"],
    },
    {
        token: "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
        args: async (w) => ({ subnetId: await w.subnet(0), cidrBlock: "10.0.0.16/28", reservationType: "explicit", description: "etcd" }),
        anew: [{ cidrBlock: "10.0.0.32/28" }, "cidrBlock"],
    },
    { token: "aws:ec2/routeTable:RouteTable", args: async (w) => ({ vpcId: await w.vpc() }), change: tags },
    {
        token: "aws:ec2/route:Route",
        args: async (w) => ({ routeTableId: await w.table(), destinationCidrBlock: "0.0.0.0/0", gatewayId: await w.gateway() }),
        change: async (w) => ({ gatewayId: undefined, vpcPeeringConnectionId: await w.activePeering() }),
        anew: [{ destinationCidrBlock: "8.8.8.0/24" }, "destinationCidrBlock"],
    },
    {
        token: "aws:ec2/routeTableAssociation:RouteTableAssociation",
        args: async (w) => ({ subnetId: await w.subnet(0), routeTableId: await w.table() }),
        anew: [{ routeTableId: "rtb-other" }, "routeTableId"],
    },
    { token: "aws:ec2/eip:Eip", args: { domain: "vpc" }, change: tags },
    {
        token: "aws:ec2/natGateway:NatGateway",
        args: async (w) => {
            await w.gateway();
            return { subnetId: await w.subnet(0), allocationId: (await w.need("aws:ec2/eip:Eip", "eip", () => ({}))).id };
        },
        change: tags,
        anew: [{ subnetId: "subnet-other" }, "subnetId"],
    },
    {
        token: "aws:ec2/flowLog:FlowLog",
        args: async (w) => ({
            vpcId: await w.vpc(),
            trafficType: "ALL",
            logDestination: (await w.need("aws:cloudwatch/logGroup:LogGroup", "flows", () => ({}))).outputs.arn,
            iamRoleArn: (await w.role("vpc-flow-logs.amazonaws.com")).outputs.arn,
        }),
        change: tags,
        anew: [{ trafficType: "REJECT" }, "trafficType"],
    },
    {
        token: "aws:ec2/launchTemplate:LaunchTemplate",
        args: {
            metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
            blockDeviceMappings: [{ deviceName: "/dev/xvda", ebs: { volumeSize: 20, volumeType: "gp3", encrypted: "true" } }],
            tagSpecifications: [{ resourceType: "instance", tags: { Name: "node" } }],
            updateDefaultVersion: true,
        },
        change: { metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 2 } },
        anew: [{ name: "other" }, "name"],
    },
    {
        token: "aws:ec2/securityGroup:SecurityGroup",
        args: async (w) => ({ vpcId: await w.vpc(), description: "etcd" }),
        change: tags,
        anew: [{ description: "other" }, "description"],
    },
    {
        token: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        args: async (w) => ({
            securityGroupId: await w.group(),
            cidrIpv4: "10.1.0.0/16",
            ipProtocol: "tcp",
            fromPort: 2379,
            toPort: 2379,
            description: "etcd",
        }),
        change: { toPort: 2380 },
        anew: [{ securityGroupId: "sg-other" }, "securityGroupId"],
    },
    {
        token: "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        args: async (w) => ({ securityGroupId: await w.group(), referencedSecurityGroupId: await w.group("peer"), ipProtocol: "-1" }),
        change: { description: "all" },
    },
    {
        token: "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        args: async (w) => ({ vpcId: await w.vpc(), peerVpcId: await w.vpc("other", "10.1"), peerRegion: "eu-central-1" }),
        change: tags,
        anew: [{ peerVpcId: "vpc-other" }, "peerVpcId"],
    },
    {
        token: "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        args: async (w) => ({ vpcPeeringConnectionId: await w.peering(), autoAccept: true }),
        change: tags,
        stays: true,
    },
    {
        token: "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        args: async (w) => ({ vpcPeeringConnectionId: await w.activePeering(), requester: { allowRemoteVpcDnsResolution: true } }),
        change: { requester: { allowRemoteVpcDnsResolution: false } },
        stays: true,
    },
    {
        token: "aws:ec2transitgateway/transitGateway:TransitGateway",
        args: { description: "mesh", autoAcceptSharedAttachments: "disable" },
        change: { description: "other" },
        anew: [{ multicastSupport: "enable" }, "multicastSupport"],
    },
    {
        token: "aws:ec2transitgateway/vpcAttachment:VpcAttachment",
        args: async (w) => ({ transitGatewayId: (await w.transit()).id, vpcId: await w.vpc(), subnetIds: [await w.subnet(0)] }),
        change: async (w) => ({ subnetIds: [await w.subnet(0), await w.subnet(1)] }),
        anew: [{ vpcId: "vpc-other" }, "vpcId"],
    },
    {
        token: "aws:ec2transitgateway/route:Route",
        args: async (w) => ({
            destinationCidrBlock: "10.7.0.0/16",
            transitGatewayAttachmentId: await w.attachment(),
            transitGatewayRouteTableId: (await w.transit()).outputs.associationDefaultRouteTableId,
        }),
        anew: [{ destinationCidrBlock: "10.6.0.0/16" }, "destinationCidrBlock"],
    },
    {
        token: "aws:ram/resourceShare:ResourceShare",
        args: { name: "mesh" },
        change: { allowExternalPrincipals: true, ...tags },
    },
    {
        token: "aws:ram/resourceAssociation:ResourceAssociation",
        args: async (w) => ({ resourceShareArn: await w.share(), resourceArn: (await w.transit()).outputs.arn }),
    },
    {
        token: "aws:ram/principalAssociation:PrincipalAssociation",
        args: async (w) => ({ resourceShareArn: await w.share(), principal: "222222222222" }),
        anew: [{ principal: "333333333333" }, "principal"],
    },
    {
        token: "aws:iam/role:Role",
        args: { assumeRolePolicy: trust("ec2.amazonaws.com") },
        change: { assumeRolePolicy: trust("eks.amazonaws.com"), description: "x", ...tags },
        anew: [{ name: "other" }, "name"],
    },
    {
        token: "aws:iam/rolePolicy:RolePolicy",
        args: async (w) => ({ role: (await w.role("ec2.amazonaws.com")).id, policy: policy("logs:*") }),
        change: { policy: policy("ec2:*") },
    },
    {
        token: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        args: async (w) => ({ role: (await w.role("ec2.amazonaws.com")).id, policyArn: "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" }),
        anew: [{ policyArn: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy" }, "policyArn"],
    },
    {
        token: "aws:kms/key:Key",
        args: { description: "secrets", deletionWindowInDays: 7 },
        change: { description: "other", enableKeyRotation: true, ...tags },
        anew: [{ multiRegion: true }, "multiRegion"],
    },
    {
        token: "aws:cloudwatch/logGroup:LogGroup",
        args: { name: "/aws/eks/c1/cluster", retentionInDays: 30 },
        change: { retentionInDays: 90, ...tags },
        anew: [{ name: "other" }, "name"],
    },
    {
        token: "aws:lb/loadBalancer:LoadBalancer",
        args: async (w) => ({
            namePrefix: "etcd-",
            internal: true,
            loadBalancerType: "network",
            securityGroups: [await w.group()],
            subnetMappings: [{ subnetId: await w.subnet(0), privateIpv4Address: "10.0.0.20" }],
            enableCrossZoneLoadBalancing: true,
        }),
        change: async (w) => ({ securityGroups: [await w.group("peer")], enableCrossZoneLoadBalancing: false, ...tags }),
        anew: [{ internal: false }, "internal"],
    },
    {
        token: "aws:lb/targetGroup:TargetGroup",
        args: async (w) => ({
            namePrefix: "etcd-",
            vpcId: await w.vpc(),
            port: 32379,
            protocol: "TCP",
            preserveClientIp: "false",
            connectionTermination: true,
            deregistrationDelay: 30,
            healthCheck: { protocol: "TCP", port: "traffic-port", interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
        }),
        change: { deregistrationDelay: 60, healthCheck: { protocol: "TCP", port: "traffic-port", interval: 30 } },
        anew: [{ port: 1 }, "port"],
    },
    {
        token: "aws:lb/listener:Listener",
        args: async (w) => ({
            loadBalancerArn: await w.balancer(),
            port: 2379,
            protocol: "TCP",
            defaultActions: [{ type: "forward", targetGroupArn: await w.targets() }],
        }),
        change: async (w) => ({ defaultActions: [{ type: "forward", targetGroupArn: await w.targets("others") }] }),
    },
    {
        token: "aws:autoscaling/attachment:Attachment",
        args: async (w) => ({
            autoscalingGroupName: groupName(await w.nodes()),
            lbTargetGroupArn: await w.targets(),
        }),
    },
    {
        token: "aws:eks/cluster:Cluster",
        args: async (w) => ({
            name: "c1",
            roleArn: (await w.role("eks.amazonaws.com")).outputs.arn,
            version: "1.34",
            accessConfig: { authenticationMode: "API" },
            enabledClusterLogTypes: ["audit", "api"],
            upgradePolicy: { supportType: "STANDARD" },
            bootstrapSelfManagedAddons: false,
            kubernetesNetworkConfig: { serviceIpv4Cidr: "172.20.0.0/16" },
            vpcConfig: {
                subnetIds: [await w.subnet(1), await w.subnet(0)],
                endpointPrivateAccess: true,
                endpointPublicAccess: true,
                publicAccessCidrs: ["0.0.0.0/0"],
            },
        }),
        change: async (w) => ({
            version: "1.35",
            enabledClusterLogTypes: ["audit"],
            vpcConfig: { subnetIds: [await w.subnet(1), await w.subnet(0)], endpointPrivateAccess: true, endpointPublicAccess: false },
        }),
        anew: [{ kubernetesNetworkConfig: { serviceIpv4Cidr: "172.21.0.0/16" } }, "kubernetesNetworkConfig.serviceIpv4Cidr"],
    },
    {
        token: "aws:eks/nodeGroup:NodeGroup",
        args: async (w) => ({
            clusterName: await w.cluster(),
            nodeRoleArn: (await w.role("ec2.amazonaws.com")).outputs.arn,
            subnetIds: [await w.subnet(0)],
            scalingConfig: { minSize: 1, desiredSize: 1, maxSize: 2 },
            taints: [{ key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" }],
        }),
        change: { scalingConfig: { minSize: 1, desiredSize: 2, maxSize: 3 }, taints: [], labels: { a: "b" } },
        anew: [{ amiType: "AL2023_ARM_64_STANDARD" }, "amiType"],
    },
    {
        token: "aws:eks/addon:Addon",
        args: async (w) => ({ clusterName: await w.cluster(), addonName: "vpc-cni", resolveConflictsOnCreate: "OVERWRITE" }),
        change: { configurationValues: '{"env":{"ENABLE_PREFIX_DELEGATION":"true"}}', ...tags },
        anew: [{ addonName: "coredns" }, "addonName"],
    },
    {
        token: "aws:eks/accessEntry:AccessEntry",
        args: async (w) => ({ clusterName: await w.cluster(), principalArn: (await w.role("ec2.amazonaws.com")).outputs.arn }),
        change: { kubernetesGroups: ["admins"], ...tags },
        anew: [{ type: "EC2_LINUX" }, "type"],
    },
    {
        token: "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        args: async (w) => ({
            clusterName: await w.cluster(),
            principalArn: await w.entry(),
            policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            accessScope: { type: "cluster" },
        }),
    },
];

/** Evaluates the arguments of a case. */
export async function argsOf(args: Args | undefined, world: World): Promise<Properties> {
    return typeof args === "function" ? args(world) : (args ?? {});
}

function groupName({ outputs }: Resource): string {
    const [{ autoscalingGroups: [{ name = "" } = {}] = [] } = {}] = outputs.resources as { autoscalingGroups: { name: string }[] }[];
    return name;
}

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { SubnetBlocks } from "../core/network/cidr.ts";

export interface NetworkArgs {
    /** IPv4 block of the VPC. */
    cidr: string;
    /** Names of the availability zones. */
    zones: readonly string[];
    /** Blocks of the subnets, one per zone. */
    subnets: SubnetBlocks;
    /** The subnets of the nodes. Nodes in public subnets get internet addresses. */
    nodes: keyof SubnetBlocks;
    /** A gateway costs about 33 USD a month plus 0.045 USD per GB. */
    nat: "zone" | "single" | "none";
    /** Days that flow logs are kept. */
    logRetentionDays: number;
    /** Encrypts the flow logs. */
    kmsKeyArn: pulumi.Input<string>;
}

/** What the resources of a network have in common. */
interface NetworkContext {
    name: string;
    args: NetworkArgs;
    vpc: aws.ec2.Vpc;
    parent: Network;
}

/**
 * A VPC with a public and a private subnet in each zone. Route tables have no inline routes, and no resource claims all routes of a table: the mesh stack
 * adds its own routes to them.
 */
export class Network extends pulumi.ComponentResource {
    readonly vpcId: pulumi.Output<string>;
    readonly publicSubnetIds: pulumi.Output<string>[];
    readonly privateSubnetIds: pulumi.Output<string>[];
    /** Every table that a subnet uses. */
    readonly routeTableIds: pulumi.Output<string>[];

    constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Network", name, {}, opts);

        const vpc = new aws.ec2.Vpc(
            name,
            // EKS refuses a VPC without both DNS settings; the peers' names are resolved through them too.
            { cidrBlock: args.cidr, enableDnsHostnames: true, enableDnsSupport: true, tags: { Name: name } },
            { parent: this },
        );
        const network: NetworkContext = { name, args, vpc, parent: this };
        closeDefaultSecurityGroup(network);
        logFlows(network);

        const gateway = new aws.ec2.InternetGateway(name, { vpcId: vpc.id, tags: { Name: name } }, { parent: this });
        const publicTable = routeTable(network, "public");
        defaultRoute(network, "public", publicTable, { gatewayId: gateway.id });
        const publicSubnets = args.zones.map((zone, i) => subnet(network, "public", zone, args.subnets.public[i], publicTable));

        const privateTables = args.zones.map((zone) => routeTable(network, `private-${zone}`));
        const privateSubnets = args.zones.map((zone, i) => subnet(network, "private", zone, args.subnets.private[i], privateTables[i]));
        routeThroughNat(network, gateway, publicSubnets, privateTables);

        this.vpcId = vpc.id;
        this.publicSubnetIds = publicSubnets.map((subnet) => subnet.id);
        this.privateSubnetIds = privateSubnets.map((subnet) => subnet.id);
        this.routeTableIds = [publicTable, ...privateTables].map((table) => table.id);
        this.registerOutputs({ vpcId: this.vpcId });
    }
}

/** Removes all rules: an instance that is started without a security group of its own reaches nothing (CKV2_AWS_12). */
function closeDefaultSecurityGroup({ name, vpc, parent }: NetworkContext): void {
    new aws.ec2.DefaultSecurityGroup(name, { vpcId: vpc.id, tags: nameTag(name, "default-closed") }, { parent });
}

function logFlows({ name, args, vpc, parent }: NetworkContext): void {
    const logs = new aws.cloudwatch.LogGroup(
        `${name}-flows`,
        { retentionInDays: args.logRetentionDays, kmsKeyId: args.kmsKeyArn },
        { parent },
    );
    const role = new aws.iam.Role(
        `${name}-flows`,
        { assumeRolePolicy: aws.iam.assumeRolePolicyForPrincipal({ Service: "vpc-flow-logs.amazonaws.com" }) },
        { parent },
    );
    const actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"];
    const policy = new aws.iam.RolePolicy(
        `${name}-flows`,
        {
            role: role.id,
            policy: pulumi.jsonStringify({
                Version: "2012-10-17",
                Statement: [{ Effect: "Allow", Action: actions, Resource: pulumi.interpolate`${logs.arn}:*` }],
            }),
        },
        { parent },
    );
    new aws.ec2.FlowLog(
        `${name}-flows`,
        { vpcId: vpc.id, trafficType: "ALL", logDestination: logs.arn, iamRoleArn: role.arn },
        { parent, dependsOn: policy },
    );
}

function routeTable({ name, vpc, parent }: NetworkContext, suffix: string): aws.ec2.RouteTable {
    return new aws.ec2.RouteTable(`${name}-${suffix}`, { vpcId: vpc.id, tags: nameTag(name, suffix) }, { parent });
}

function defaultRoute(
    { name, parent }: NetworkContext,
    suffix: string,
    table: aws.ec2.RouteTable | undefined,
    target: { gatewayId: pulumi.Output<string> } | { natGatewayId: pulumi.Output<string> },
): void {
    if (table)
        new aws.ec2.Route(
            `${name}-${suffix}-internet`,
            { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", ...target },
            { parent },
        );
}

function subnet(
    { name, args, vpc, parent }: NetworkContext,
    kind: keyof SubnetBlocks,
    zone: string,
    cidrBlock: string | undefined,
    table: aws.ec2.RouteTable | undefined,
): aws.ec2.Subnet {
    const role = kind === "public" ? "kubernetes.io/role/elb" : "kubernetes.io/role/internal-elb";
    const subnet = new aws.ec2.Subnet(
        `${name}-${kind}-${zone}`,
        {
            vpcId: vpc.id,
            cidrBlock,
            availabilityZone: zone,
            mapPublicIpOnLaunch: kind === "public" && args.nodes === "public",
            tags: { ...nameTag(name, `${kind}-${zone}`), [role]: "1" },
        },
        { parent },
    );
    if (table) new aws.ec2.RouteTableAssociation(`${name}-${kind}-${zone}`, { subnetId: subnet.id, routeTableId: table.id }, { parent });
    return subnet;
}

/** Creates the NAT gateways, and routes every private table through the gateway of its zone or the only one. */
function routeThroughNat(
    network: NetworkContext,
    internetGateway: aws.ec2.InternetGateway,
    publicSubnets: readonly aws.ec2.Subnet[],
    privateTables: readonly aws.ec2.RouteTable[],
): void {
    const { zones, nat } = network.args;
    const gateways = zones
        .slice(0, { zone: zones.length, single: 1, none: 0 }[nat])
        .map((zone, i) => natGateway(network, zone, publicSubnets[i], internetGateway));
    zones.forEach((zone, i) => {
        const gateway = gateways[i] ?? gateways[0];
        if (gateway) defaultRoute(network, `private-${zone}`, privateTables[i], { natGatewayId: gateway.id });
    });
}

function natGateway(
    { name, parent }: NetworkContext,
    zone: string,
    subnet: aws.ec2.Subnet | undefined,
    internetGateway: aws.ec2.InternetGateway,
): aws.ec2.NatGateway {
    // At destroy the NAT gateway must go before the internet gateway, which AWS otherwise refuses to detach (DependencyViolation).
    const opts = { parent, dependsOn: internetGateway };
    const address = new aws.ec2.Eip(`${name}-nat-${zone}`, { domain: "vpc", tags: nameTag(name, `nat-${zone}`) }, opts);
    return new aws.ec2.NatGateway(
        `${name}-${zone}`,
        { subnetId: subnet?.id ?? "", allocationId: address.id, tags: nameTag(name, zone) },
        opts,
    );
}

function nameTag(name: string, suffix: string): { Name: string } {
    return { Name: `${name}-${suffix}` };
}

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Layout } from "../core/network/cidr.ts";

export interface NetworkArgs {
    /** IPv4 block of the VPC. */
    cidr: string;
    /** Names of the availability zones. */
    zones: readonly string[];
    /** Blocks of the subnets, as `layout` in core/cidr.ts splits the VPC. */
    layout: Layout;
    /** Which subnets get the wide blocks: those where nodes live. */
    nodes: "private" | "public";
    /** A gateway costs about 33 USD a month, and 0.045 USD for each GB through it. */
    nat: "zone" | "single" | "none";
    /** Days that flow logs are kept. */
    logRetentionDays: number;
    /** Encrypts the flow logs. */
    kmsKeyArn: pulumi.Input<string>;
}

/**
 * A VPC with a public and a private subnet in each zone. Route tables hold no inline routes, and no resource claims all routes of a table: the mesh stack
 * adds its own beside them.
 */
export class Network extends pulumi.ComponentResource {
    readonly vpcId: pulumi.Output<string>;
    readonly publicSubnetIds: pulumi.Output<string>[];
    readonly privateSubnetIds: pulumi.Output<string>[];
    /** Every table that a subnet uses. */
    readonly routeTableIds: pulumi.Output<string>[];

    constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Network", name, {}, opts);
        const parent = this;
        const tag = (suffix: string) => ({ Name: `${name}-${suffix}` });
        const [privateCidrs, publicCidrs] =
            args.nodes === "private" ? [args.layout.wide, args.layout.narrow] : [args.layout.narrow, args.layout.wide];

        const vpc = new aws.ec2.Vpc(
            name,
            // EKS refuses a VPC without both; peers' names resolve through them as well.
            { cidrBlock: args.cidr, enableDnsHostnames: true, enableDnsSupport: true, tags: { Name: name } },
            { parent },
        );
        closeDefaultSecurityGroup();
        logFlows();

        const gateway = new aws.ec2.InternetGateway(name, { vpcId: vpc.id, tags: { Name: name } }, { parent });
        const publicTable = routeTable("public");
        defaultRoute("public", publicTable, { gatewayId: gateway.id });
        const publicSubnets = args.zones.map((zone, i) => subnet("public", zone, publicCidrs[i], publicTable));

        const natGateways = args.zones.slice(0, { zone: args.zones.length, single: 1, none: 0 }[args.nat]).map(natGateway);
        const privateTables = args.zones.map((zone) => routeTable(`private-${zone}`));
        const privateSubnets = args.zones.map((zone, i) => subnet("private", zone, privateCidrs[i], privateTables[i]));
        args.zones.forEach((zone, i) => {
            const nat = natGateways[i] ?? natGateways[0];
            if (nat) defaultRoute(`private-${zone}`, privateTables[i], { natGatewayId: nat.id });
        });

        this.vpcId = vpc.id;
        this.publicSubnetIds = publicSubnets.map((one) => one.id);
        this.privateSubnetIds = privateSubnets.map((one) => one.id);
        this.routeTableIds = [publicTable, ...privateTables].map((table) => table.id);
        this.registerOutputs({ vpcId: this.vpcId });

        /** Without rules: whatever is started without a group of its own reaches nothing (CKV2_AWS_12). */
        function closeDefaultSecurityGroup() {
            new aws.ec2.DefaultSecurityGroup(name, { vpcId: vpc.id, tags: tag("default-closed") }, { parent });
        }

        function logFlows() {
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

        function routeTable(suffix: string) {
            return new aws.ec2.RouteTable(`${name}-${suffix}`, { vpcId: vpc.id, tags: tag(suffix) }, { parent });
        }

        function defaultRoute(
            suffix: string,
            table: aws.ec2.RouteTable | undefined,
            target: { gatewayId: pulumi.Output<string> } | { natGatewayId: pulumi.Output<string> },
        ) {
            if (table)
                new aws.ec2.Route(
                    `${name}-${suffix}-internet`,
                    { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", ...target },
                    { parent },
                );
        }

        function subnet(kind: "public" | "private", zone: string, cidrBlock: string | undefined, table: aws.ec2.RouteTable | undefined) {
            const role = kind === "public" ? "kubernetes.io/role/elb" : "kubernetes.io/role/internal-elb";
            const made = new aws.ec2.Subnet(
                `${name}-${kind}-${zone}`,
                {
                    vpcId: vpc.id,
                    cidrBlock,
                    availabilityZone: zone,
                    mapPublicIpOnLaunch: kind === "public" && args.nodes === "public",
                    tags: { ...tag(`${kind}-${zone}`), [role]: "1" },
                },
                { parent },
            );
            if (table)
                new aws.ec2.RouteTableAssociation(`${name}-${kind}-${zone}`, { subnetId: made.id, routeTableId: table.id }, { parent });
            return made;
        }

        function natGateway(zone: string, i: number) {
            const address = new aws.ec2.Eip(
                `${name}-nat-${zone}`,
                { domain: "vpc", tags: tag(`nat-${zone}`) },
                { parent, dependsOn: gateway },
            );
            return new aws.ec2.NatGateway(
                `${name}-${zone}`,
                { subnetId: publicSubnets[i]?.id ?? "", allocationId: address.id, tags: tag(zone) },
                // At destroy the gateway must go before the way to the internet does, or AWS refuses to detach that (DependencyViolation).
                { parent, dependsOn: gateway },
            );
        }
    }
}

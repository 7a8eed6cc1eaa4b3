import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ETCD_PORT } from "../core/cilium/clustermesh-config.ts";
import { APISERVER_NODE_PORT } from "../core/cilium/helm-values.ts";
import { endpointAddress, endpointBlock } from "../core/network/cidr.ts";

export interface EtcdEndpointArgs {
    vpcId: pulumi.Input<string>;
    /** A private subnet in each zone. */
    subnets: { id: pulumi.Input<string>; cidr: string }[];
    /** The nodes' security group, which must admit the load balancer. */
    nodeSecurityGroupId: pulumi.Input<string>;
    /** The group of the nodes, which are all targets. */
    autoscalingGroupName: pulumi.Input<string>;
}

/**
 * An internal network load balancer in front of the NodePort of clustermesh-apiserver. Its addresses are fixed: they survive its re-creation, so host aliases
 * in the peers never become stale. Pulumi owns it, so destroy leaves no network interfaces that would block the deletion of the VPC.
 * Costs about 20 USD a month.
 */
export class EtcdEndpoint extends pulumi.ComponentResource {
    /** The mesh stack adds the rules that admit the peers. */
    readonly securityGroupId: pulumi.Output<string>;
    /** One per subnet. */
    readonly addresses: string[];

    constructor(name: string, args: EtcdEndpointArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:EtcdEndpoint", name, {}, opts);

        const reservations = reserveAddresses(name, args, this);
        const group = securityGroup(name, args, this);
        const balancer = loadBalancer(name, args, group, reservations, this);
        forwardToNodes(name, args, balancer, this);

        this.addresses = args.subnets.map(({ cidr }) => endpointAddress(cidr));
        this.securityGroupId = group.id;
        this.registerOutputs({ securityGroupId: this.securityGroupId });
    }
}

/** Without a reservation the VPC CNI or another load balancer could take an address while this load balancer is re-created. */
function reserveAddresses(name: string, { subnets }: EtcdEndpointArgs, parent: EtcdEndpoint): aws.ec2.SubnetCidrReservation[] {
    return subnets.map(
        ({ id, cidr }, i) =>
            new aws.ec2.SubnetCidrReservation(
                `${name}-${i}`,
                {
                    subnetId: id,
                    cidrBlock: endpointBlock(cidr),
                    reservationType: "explicit",
                    description: "etcd endpoint of the cluster mesh",
                },
                { parent },
            ),
    );
}

/** The load balancer's security group, and the rules between it and the nodes. */
function securityGroup(name: string, { vpcId, nodeSecurityGroupId }: EtcdEndpointArgs, parent: EtcdEndpoint): aws.ec2.SecurityGroup {
    const group = new aws.ec2.SecurityGroup(
        name,
        { vpcId, description: "etcd endpoint of the cluster mesh", tags: { Name: name } },
        { parent },
    );
    const nodePort = { ipProtocol: "tcp", fromPort: APISERVER_NODE_PORT, toPort: APISERVER_NODE_PORT };
    new aws.vpc.SecurityGroupEgressRule(
        `${name}-to-nodes`,
        {
            ...nodePort,
            securityGroupId: group.id,
            referencedSecurityGroupId: nodeSecurityGroupId,
            description: "etcd and its health checks, to the nodes",
        },
        { parent },
    );
    new aws.vpc.SecurityGroupIngressRule(
        `${name}-to-nodes`,
        {
            ...nodePort,
            securityGroupId: nodeSecurityGroupId,
            referencedSecurityGroupId: group.id,
            description: "etcd and its health checks, from the endpoint",
        },
        { parent },
    );
    return group;
}

function loadBalancer(
    name: string,
    { subnets }: EtcdEndpointArgs,
    group: aws.ec2.SecurityGroup,
    reservations: aws.ec2.SubnetCidrReservation[],
    parent: EtcdEndpoint,
): aws.lb.LoadBalancer {
    return new aws.lb.LoadBalancer(
        name,
        {
            // AWS allows six characters. The cluster's name may be longer than a load balancer's.
            namePrefix: "etcd-",
            internal: true,
            loadBalancerType: "network",
            securityGroups: [group.id],
            subnetMappings: subnets.map(({ id, cidr }) => ({ subnetId: id, privateIpv4Address: endpointAddress(cidr) })),
            // A zone without a healthy node must still answer on its address.
            enableCrossZoneLoadBalancing: true,
            tags: { Name: name },
        },
        // Two load balancers cannot have the same address.
        { parent, dependsOn: reservations, deleteBeforeReplace: true },
    );
}

function forwardToNodes(
    name: string,
    { vpcId, autoscalingGroupName }: EtcdEndpointArgs,
    balancer: aws.lb.LoadBalancer,
    parent: EtcdEndpoint,
): void {
    const targets = new aws.lb.TargetGroup(
        name,
        {
            namePrefix: "etcd-",
            vpcId,
            port: APISERVER_NODE_PORT,
            protocol: "TCP",
            targetType: "instance",
            // With the peers' own addresses, replies could take another path, for example through a Transit Gateway.
            preserveClientIp: "false",
            // Otherwise agents would keep connections to a terminated node and notice only after minutes.
            connectionTermination: true,
            deregistrationDelay: 30,
            healthCheck: { protocol: "TCP", port: "traffic-port", interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
            tags: { Name: name },
        },
        { parent },
    );
    new aws.lb.Listener(
        name,
        {
            loadBalancerArn: balancer.arn,
            port: ETCD_PORT,
            protocol: "TCP",
            defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
        },
        { parent },
    );
    new aws.autoscaling.Attachment(name, { autoscalingGroupName, lbTargetGroupArn: targets.arn }, { parent });
}

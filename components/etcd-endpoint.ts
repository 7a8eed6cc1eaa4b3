import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ETCD_PORT } from "../core/cilium/clustermesh-config.ts";
import { APISERVER_NODE_PORT } from "../core/cilium/helm-values.ts";
import { endpointAddress, endpointBlock } from "../core/network/cidr.ts";

export interface EtcdEndpointArgs {
    vpcId: pulumi.Input<string>;
    /** A private subnet in each zone. */
    subnets: { id: pulumi.Input<string>; cidr: string }[];
    /** The nodes' group, which must admit the load balancer. */
    nodeSecurityGroupId: pulumi.Input<string>;
    /** The nodes: all of them are targets. */
    autoscalingGroupName: pulumi.Input<string>;
}

/**
 * An internal network load balancer before the NodePort of clustermesh-apiserver. Its addresses are chosen, not found: they survive its re-creation, so
 * host aliases in the peers never go stale; and as Pulumi owns it, destroy leaves no interfaces that would block the VPC's deletion.
 * Costs about 20 USD a month.
 */
export class EtcdEndpoint extends pulumi.ComponentResource {
    /** The mesh stack adds the rules that admit the peers. */
    readonly securityGroupId: pulumi.Output<string>;
    /** One for each subnet. */
    readonly addresses: string[];

    constructor(name: string, args: EtcdEndpointArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:EtcdEndpoint", name, {}, opts);
        this.addresses = args.subnets.map(({ cidr }) => endpointAddress(cidr));

        // Otherwise the VPC CNI or another load balancer could take the address while this one is re-created.
        const reservations = args.subnets.map(
            ({ id, cidr }, i) =>
                new aws.ec2.SubnetCidrReservation(
                    `${name}-${i}`,
                    {
                        subnetId: id,
                        cidrBlock: endpointBlock(cidr),
                        reservationType: "explicit",
                        description: "etcd endpoint of the cluster mesh",
                    },
                    { parent: this },
                ),
        );
        const group = new aws.ec2.SecurityGroup(
            name,
            { vpcId: args.vpcId, description: "etcd endpoint of the cluster mesh", tags: { Name: name } },
            { parent: this },
        );
        const nodePort = { ipProtocol: "tcp", fromPort: APISERVER_NODE_PORT, toPort: APISERVER_NODE_PORT };
        new aws.vpc.SecurityGroupEgressRule(
            `${name}-to-nodes`,
            {
                ...nodePort,
                securityGroupId: group.id,
                referencedSecurityGroupId: args.nodeSecurityGroupId,
                description: "etcd and its health checks, to the nodes",
            },
            { parent: this },
        );
        new aws.vpc.SecurityGroupIngressRule(
            `${name}-to-nodes`,
            {
                ...nodePort,
                securityGroupId: args.nodeSecurityGroupId,
                referencedSecurityGroupId: group.id,
                description: "etcd and its health checks, from the endpoint",
            },
            { parent: this },
        );

        const balancer = new aws.lb.LoadBalancer(
            name,
            {
                // At most six characters; the cluster's name may be longer than a load balancer's may.
                namePrefix: "etcd-",
                internal: true,
                loadBalancerType: "network",
                securityGroups: [group.id],
                subnetMappings: args.subnets.map(({ id }, i) => ({ subnetId: id, privateIpv4Address: this.addresses[i] })),
                // A zone without a healthy node must still answer on its address.
                enableCrossZoneLoadBalancing: true,
                tags: { Name: name },
            },
            // Two cannot have one address.
            { parent: this, dependsOn: reservations, deleteBeforeReplace: true },
        );
        const targets = new aws.lb.TargetGroup(
            name,
            {
                namePrefix: "etcd-",
                vpcId: args.vpcId,
                port: APISERVER_NODE_PORT,
                protocol: "TCP",
                targetType: "instance",
                // With the peers' own addresses answers could take another way back, through a Transit Gateway for one.
                preserveClientIp: "false",
                // Else agents would hold connections to a node that is gone and notice after minutes.
                connectionTermination: true,
                deregistrationDelay: 30,
                healthCheck: { protocol: "TCP", port: "traffic-port", interval: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
                tags: { Name: name },
            },
            { parent: this },
        );
        new aws.lb.Listener(
            name,
            {
                loadBalancerArn: balancer.arn,
                port: ETCD_PORT,
                protocol: "TCP",
                defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
            },
            { parent: this },
        );
        new aws.autoscaling.Attachment(
            name,
            { autoscalingGroupName: args.autoscalingGroupName, lbTargetGroupArn: targets.arn },
            { parent: this },
        );

        this.securityGroupId = group.id;
        this.registerOutputs({ securityGroupId: this.securityGroupId });
    }
}

import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition, waitForDeletion } from "../definition.ts";
import { tagList, tagMap } from "../ec2/tags.ts";
import { changedAttributes, elbTagging, elbTags, withMark } from "./tags.ts";

type BalancerArgs = Plain<aws.lb.LoadBalancerArgs>;

async function findBalancer({ api }: Context, arn: string) {
    return (await api.elb.describeLoadBalancers({ LoadBalancerArns: [arn] })).LoadBalancers[0];
}

export const loadBalancer: ResourceDefinition<BalancerArgs, Plain<aws.lb.LoadBalancerState>> = {
    noun: "ELBv2 network Load Balancer",
    forceNew: ["name", "namePrefix", "internal", "loadBalancerType", "subnetMappings", "subnets", "ipAddressType"],
    defaults: { internal: false, loadBalancerType: "application", enableDeletionProtection: false },
    unreadable: ["namePrefix"],
    autoName: "name",
    computed: ["arn", "arnSuffix", "dnsName", "name", "vpcId", "zoneId", "ipAddressType", "subnets"],
    tagging: elbTagging,
    timeoutMinutes: 10,
    find: {
        byMark: async (context) => {
            const { LoadBalancers } = await context.api.elb.describeLoadBalancers();
            return withMark(
                context,
                LoadBalancers.map(({ LoadBalancerArn }) => LoadBalancerArn),
            );
        },
    },
    create: async (context, inputs) => {
        const { LoadBalancers } = await context.api.elb.createLoadBalancer({
            Name: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            Type: inputs.loadBalancerType,
            Scheme: inputs.internal ? "internal" : "internet-facing",
            Subnets: inputs.subnets,
            SubnetMappings: inputs.subnetMappings?.map(({ subnetId, privateIpv4Address }) => ({
                SubnetId: subnetId,
                PrivateIPv4Address: privateIpv4Address,
            })),
            SecurityGroups: inputs.securityGroups,
            IpAddressType: inputs.ipAddressType,
            Tags: tagList(context.tags),
        });
        const [created] = LoadBalancers;
        if (!created) throw new Error("CreateLoadBalancer returned no load balancer");
        return created.LoadBalancerArn;
    },
    reconcile: async (context, arn, inputs) => {
        await context.waitFor(`ELBv2 Load Balancer (${arn})`, "active", async () =>
            pendingState((await findBalancer(context, arn))?.State.Code, ["active"], ["provisioning"]),
        );
        const { elb } = context.api;
        const { Attributes } = await elb.describeLoadBalancerAttributes({ LoadBalancerArn: arn });
        const outdated = changedAttributes(Attributes, {
            "load_balancing.cross_zone.enabled": inputs.enableCrossZoneLoadBalancing,
            "deletion_protection.enabled": inputs.enableDeletionProtection,
            "dns_record.client_routing_policy": inputs.dnsRecordClientRoutingPolicy,
        });
        if (outdated.length > 0) await elb.modifyLoadBalancerAttributes({ LoadBalancerArn: arn, Attributes: outdated });
    },
    read: async (context, arn, olds) => {
        const found = await findBalancer(context, arn);
        if (!found) return undefined;
        const { Attributes } = await context.api.elb.describeLoadBalancerAttributes({ LoadBalancerArn: arn });
        const attributes = tagMap(Attributes);
        return {
            arn,
            arnSuffix: arn.split(":loadbalancer/")[1],
            name: found.LoadBalancerName,
            dnsName: found.DNSName,
            zoneId: found.CanonicalHostedZoneId,
            vpcId: found.VpcId,
            internal: found.Scheme === "internal",
            loadBalancerType: found.Type,
            ipAddressType: found.IpAddressType,
            securityGroups: found.SecurityGroups,
            subnets: found.AvailabilityZones.map(({ SubnetId }) => SubnetId),
            subnetMappings: found.AvailabilityZones.map(({ SubnetId, LoadBalancerAddresses }) => ({
                subnetId: SubnetId,
                // The real provider leaves out addresses that the program did not request.
                ...(olds.subnetMappings?.some(({ privateIpv4Address }) => privateIpv4Address) && {
                    privateIpv4Address: LoadBalancerAddresses[0]?.PrivateIPv4Address,
                }),
            })),
            enableCrossZoneLoadBalancing: attributes["load_balancing.cross_zone.enabled"] === "true",
            enableDeletionProtection: attributes["deletion_protection.enabled"] === "true",
            dnsRecordClientRoutingPolicy: attributes["dns_record.client_routing_policy"],
            tags: await elbTags(context, arn),
        };
    },
    // `reconcile` sets the attributes.
    update: async ({ api }, arn, { inputs, changed }) => {
        if (changed("securityGroups"))
            await api.elb.setSecurityGroups({ LoadBalancerArn: arn, SecurityGroups: inputs.securityGroups ?? [] });
    },
    delete: async (context, arn) => {
        const { elb, ec2 } = context.api;
        await elb.deleteLoadBalancer({ LoadBalancerArn: arn });
        // Its network interfaces exist for minutes longer, and block the deletion of subnets and security groups.
        const Filters = [{ Name: "requester-id", Values: ["amazon-elb"] }];
        const description = `ELB ${arn.split(":loadbalancer/")[1]}`;
        await waitForDeletion(context, `interfaces of ELBv2 Load Balancer (${arn})`, [], async () => {
            const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({ Filters });
            return NetworkInterfaces.find(({ Description }) => Description === description)?.Status;
        });
    },
};

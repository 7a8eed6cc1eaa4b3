import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "../definition.ts";
import { tagList, tagMap } from "../ec2/tags.ts";
import { changedAttributes, elbTagging, elbTags, withMark } from "./tags.ts";

type GroupArgs = Plain<aws.lb.TargetGroupArgs>;

function healthCheck({ healthCheck: check }: GroupArgs) {
    const settings = {
        HealthCheckProtocol: check?.protocol,
        HealthCheckPort: check?.port,
        HealthCheckEnabled: check?.enabled,
        HealthCheckIntervalSeconds: check?.interval,
        HealthCheckTimeoutSeconds: check?.timeout,
        HealthyThresholdCount: check?.healthyThreshold,
        UnhealthyThresholdCount: check?.unhealthyThreshold,
    };
    return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

export const targetGroup: ResourceDefinition<GroupArgs, Plain<aws.lb.TargetGroupState>> = {
    noun: "ELBv2 Target Group",
    forceNew: ["name", "namePrefix", "port", "protocol", "targetType", "vpcId", "ipAddressType"],
    defaults: { targetType: "instance", deregistrationDelay: 300, connectionTermination: false },
    unreadable: ["namePrefix"],
    autoName: "name",
    computed: ["arn", "arnSuffix", "name", "ipAddressType", "loadBalancerArns", "preserveClientIp", "loadBalancingCrossZoneEnabled"],
    tagging: elbTagging,
    find: {
        byMark: async (context) => {
            const { TargetGroups } = await context.api.elb.describeTargetGroups();
            return withMark(
                context,
                TargetGroups.map(({ TargetGroupArn }) => TargetGroupArn),
            );
        },
    },
    create: async (context, inputs) => {
        const { TargetGroups } = await context.api.elb.createTargetGroup({
            Name: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            Protocol: inputs.protocol,
            Port: inputs.port,
            VpcId: inputs.vpcId,
            TargetType: inputs.targetType as "instance" | "ip",
            IpAddressType: inputs.ipAddressType,
            ...healthCheck(inputs),
            Tags: tagList(context.tags),
        });
        const [created] = TargetGroups;
        if (!created) throw new Error("CreateTargetGroup returned no target group");
        return created.TargetGroupArn;
    },
    reconcile: async ({ api }, TargetGroupArn, inputs) => {
        const { Attributes } = await api.elb.describeTargetGroupAttributes({ TargetGroupArn });
        const outdated = changedAttributes(Attributes, {
            "deregistration_delay.timeout_seconds": inputs.deregistrationDelay,
            "deregistration_delay.connection_termination.enabled": inputs.connectionTermination,
            "preserve_client_ip.enabled": inputs.preserveClientIp,
            "load_balancing.cross_zone.enabled": inputs.loadBalancingCrossZoneEnabled,
        });
        if (outdated.length > 0) await api.elb.modifyTargetGroupAttributes({ TargetGroupArn, Attributes: outdated });
    },
    read: async (context, arn) => {
        const { elb } = context.api;
        const [found] = (await elb.describeTargetGroups({ TargetGroupArns: [arn] })).TargetGroups;
        if (!found) return undefined;
        const attributes = tagMap((await elb.describeTargetGroupAttributes({ TargetGroupArn: arn })).Attributes);
        return {
            arn,
            arnSuffix: arn.split(":").at(-1),
            name: found.TargetGroupName,
            port: found.Port,
            protocol: found.Protocol,
            targetType: found.TargetType,
            vpcId: found.VpcId,
            ipAddressType: found.IpAddressType,
            loadBalancerArns: found.LoadBalancerArns,
            healthCheck: {
                enabled: found.HealthCheckEnabled,
                protocol: found.HealthCheckProtocol,
                port: found.HealthCheckPort,
                interval: found.HealthCheckIntervalSeconds,
                timeout: found.HealthCheckTimeoutSeconds,
                healthyThreshold: found.HealthyThresholdCount,
                unhealthyThreshold: found.UnhealthyThresholdCount,
            },
            deregistrationDelay: Number(attributes["deregistration_delay.timeout_seconds"]),
            connectionTermination: attributes["deregistration_delay.connection_termination.enabled"] === "true",
            preserveClientIp: attributes["preserve_client_ip.enabled"],
            loadBalancingCrossZoneEnabled: attributes["load_balancing.cross_zone.enabled"],
            tags: await elbTags(context, arn),
        };
    },
    // `reconcile` sets the attributes.
    update: async ({ api }, TargetGroupArn, { inputs, changed }) => {
        if (changed("healthCheck")) await api.elb.modifyTargetGroup({ TargetGroupArn, ...healthCheck(inputs) });
    },
    delete: ({ api }, TargetGroupArn) => api.elb.deleteTargetGroup({ TargetGroupArn }),
};

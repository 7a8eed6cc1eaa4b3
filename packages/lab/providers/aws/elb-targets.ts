import type * as aws from "@pulumi/aws";
import { hasCode } from "./api.ts";
import { tagList, tagMap } from "./ec2/common.ts";
import { elbMarked, elbTagging, elbTags, unlike } from "./elb.ts";
import type { Kind, Plain } from "./kind.ts";

type GroupArgs = Plain<aws.lb.TargetGroupArgs>;

function healthCheck({ healthCheck: check }: GroupArgs) {
    const given = {
        HealthCheckProtocol: check?.protocol,
        HealthCheckPort: check?.port,
        HealthCheckEnabled: check?.enabled,
        HealthCheckIntervalSeconds: check?.interval,
        HealthCheckTimeoutSeconds: check?.timeout,
        HealthyThresholdCount: check?.healthyThreshold,
        UnhealthyThresholdCount: check?.unhealthyThreshold,
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export const targetGroup: Kind<GroupArgs, Plain<aws.lb.TargetGroupState>> = {
    noun: "ELBv2 Target Group",
    forceNew: ["name", "namePrefix", "port", "protocol", "targetType", "vpcId", "ipAddressType"],
    defaults: { targetType: "instance", deregistrationDelay: 300, connectionTermination: false },
    unreadable: ["namePrefix"],
    autoName: "name",
    computed: ["arn", "arnSuffix", "name", "ipAddressType", "loadBalancerArns", "preserveClientIp", "loadBalancingCrossZoneEnabled"],
    tagging: elbTagging,
    find: {
        marked: async (context) => {
            const { TargetGroups } = await context.api.elb.describeTargetGroups();
            return elbMarked(
                context,
                TargetGroups.map(({ TargetGroupArn }) => TargetGroupArn),
            );
        },
    },
    make: async (context, inputs) => {
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
        const [made] = TargetGroups;
        if (!made) throw new Error("AWS has made no target group");
        return made.TargetGroupArn;
    },
    settle: async ({ api }, TargetGroupArn, inputs) => {
        const { Attributes } = await api.elb.describeTargetGroupAttributes({ TargetGroupArn });
        const changed = unlike(Attributes, {
            "deregistration_delay.timeout_seconds": inputs.deregistrationDelay,
            "deregistration_delay.connection_termination.enabled": inputs.connectionTermination,
            "preserve_client_ip.enabled": inputs.preserveClientIp,
            "load_balancing.cross_zone.enabled": inputs.loadBalancingCrossZoneEnabled,
        });
        if (changed.length > 0) await api.elb.modifyTargetGroupAttributes({ TargetGroupArn, Attributes: changed });
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
    // Attributes are brought to what is wanted in `settle`.
    update: async ({ api }, TargetGroupArn, { inputs, has }) => {
        if (has("healthCheck")) await api.elb.modifyTargetGroup({ TargetGroupArn, ...healthCheck(inputs) });
    },
    remove: ({ api }, TargetGroupArn) => api.elb.deleteTargetGroup({ TargetGroupArn }),
};

/** The nodes of a group are targets of another. */
export const attachment: Kind<Plain<aws.autoscaling.AttachmentArgs>, Plain<aws.autoscaling.AttachmentState>> = {
    noun: "Auto Scaling Group Attachment",
    forceNew: ["autoscalingGroupName", "elb", "lbTargetGroupArn"],
    computed: [],
    // Attaching twice is no error: nothing need be found.
    make: async ({ api }, { autoscalingGroupName, lbTargetGroupArn = "" }) => {
        await api.autoscaling.attachLoadBalancerTargetGroups({
            AutoScalingGroupName: autoscalingGroupName,
            TargetGroupARNs: [lbTargetGroupArn],
        });
        return `${autoscalingGroupName}-${lbTargetGroupArn}`;
    },
    read: async ({ api }, _id, { autoscalingGroupName = "", lbTargetGroupArn }) => {
        const { AutoScalingGroups } = await api.autoscaling.describeAutoScalingGroups({ AutoScalingGroupNames: [autoscalingGroupName] });
        const isAttached = AutoScalingGroups[0]?.TargetGroupARNs.includes(lbTargetGroupArn ?? "");
        return isAttached ? { autoscalingGroupName, lbTargetGroupArn } : undefined;
    },
    remove: async ({ api }, _id, { autoscalingGroupName = "", lbTargetGroupArn = "" }) => {
        const request = { AutoScalingGroupName: autoscalingGroupName, TargetGroupARNs: [lbTargetGroupArn] };
        await api.autoscaling.detachLoadBalancerTargetGroups(request).catch((error: unknown) => {
            // The group may be gone, or may have let go of it.
            if (!hasCode(error, "ValidationError")) throw error;
        });
    },
};

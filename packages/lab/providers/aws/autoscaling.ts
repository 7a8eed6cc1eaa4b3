import type * as aws from "@pulumi/aws";
import { hasCode } from "./api.ts";
import type { Plain, ResourceDefinition } from "./definition.ts";

/** Registers an Auto Scaling group's instances with a target group. */
export const attachment: ResourceDefinition<Plain<aws.autoscaling.AttachmentArgs>, Plain<aws.autoscaling.AttachmentState>> = {
    noun: "Auto Scaling Group Attachment",
    forceNew: ["autoscalingGroupName", "elb", "lbTargetGroupArn"],
    computed: [],
    // AttachLoadBalancerTargetGroups is idempotent, so the create needs no search.
    create: async ({ api }, { autoscalingGroupName, lbTargetGroupArn = "" }) => {
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
    delete: async ({ api }, _id, { autoscalingGroupName = "", lbTargetGroupArn = "" }) => {
        const request = { AutoScalingGroupName: autoscalingGroupName, TargetGroupARNs: [lbTargetGroupArn] };
        await api.autoscaling.detachLoadBalancerTargetGroups(request).catch((error: unknown) => {
            // The group may be deleted, or the target group detached already.
            if (!hasCode(error, "ValidationError")) throw error;
        });
    },
};

import { beforeEach, describe, expect, test } from "vitest";
import { setMeasuredHealth } from "../../aws/elb/target-health.ts";
import { type BalancerSite, createBalancerSite } from "./elb/balancer.ts";
import { keptRules, refused } from "./kept-rules.ts";
import { FRANKFURT } from "./places.ts";

let s: BalancerSite;
beforeEach(async () => {
    s = await createBalancerSite();
});

describe("Auto Scaling", () => {
    const rule = keptRules("Auto Scaling");

    rule("registers the instances of a group with an attached target group", async () => {
        const AutoScalingGroupName = await s.nodes();
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        expect(await s.health(targets)).toEqual(["unused", "unused"]);
        await s.listener((await s.balancer()).LoadBalancerArn, targets);
        expect(await s.health(targets)).toEqual(["initial", "initial"]);
        s.minutes(1);
        expect(await s.health(targets)).toEqual(["healthy", "healthy"]);
        const { LoadBalancerTargetGroups } = await s.autoscaling.describeLoadBalancerTargetGroups({ AutoScalingGroupName });
        expect(LoadBalancerTargetGroups).toEqual([{ LoadBalancerTargetGroupARN: targets, State: "InService" }]);
    });

    test("registers and drains targets as nodes join and leave", async () => {
        const AutoScalingGroupName = await s.nodes();
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await s.listener((await s.balancer()).LoadBalancerArn, targets);
        const scale = (desiredSize: number) =>
            s.eks.updateNodegroupConfig({ clusterName: "one", nodegroupName: "nodes", scalingConfig: { desiredSize } });
        await scale(3);
        s.minutes(1);
        expect(await s.health(targets)).toEqual(["healthy", "healthy", "initial"]);
        await scale(1);
        expect((await s.health(targets)).toSorted()).toEqual(["draining", "draining", "initial"]);
        s.minutes(6);
        expect(await s.health(targets)).toEqual(["healthy"]);
    });

    test("leaves a target unused in a zone without the load balancer", async () => {
        const AutoScalingGroupName = await s.nodes();
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await s.listener((await s.balancer({ SubnetMappings: [{ SubnetId: s.a }] })).LoadBalancerArn, targets);
        s.minutes(1);
        expect(await s.health(targets)).toEqual(["healthy", "unused"]);
    });

    test("reports a target as unhealthy if its security group does not admit the load balancer", async () => {
        const AutoScalingGroupName = await s.nodes();
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await s.listener((await s.balancer()).LoadBalancerArn, targets);
        s.minutes(1);
        const { clusterSecurityGroupId: GroupId } = (await s.eks.describeCluster({ name: "one" })).cluster.resourcesVpcConfig;
        await s.ec2.revokeSecurityGroupIngress({ GroupId, IpPermissions: s.fromBalancer() });
        const { TargetHealthDescriptions } = await s.elb.describeTargetHealth({ TargetGroupArn: targets });
        expect(TargetHealthDescriptions[0]?.TargetHealth).toMatchObject({ State: "unhealthy", Reason: "Target.FailedHealthChecks" });
    });

    test("reports measured health where it is measured", async () => {
        const AutoScalingGroupName = await s.nodes();
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        await s.listener((await s.balancer()).LoadBalancerArn, targets);
        s.minutes(1);
        expect(await s.health(targets)).toEqual(["healthy", "healthy"]);
        const { TargetHealthDescriptions } = await s.elb.describeTargetHealth({ TargetGroupArn: targets });
        const [first] = TargetHealthDescriptions.map(({ Target }) => `${targets} ${Target.Id}`);
        const measure = (found: Parameters<typeof setMeasuredHealth>[1]) =>
            s.aws.edit(FRANKFURT, (scope) => setMeasuredHealth(scope, found));
        measure(new Map([[first ?? "", "unhealthy"]]));
        expect(await s.health(targets)).toEqual(["unhealthy", "initial"]);
        measure(new Map([[first ?? "", "healthy"]]));
        expect(await s.health(targets)).toEqual(["healthy", "initial"]);
        measure(undefined);
        expect(await s.health(targets)).toEqual(["healthy", "healthy"]);
    });

    rule("refuses to attach an unknown target group", async () => {
        const AutoScalingGroupName = await s.nodes();
        await refused(
            s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: ["arn:none"] }),
            "ValidationError",
            "Provided Target Groups may not be valid. Please ensure they exist and try again.",
        );
    });

    rule("refuses to detach a target group that is not attached", async () => {
        const AutoScalingGroupName = await s.nodes();
        const TargetGroupARNs = [await s.targetGroup()];
        await refused(
            s.autoscaling.detachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs }),
            "ValidationError",
            "Trying to remove Target Groups that are not part of the group",
        );
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs });
        await s.autoscaling.detachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs });
        expect(await s.health(TargetGroupARNs[0] ?? "")).toEqual(["draining", "draining"]);
        s.minutes(6);
        expect(await s.health(TargetGroupARNs[0] ?? "")).toEqual([]);
    });

    rule("refuses an unknown group", async () => {
        await refused(
            s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName: "none", TargetGroupARNs: [] }),
            "ValidationError",
            "AutoScalingGroup name not found - AutoScalingGroup 'none' not found",
        );
    });
});

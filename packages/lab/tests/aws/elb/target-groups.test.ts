import { beforeEach, describe, expect, test } from "vitest";
import { TARGET_GROUPS } from "../../../aws/elb/tables.ts";
import { refused } from "../kept-rules.ts";
import { FRANKFURT } from "../places.ts";
import { type BalancerSite, createBalancerSite } from "./balancer.ts";

let s: BalancerSite;
beforeEach(async () => {
    s = await createBalancerSite();
});

describe("target groups", () => {
    test("keep their settings and attributes", async () => {
        const TargetGroupArn = await s.targetGroup();
        const [created] = (await s.elb.describeTargetGroups({ TargetGroupArns: [TargetGroupArn] })).TargetGroups;
        expect(created).toMatchObject({ Port: 32379, TargetType: "instance", HealthCheckIntervalSeconds: 10, LoadBalancerArns: [] });
        const set = (Key: string, Value: string) => s.elb.modifyTargetGroupAttributes({ TargetGroupArn, Attributes: [{ Key, Value }] });
        await set("preserve_client_ip.enabled", "false");
        expect((await s.elb.describeTargetGroupAttributes({ TargetGroupArn })).Attributes).toContainEqual({
            Key: "preserve_client_ip.enabled",
            Value: "false",
        });
        await refused(set("preserve_ip", "false"), "ValidationError", "Target group attribute key 'preserve_ip' is not recognized");
        await refused(set("deregistration_delay.timeout_seconds", "3601"), "ValidationError");
    });

    test("refuse the same name with other settings", async () => {
        expect(await s.targetGroup()).toBe(await s.targetGroup());
        await refused(
            s.targetGroup({ Port: 2379 }),
            "DuplicateTargetGroupName",
            "A target group with the same name 'etcd-1' exists, but with different settings",
        );
    });

    test("refuse an unknown VPC, an unsupported protocol, and health checks out of bounds", async () => {
        await refused(
            s.targetGroup({ VpcId: "vpc-00000000000000000" }),
            "ValidationError",
            "The VPC ID 'vpc-00000000000000000' is not found",
        );
        await refused(s.targetGroup({ VpcId: "" }), "ValidationError", "A VPC ID must be specified");
        await refused(s.targetGroup({ Port: 0 }), "ValidationError", "A port must be specified, between 1 and 65535");
        await refused(s.targetGroup({ Protocol: "HTTP" }), "ValidationError");
        s.aws.setQuota(FRANKFURT, TARGET_GROUPS, 0);
        await refused(s.targetGroup(), "TooManyTargetGroups");
        await refused(
            s.targetGroup({ HealthCheckIntervalSeconds: 4 }),
            "ValidationError",
            "Health check interval must be between 5 and 300",
        );
        await refused(s.targetGroup({ HealthyThresholdCount: 1 }), "ValidationError");
    });

    test("cannot be deleted while a listener forwards to them", async () => {
        const TargetGroupArn = await s.targetGroup();
        const { LoadBalancerArn } = await s.balancer();
        await s.listener(LoadBalancerArn, TargetGroupArn);
        await refused(
            s.elb.deleteTargetGroup({ TargetGroupArn }),
            "ResourceInUse",
            `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`,
        );
        await s.elb.deleteLoadBalancer({ LoadBalancerArn });
        await s.elb.deleteTargetGroup({ TargetGroupArn });
        await refused(s.elb.describeTargetGroups({ TargetGroupArns: [TargetGroupArn] }), "TargetGroupNotFound");
    });

    test("accept only instances of their VPC", async () => {
        const TargetGroupArn = await s.targetGroup();
        await refused(s.elb.registerTargets({ TargetGroupArn, Targets: [{ Id: "i-00000000000000000" }] }), "InvalidTarget");
    });
});

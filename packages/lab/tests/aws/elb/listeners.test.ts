import { beforeEach, describe, expect, test } from "vitest";
import { LISTENERS_PER_BALANCER } from "../../../aws/elb/tables.ts";
import { refused } from "../kept-rules.ts";
import { FRANKFURT } from "../places.ts";
import { type BalancerSite, createBalancerSite } from "./balancer.ts";

let s: BalancerSite;
beforeEach(async () => {
    s = await createBalancerSite();
});

describe("listeners", () => {
    test("are unique per port and need an existing load balancer and target group", async () => {
        const arn = (await s.balancer()).LoadBalancerArn;
        const targets = await s.targetGroup();
        const { Listeners } = await s.listener(arn, targets);
        expect(Listeners[0]).toMatchObject({ Port: 2379, Protocol: "TCP", DefaultActions: [{ TargetGroupArn: targets }] });
        await refused(
            s.listener(arn, targets),
            "DuplicateListener",
            `A listener already exists on this port for this load balancer '${arn}'`,
        );
        await refused(s.listener(`${arn}0`, targets, 1), "LoadBalancerNotFound", "One or more load balancers not found");
        await refused(s.listener(arn, `${targets}0`, 1), "TargetGroupNotFound", "One or more target groups not found");
        await refused(s.listener(arn, targets, 1, "UDP"), "IncompatibleProtocols");
        await refused(s.listener(arn, targets, 1, "HTTP"), "ValidationError");
        await refused(s.listener(arn, targets, 0), "ValidationError");
        const none = { LoadBalancerArn: arn, Port: 1, Protocol: "TCP", DefaultActions: [] };
        await refused(s.elb.createListener(none), "InvalidLoadBalancerAction");
        s.aws.setQuota(FRANKFURT, LISTENERS_PER_BALANCER, 1);
        await refused(s.listener(arn, targets, 1), "TooManyListeners");
    });

    test("can be changed and deleted", async () => {
        const LoadBalancerArn = (await s.balancer()).LoadBalancerArn;
        const ListenerArn = (await s.listener(LoadBalancerArn, await s.targetGroup())).Listeners[0]?.ListenerArn ?? "";
        await s.elb.modifyListener({ ListenerArn, Port: 2380 });
        expect((await s.elb.describeListeners({ LoadBalancerArn })).Listeners.map(({ Port }) => Port)).toEqual([2380]);
        expect((await s.elb.describeListenerAttributes({ ListenerArn })).Attributes).toEqual([
            { Key: "tcp.idle_timeout.seconds", Value: "350" },
        ]);
        await s.elb.deleteListener({ ListenerArn });
        await refused(s.elb.describeListeners({ ListenerArns: [ListenerArn] }), "ListenerNotFound");
    });

    test("cannot forward to the target group of another load balancer or VPC", async () => {
        const targets = await s.targetGroup();
        await s.listener((await s.balancer()).LoadBalancerArn, targets);
        const second = await s.balancer({ Name: "second", SubnetMappings: [{ SubnetId: s.a }] });
        await refused(s.listener(second.LoadBalancerArn, targets), "TargetGroupAssociationLimit");
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        await refused(s.listener(second.LoadBalancerArn, await s.targetGroup({ Name: "far", VpcId })), "InvalidConfigurationRequest");
    });
});

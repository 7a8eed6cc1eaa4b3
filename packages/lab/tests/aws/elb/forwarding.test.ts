import { beforeEach, describe, expect, test } from "vitest";
import { findBalancerTargets } from "../../../aws/elb/forwarding.ts";
import { pathBetween } from "../../../aws/path/path.ts";
import { FRANKFURT } from "../places.ts";
import { type BalancerSite, createBalancerSite } from "./balancer.ts";

let s: BalancerSite;
beforeEach(async () => {
    s = await createBalancerSite();
});

describe("a packet to a load balancer", () => {
    /** Creates a client. Returns a function that follows a connection from it to the load balancer's address in the first zone. */
    async function createClient() {
        const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "client", Description: "d", VpcId: s.VpcId });
        const SubnetId = await s.subnet("10.0.4.0/24", "b");
        const { NetworkInterface } = await s.ec2.createNetworkInterface({ SubnetId, Groups: [GroupId] });
        const IpPermissions = [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, UserIdGroupPairs: [{ GroupId }] }];
        await s.ec2.authorizeSecurityGroupIngress({ GroupId: s.group, IpPermissions });
        const at = (address: string) => ({ ...FRANKFURT, vpcId: s.VpcId, address });
        return (port = 2379) =>
            s.aws.edit(FRANKFURT, (scope) =>
                pathBetween(scope, at(NetworkInterface.PrivateIpAddress), at("10.0.0.16"), { protocol: "tcp", port }, findBalancerTargets),
            );
    }
    async function createServed(subnets: string[]) {
        const AutoScalingGroupName = await s.nodes({ subnets });
        const targets = await s.targetGroup();
        await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [targets] });
        const { LoadBalancerArn } = await s.balancer();
        await s.listener(LoadBalancerArn, targets);
        return LoadBalancerArn;
    }

    test("is forwarded to a healthy node once the load balancer is active", async () => {
        await createServed([s.a, s.b]);
        const path = await createClient();
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        s.minutes(2);
        expect(path().summary).toContain("is open");
        expect(path(2380)).toMatchObject({ open: false, drop: { reason: "ingress-rule" } });
    });

    test("is forwarded to a node in another zone only with cross-zone load balancing", async () => {
        const LoadBalancerArn = await createServed([s.b]);
        const path = await createClient();
        s.minutes(2);
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        const Attributes = [{ Key: "load_balancing.cross_zone.enabled", Value: "true" }];
        await s.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes });
        expect(path().open).toBe(true);
    });

    test("is dropped without a listener or without nodes", async () => {
        const LoadBalancerArn = await createServed([s.a, s.b]);
        const path = await createClient();
        s.minutes(2);
        const { Listeners } = await s.elb.describeListeners({ LoadBalancerArn });
        await s.elb.deleteListener({ ListenerArn: Listeners[0]?.ListenerArn ?? "" });
        expect(path()).toMatchObject({ open: false, drop: { reason: "no-target" } });
        await s.eks.deleteNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        expect(path().open).toBe(false);
    });
});

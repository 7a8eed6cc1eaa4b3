import { expect, test } from "vitest";
import { ALL_TABLES } from "../../aws/aws.ts";
import { refused } from "./kept-rules.ts";
import { FRANKFURT } from "./places.ts";
import { createSite } from "./site.ts";

test("the resources of a cluster stack can be created, and deleted in reverse order until nothing remains", async () => {
    const s = await createSite({ speed: Number.POSITIVE_INFINITY });
    const { kms, logs } = s.aws.in(FRANKFURT);
    const allow = (Principal: object) => ({ Effect: "Allow", Principal, Action: "kms:*", Resource: "*" });
    const Policy = JSON.stringify({
        Version: "2012-10-17",
        Statement: [allow({ AWS: "arn:aws:iam::111111111111:root" }), allow({ Service: "logs.eu-central-1.amazonaws.com" })],
    });
    const { KeyId, Arn: kmsKeyId } = (await kms.createKey({ Policy })).KeyMetadata;
    const logGroupName = "/aws/eks/one/cluster";
    await logs.createLogGroup({ logGroupName, kmsKeyId });
    const { resourcesVpcConfig } = await s.active({ encryptionConfig: [{ resources: ["secrets"], provider: { keyArn: kmsKeyId } }] });
    const clusterRef = { clusterName: "one" };
    const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true" } });
    await s.eks.createAddon({ ...clusterRef, addonName: "vpc-cni", configurationValues });
    const template = (await s.ec2.createLaunchTemplate({ LaunchTemplateName: "t", LaunchTemplateData: {} })).LaunchTemplate;
    const { resources } = await s.nodegroup({ launchTemplate: { id: template.LaunchTemplateId, version: "1" } });
    const AutoScalingGroupName = resources.autoScalingGroups[0]?.name ?? "";
    await s.eks.createAddon({ ...clusterRef, addonName: "coredns" });

    const nodesGroup = resourcesVpcConfig.clusterSecurityGroupId;
    const reservation = (await s.ec2.createSubnetCidrReservation({ SubnetId: s.a, Cidr: "10.0.0.64/28", ReservationType: "explicit" }))
        .SubnetCidrReservation;
    const { GroupId } = await s.ec2.createSecurityGroup({ GroupName: "etcd", Description: "d", VpcId: s.VpcId });
    const port = (peer: string) => [{ IpProtocol: "tcp", FromPort: 32379, ToPort: 32379, UserIdGroupPairs: [{ GroupId: peer }] }];
    await s.ec2.authorizeSecurityGroupEgress({ GroupId, IpPermissions: port(nodesGroup) });
    await s.ec2.authorizeSecurityGroupIngress({ GroupId: nodesGroup, IpPermissions: port(GroupId) });
    const [balancer] = (
        await s.elb.createLoadBalancer({
            Name: "etcd-1",
            Type: "network",
            Scheme: "internal",
            SubnetMappings: [{ SubnetId: s.a, PrivateIPv4Address: "10.0.0.64" }],
            SecurityGroups: [GroupId],
        })
    ).LoadBalancers;
    const LoadBalancerArn = balancer?.LoadBalancerArn ?? "";
    const [targets] = (await s.elb.createTargetGroup({ Name: "etcd-1", Protocol: "TCP", Port: 32379, VpcId: s.VpcId })).TargetGroups;
    const TargetGroupArn = targets?.TargetGroupArn ?? "";
    const DefaultActions = [{ Type: "forward" as const, TargetGroupArn }];
    const [listener] = (await s.elb.createListener({ LoadBalancerArn, Port: 2379, Protocol: "TCP", DefaultActions })).Listeners;
    await s.autoscaling.attachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [TargetGroupArn] });
    const { TargetHealthDescriptions } = await s.elb.describeTargetHealth({ TargetGroupArn });
    expect(TargetHealthDescriptions.map(({ TargetHealth }) => TargetHealth.State)).toContain("healthy");

    await s.autoscaling.detachLoadBalancerTargetGroups({ AutoScalingGroupName, TargetGroupARNs: [TargetGroupArn] });
    await s.elb.deleteListener({ ListenerArn: listener?.ListenerArn ?? "" });
    await s.elb.deleteTargetGroup({ TargetGroupArn });
    await s.elb.deleteLoadBalancer({ LoadBalancerArn });
    await s.ec2.revokeSecurityGroupIngress({ GroupId: nodesGroup, IpPermissions: port(GroupId) });
    await s.ec2.revokeSecurityGroupEgress({ GroupId, IpPermissions: port(nodesGroup) });
    await s.ec2.deleteSecurityGroup({ GroupId });
    await s.ec2.deleteSubnetCidrReservation(reservation);
    await refused(s.ec2.deleteSubnet({ SubnetId: s.a }), "DependencyViolation");
    for (const addonName of ["coredns", "vpc-cni"]) await s.eks.deleteAddon({ ...clusterRef, addonName, preserve: true });
    await s.eks.deleteNodegroup({ ...clusterRef, nodegroupName: "nodes" });
    await s.ec2.deleteLaunchTemplate({ LaunchTemplateId: template.LaunchTemplateId });
    await s.eks.listNodegroups(clusterRef);
    await s.eks.deleteCluster({ name: "one" });
    await logs.deleteLogGroup({ logGroupName });
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    for (const SubnetId of [s.a, s.b]) await s.ec2.deleteSubnet({ SubnetId });
    await s.ec2.deleteVpc({ VpcId: s.VpcId });
    for (const RoleName of ["control", "node"]) await s.iam.deleteRole({ RoleName });
    expect(s.aws.remains(ALL_TABLES)).toEqual([]);
});

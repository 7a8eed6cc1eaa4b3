import { createSite, type Site } from "../site.ts";

/** A site, and shortcuts for what most ELB tests create. */
export async function createBalancerSite() {
    const s = await createSite();
    const group = (await s.ec2.createSecurityGroup({ GroupName: "etcd", Description: "d", VpcId: s.VpcId })).GroupId;

    const balancer = async (more: Partial<Balancer> = {}) => {
        const [created] = (
            await s.elb.createLoadBalancer({
                Name: "etcd-1",
                Type: "network",
                Scheme: "internal",
                SubnetMappings: [
                    { SubnetId: s.a, PrivateIPv4Address: "10.0.0.16" },
                    { SubnetId: s.b, PrivateIPv4Address: "10.0.1.16" },
                ],
                SecurityGroups: [group],
                ...more,
            })
        ).LoadBalancers;
        if (!created) throw new Error("createLoadBalancer returned no load balancer");
        return created;
    };
    const targetGroup = async (more: Partial<TargetGroup> = {}) => {
        const [created] = (
            await s.elb.createTargetGroup({
                Name: "etcd-1",
                Protocol: "TCP",
                Port: 32379,
                VpcId: s.VpcId,
                HealthCheckIntervalSeconds: 10,
                HealthyThresholdCount: 2,
                ...more,
            })
        ).TargetGroups;
        if (!created) throw new Error("createTargetGroup returned no target group");
        return created.TargetGroupArn;
    };
    const listener = (LoadBalancerArn: string, TargetGroupArn: string, Port = 2379, Protocol = "TCP") =>
        s.elb.createListener({ LoadBalancerArn, Port, Protocol, DefaultActions: [{ Type: "forward", TargetGroupArn }] });
    const interfacesOf = async (name: string) =>
        (await s.ec2.describeNetworkInterfaces({ Filters: [{ Name: "description", Values: [`ELB net/${name}/*`] }] })).NetworkInterfaces;
    /** Creates an ACTIVE node group that admits the load balancer. Returns the name of its Auto Scaling group. */
    const nodes = async (more: Parameters<Site["nodegroup"]>[0] = {}) => {
        const { resourcesVpcConfig } = await s.active();
        await s.ec2.authorizeSecurityGroupIngress({ GroupId: resourcesVpcConfig.clusterSecurityGroupId, IpPermissions: fromBalancer() });
        const { resources } = await s.nodegroup(more);
        s.minutes(2);
        await s.eks.describeNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        return resources.autoScalingGroups[0]?.name ?? "";
    };
    const fromBalancer = () => [{ IpProtocol: "tcp", FromPort: 32379, ToPort: 32379, UserIdGroupPairs: [{ GroupId: group }] }];
    const health = async (TargetGroupArn: string) =>
        (await s.elb.describeTargetHealth({ TargetGroupArn })).TargetHealthDescriptions.map(({ TargetHealth }) => TargetHealth.State);

    return { ...s, group, balancer, targetGroup, listener, interfacesOf, nodes, fromBalancer, health };
}
type Balancer = Parameters<Site["elb"]["createLoadBalancer"]>[0];
type TargetGroup = Parameters<Site["elb"]["createTargetGroup"]>[0];
export type BalancerSite = Awaited<ReturnType<typeof createBalancerSite>>;

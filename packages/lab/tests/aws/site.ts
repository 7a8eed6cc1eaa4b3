import { simulatedAws } from "../../aws/aws.ts";
import type { CreateCluster } from "../../aws/eks/clusters.ts";
import type { CreateNodegroup } from "../../aws/eks/nodegroups.ts";
import type { SimulationOptions } from "../../aws/simulation.ts";
import { FRANKFURT } from "./places.ts";

const trust = (Service: string) =>
    JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" } });

/** A simulated AWS with a clock that the test sets, a VPC with a subnet in each of two zones, and the roles that EKS needs. */
export async function createSite(options: SimulationOptions & { backed?: boolean } = {}) {
    let now = Date.UTC(2026, 0, 1);
    const aws = simulatedAws({ clock: () => now, ...options });
    const { ec2, iam, eks, elb, autoscaling } = aws.in(FRANKFURT);
    const { VpcId } = (await ec2.createVpc({ CidrBlock: "10.0.0.0/16" })).Vpc;
    const subnet = async (CidrBlock: string, zone: string) =>
        (await ec2.createSubnet({ VpcId, CidrBlock, AvailabilityZone: `${FRANKFURT.region}${zone}` })).Subnet.SubnetId;
    const a = await subnet("10.0.0.0/24", "a");
    const b = await subnet("10.0.1.0/24", "b");
    const role = async (RoleName: string, service: string) =>
        (await iam.createRole({ RoleName, AssumeRolePolicyDocument: trust(service) })).Role.Arn;
    const roleArn = await role("control", "eks.amazonaws.com");
    const nodeRole = await role("node", "ec2.amazonaws.com");

    const cluster = async (more: Partial<CreateCluster> = {}) => {
        const resourcesVpcConfig = { subnetIds: [a, b] };
        const accessConfig = { authenticationMode: "API" as const };
        return (await eks.createCluster({ name: "one", roleArn, version: "1.34", resourcesVpcConfig, accessConfig, ...more })).cluster;
    };

    return {
        aws,
        ec2,
        iam,
        eks,
        elb,
        autoscaling,
        VpcId,
        a,
        b,
        roleArn,
        nodeRole,
        subnet,
        minutes: (count: number) => {
            now += count * 60_000;
        },
        cluster,
        /** Creates a cluster that is ACTIVE. */
        active: async (more: Partial<CreateCluster> = {}) => {
            const { name } = await cluster(more);
            now += 10 * 60_000;
            return (await eks.describeCluster({ name })).cluster;
        },
        nodegroup: async (more: Partial<CreateNodegroup> = {}) =>
            (
                await eks.createNodegroup({
                    clusterName: "one",
                    nodegroupName: "nodes",
                    nodeRole,
                    subnets: [a, b],
                    scalingConfig: { minSize: 1, maxSize: 3, desiredSize: 2 },
                    ...more,
                })
            ).nodegroup,
    };
}
export type Site = Awaited<ReturnType<typeof createSite>>;

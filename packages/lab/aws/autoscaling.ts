import { deleteInterface } from "./ec2/interfaces.ts";
import { deregister, register, targetGroups } from "./elb/tables.ts";
import { AwsError } from "./error.ts";
import type { Scope } from "./scope.ts";
import { Table } from "./table.ts";

interface AutoScalingGroup {
    AutoScalingGroupName: string;
    AutoScalingGroupARN: string;
    MinSize: number;
    MaxSize: number;
    DesiredCapacity: number;
    AvailabilityZones: string[];
    /** Subnet IDs, separated by commas. */
    VPCZoneIdentifier: string;
    HealthCheckType: string;
    CreatedTime: string;
    TargetGroupARNs: string[];
    Tags: GroupTag[];
}
export const groups = new Table<AutoScalingGroup>("autoscaling/group");

interface GroupTag {
    Key: string;
    Value: string;
    PropagateAtLaunch: boolean;
    ResourceId: string;
    ResourceType: "auto-scaling-group";
}

/** An instance of a group. The simulated EC2 only shows the instances' interfaces. */
export interface Instance {
    InstanceId: string;
    AutoScalingGroupName: string;
    AvailabilityZone: string;
    InstanceType: string;
    LifecycleState: "Pending" | "InService" | "Terminating";
    NetworkInterfaceId: string;
    SubnetId: string;
    PrivateIpAddress: string;
    PrivateDnsName: string;
    /** Blocks of 16 pod addresses (/28). */
    prefixes: string[];
}
export const instances = new Table<Instance>("autoscaling/instance");

/** The instances of a group in the order of their creation. */
export function instancesOf(scope: Scope, group: string): Readonly<Instance>[] {
    return instances
        .in(scope)
        .list()
        .filter(({ AutoScalingGroupName }) => AutoScalingGroupName === group);
}

/** Puts an instance in service and registers it with the target groups of its Auto Scaling group. */
export function putInService(scope: Scope, id: string): void {
    const { AutoScalingGroupName } = instances.in(scope).update(id, { LifecycleState: "InService" });
    for (const arn of groups.in(scope).get(AutoScalingGroupName)?.TargetGroupARNs ?? []) register(scope, arn, id);
}

/** Takes an instance out of service and deregisters it. The instance still exists. */
export function takeOutOfService(scope: Scope, id: string): void {
    const { AutoScalingGroupName } = instances.in(scope).update(id, { LifecycleState: "Terminating" });
    for (const arn of groups.in(scope).get(AutoScalingGroupName)?.TargetGroupARNs ?? []) deregister(scope, arn, id);
}

/** Deletes an instance and its interface. */
export function deleteInstance(scope: Scope, id: string): void {
    const instance = instances.in(scope).get(id);
    if (!instance) return;
    for (const { TargetGroupArn } of targetGroups.in(scope).list()) deregister(scope, TargetGroupArn, id);
    deleteInterface(scope, instance.NetworkInterfaceId);
    instances.in(scope).delete(id);
}

/** Simulated EC2 Auto Scaling. Only EKS node groups create groups, and nothing scales by itself. */
export const autoscaling = (scope: Scope) => {
    const rows = groups.in(scope);
    const need = (name: string) => rows.need(name, () => invalid(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`));
    const show = (group: Readonly<AutoScalingGroup>) => ({
        ...group,
        Instances: instancesOf(scope, group.AutoScalingGroupName).map(({ InstanceId, AvailabilityZone, InstanceType, LifecycleState }) => ({
            InstanceId,
            AvailabilityZone,
            InstanceType,
            LifecycleState,
            HealthStatus: "Healthy",
            ProtectedFromScaleIn: false,
        })),
    });

    return {
        describeAutoScalingGroups: ({ AutoScalingGroupNames: names }: { AutoScalingGroupNames?: string[] } = {}) => ({
            AutoScalingGroups: rows
                .list()
                .filter(({ AutoScalingGroupName }) => !names || names.includes(AutoScalingGroupName))
                .map(show),
        }),

        /** Idempotent: attaching a target group again is not an error. */
        attachLoadBalancerTargetGroups: ({ AutoScalingGroupName: name, TargetGroupARNs }: GroupAndTargets) => {
            const group = need(name);
            if (TargetGroupARNs.some((arn) => !targetGroups.in(scope).get(arn)))
                throw invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.");
            rows.update(name, { TargetGroupARNs: [...new Set([...group.TargetGroupARNs, ...TargetGroupARNs])] });
            for (const { InstanceId, LifecycleState } of instancesOf(scope, name))
                if (LifecycleState === "InService") for (const arn of TargetGroupARNs) register(scope, arn, InstanceId);
        },

        detachLoadBalancerTargetGroups: ({ AutoScalingGroupName: name, TargetGroupARNs }: GroupAndTargets) => {
            const group = need(name);
            if (TargetGroupARNs.some((arn) => !group.TargetGroupARNs.includes(arn)))
                throw invalid("Trying to remove Target Groups that are not part of the group");
            rows.update(name, { TargetGroupARNs: group.TargetGroupARNs.filter((arn) => !TargetGroupARNs.includes(arn)) });
            for (const { InstanceId } of instancesOf(scope, name)) for (const arn of TargetGroupARNs) deregister(scope, arn, InstanceId);
        },

        describeLoadBalancerTargetGroups: ({ AutoScalingGroupName }: { AutoScalingGroupName: string }) => ({
            LoadBalancerTargetGroups: need(AutoScalingGroupName).TargetGroupARNs.map((LoadBalancerTargetGroupARN) => ({
                LoadBalancerTargetGroupARN,
                State: "InService",
            })),
        }),

        createOrUpdateTags: ({ Tags }: { Tags: GroupTag[] }) => {
            for (const tag of Tags) {
                const others = need(tag.ResourceId).Tags.filter(({ Key }) => Key !== tag.Key);
                rows.update(tag.ResourceId, { Tags: [...others, tag] });
            }
        },
        deleteTags: ({ Tags }: { Tags: Pick<GroupTag, "Key" | "ResourceId">[] }) => {
            for (const tag of Tags) rows.update(tag.ResourceId, { Tags: need(tag.ResourceId).Tags.filter(({ Key }) => Key !== tag.Key) });
        },
    };
};

interface GroupAndTargets {
    AutoScalingGroupName: string;
    TargetGroupARNs: string[];
}

function invalid(message: string): AwsError {
    return new AwsError("ValidationError", message);
}

import { addressAt, overlap } from "../../../../core/network/cidr.ts";
import { type Instance, instances, takeOutOfService } from "../autoscaling.ts";
import { sizeOf } from "../cidr.ts";
import { createInterface } from "../ec2/interfaces.ts";
import { templateVersion } from "../ec2/launch-templates.ts";
import { usedAddresses } from "../ec2/subnet-addresses.ts";
import { interfaces, reservations, type Subnet, subnets } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import type { Scope } from "../scope.ts";
import { parseConfiguration } from "./addon-catalogue.ts";
import { addons, clusters, invalid, type LaunchTemplateRef, type Nodegroup } from "./tables.ts";

/** Number of addresses in a prefix that the VPC CNI delegates to a node: a /28. */
const PREFIX_SIZE = 16;

/**
 * Starts instances of a node group, spread over its subnets. They join the cluster later.
 *
 * @returns their IDs
 */
export function startInstances(scope: Scope, nodegroup: Readonly<Nodegroup>, count: number): string[] {
    const [{ name: group } = { name: "" }] = nodegroup.resources.autoScalingGroups;
    const instancesIn = (id: string) =>
        instances
            .in(scope)
            .list()
            .filter(
                (instance) =>
                    instance.AutoScalingGroupName === group && instance.SubnetId === id && instance.LifecycleState !== "Terminating",
            ).length;
    return Array.from({ length: count }, () => {
        const [subnetId] = nodegroup.subnets.toSorted((a, b) => instancesIn(a) - instancesIn(b));
        return startInstance(
            scope,
            nodegroup,
            group,
            subnets.in(scope).need(subnetId ?? "", () => invalid(`The subnet ID '${subnetId}' does not exist`)),
        );
    });
}

function startInstance(scope: Scope, nodegroup: Readonly<Nodegroup>, group: string, subnet: Readonly<Subnet>): string {
    const InstanceId = scope.id("i");
    const eni = createInterface(scope, { SubnetId: subnet.SubnetId, Groups: groupsOf(scope, nodegroup), Status: "in-use" });
    const prefixes = delegatesPrefixes(scope, nodegroup.clusterName) ? [freePrefix(scope, subnet)] : [];
    interfaces.in(scope).update(eni.NetworkInterfaceId, {
        Ipv4Prefixes: prefixes.map((Ipv4Prefix) => ({ Ipv4Prefix })),
        Attachment: {
            AttachmentId: scope.id("eni-attach"),
            InstanceId,
            InstanceOwnerId: scope.account,
            DeviceIndex: 0,
            Status: "attached",
        },
    });
    instances.in(scope).put(InstanceId, {
        InstanceId,
        AutoScalingGroupName: group,
        AvailabilityZone: subnet.AvailabilityZone,
        InstanceType: nodegroup.instanceTypes[0] ?? "t3.medium",
        LifecycleState: "Pending",
        NetworkInterfaceId: eni.NetworkInterfaceId,
        SubnetId: subnet.SubnetId,
        PrivateIpAddress: eni.PrivateIpAddress,
        PrivateDnsName: eni.PrivateDnsName,
        prefixes,
    });
    return InstanceId;
}

/**
 * Takes instances out of service: first those that never joined, then the oldest. They are deleted once their nodes have left the cluster.
 *
 * @returns their IDs
 */
export function stopInstances(scope: Scope, all: readonly Readonly<Instance>[], count: number): string[] {
    const order = all.toSorted((a, b) => Number(a.LifecycleState === "InService") - Number(b.LifecycleState === "InService"));
    const ids = order.slice(0, count).map(({ InstanceId }) => InstanceId);
    for (const id of ids) takeOutOfService(scope, id);
    return ids;
}

/** The security groups of a node: those of the launch template if it has any, otherwise the cluster security group. */
function groupsOf(scope: Scope, { launchTemplate, clusterName }: Readonly<Nodegroup>): string[] {
    const own = launchTemplate ? templateGroups(scope, launchTemplate) : [];
    if (own.length > 0) return own;
    return [clusters.in(scope).get(clusterName)?.resourcesVpcConfig.clusterSecurityGroupId ?? []].flat();
}

function templateGroups(scope: Scope, ref: LaunchTemplateRef): string[] {
    const data = templateData(scope, ref);
    const [first] = (data.NetworkInterfaces as { Groups?: string[] }[] | undefined) ?? [];
    return first?.Groups ?? (data.SecurityGroupIds as string[] | undefined) ?? [];
}

/**
 * Returns the data of a launch template.
 *
 * @throws AwsError with EKS's error code if it does not exist
 */
export function templateData(scope: Scope, { id, name, version }: LaunchTemplateRef): Record<string, unknown> {
    try {
        return templateVersion(scope, { LaunchTemplateId: id, LaunchTemplateName: name }, version).LaunchTemplateData;
    } catch (error) {
        if (error instanceof AwsError) throw invalid(error.message);
        throw error;
    }
}

/** Whether the VPC CNI add-on of a cluster has prefix delegation enabled. */
function delegatesPrefixes(scope: Scope, cluster: string): boolean {
    const values = addons.in(scope).get(`${cluster}/vpc-cni`)?.configurationValues;
    const { env } = parseConfiguration(values ?? "") as { env?: Record<string, string> };
    return env?.ENABLE_PREFIX_DELEGATION === "true";
}

/** A /28 of a subnet without addresses that are used, reserved, or AWS's own. */
function freePrefix(scope: Scope, { SubnetId, CidrBlock }: Readonly<Subnet>): string {
    const used = usedAddresses(scope, SubnetId);
    const reserved = reservations
        .in(scope)
        .list()
        .filter((reservation) => reservation.SubnetId === SubnetId && reservation.ReservationType === "explicit");
    for (let offset = PREFIX_SIZE; offset < sizeOf(CidrBlock) - PREFIX_SIZE; offset += PREFIX_SIZE) {
        const block = `${addressAt(CidrBlock, offset)}/28`;
        const isFree = Array.from({ length: PREFIX_SIZE }, (_, i) => addressAt(CidrBlock, offset + i)).every(
            (address) => !used.has(address),
        );
        if (isFree && !reserved.some(({ Cidr }) => overlap(Cidr, block))) return block;
    }
    throw new AwsError("InsufficientCidrBlocks", "The specified subnet does not have enough free cidr blocks to satisfy the request.");
}

import type { Tag } from "../../../aws/filters.ts";
import type { Context, Tagging, Tags } from "../kind.ts";

/** Tags as EC2 and most services list them. */
export function tagList(tags: Tags): Tag[] {
    return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

export function tagMap(tags: readonly { Key: string; Value: string }[] | undefined): Tags {
    return Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key, Value]));
}

/** The tags that something made by EC2 gets at once: a run killed between making and tagging would leave it without a mark. */
export function tagged(context: Context, ResourceType: string): { TagSpecifications: { ResourceType: string; Tags: Tag[] }[] } {
    return { TagSpecifications: [{ ResourceType, Tags: tagList(context.tags) }] };
}

/** Finds what has the resource's mark. */
export function byMark({ mark }: Context) {
    return [{ Name: `tag:${mark.key}`, Values: [mark.value] }];
}

export const ec2Tagging: Tagging = {
    set: ({ api }, id, tags) => api.ec2.createTags({ Resources: [id], Tags: tagList(tags) }),
    unset: ({ api }, id, keys) => api.ec2.deleteTags({ Resources: [id], Tags: keys.map((Key) => ({ Key })) }),
};

export function ec2Arn({ partition, region, account }: Context, resource: string, owner = account): string {
    return `arn:${partition}:ec2:${region}:${owner}:${resource}`;
}

/** A security group as its resources tell it, its rules for reading only; undefined when there is none. */
export async function readGroup({ api }: Context, id: string) {
    const { SecurityGroups } = await api.ec2.describeSecurityGroups({ GroupIds: [id] });
    const [found] = SecurityGroups;
    if (!found) return undefined;
    const rules = (permissions: typeof found.IpPermissions) =>
        permissions.map((one) => ({
            protocol: one.IpProtocol,
            fromPort: one.FromPort,
            toPort: one.ToPort,
            cidrBlocks: one.IpRanges.map(({ CidrIp }) => CidrIp),
            securityGroups: one.UserIdGroupPairs.map(({ GroupId }) => GroupId),
        }));
    return {
        arn: found.SecurityGroupArn,
        name: found.GroupName,
        description: found.Description,
        ownerId: found.OwnerId,
        vpcId: found.VpcId,
        ingress: rules(found.IpPermissions),
        egress: rules(found.IpPermissionsEgress),
        tags: tagMap(found.Tags),
    };
}

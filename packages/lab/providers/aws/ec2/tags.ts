import type { Tag } from "../../../aws/filters.ts";
import type { Context, Tagging, Tags } from "../definition.ts";

/** Tags in the list form that EC2 and most services use. */
export function tagList(tags: Tags): Tag[] {
    return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

export function tagMap(tags: readonly { Key: string; Value: string }[] | undefined): Tags {
    return Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key, Value]));
}

/** Tags that EC2 sets in the create call itself: a run killed between create and tagging would leave a resource without a mark. */
export function tagSpecifications(context: Context, ResourceType: string): { TagSpecifications: { ResourceType: string; Tags: Tag[] }[] } {
    return { TagSpecifications: [{ ResourceType, Tags: tagList(context.tags) }] };
}

/** Filter for resources that carry the mark. */
export function markFilter({ mark }: Context) {
    return [{ Name: `tag:${mark.key}`, Values: [mark.value] }];
}

export const ec2Tagging: Tagging = {
    set: ({ api }, id, tags) => api.ec2.createTags({ Resources: [id], Tags: tagList(tags) }),
    unset: ({ api }, id, keys) => api.ec2.deleteTags({ Resources: [id], Tags: keys.map((Key) => ({ Key })) }),
};

export function ec2Arn({ partition, region, account }: Context, resource: string, owner = account): string {
    return `arn:${partition}:ec2:${region}:${owner}:${resource}`;
}

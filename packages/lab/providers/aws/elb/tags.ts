import type { Context, Tagging, Tags } from "../definition.ts";
import { tagList, tagMap } from "../ec2/tags.ts";

/** Tagging of all ELB resources. */
export const elbTagging: Tagging = {
    set: ({ api }, arn, tags) => api.elb.addTags({ ResourceArns: [arn], Tags: tagList(tags) }),
    unset: ({ api }, arn, TagKeys) => api.elb.removeTags({ ResourceArns: [arn], TagKeys }),
};

export async function elbTags({ api }: Context, arn: string): Promise<Tags> {
    const { TagDescriptions } = await api.elb.describeTags({ ResourceArns: [arn] });
    return tagMap(TagDescriptions[0]?.Tags);
}

/** The `arns` that carry the resource's mark. ELB cannot search by tag. */
export async function withMark({ api, mark }: Context, arns: string[]): Promise<string[]> {
    if (arns.length === 0) return [];
    const { TagDescriptions } = await api.elb.describeTags({ ResourceArns: arns });
    return TagDescriptions.filter(({ Tags }) => tagMap(Tags)[mark.key] === mark.value).map(({ ResourceArn }) => ResourceArn);
}

/** The attributes whose value differs from `wanted`; undefined values are ignored. */
export function changedAttributes(attributes: readonly { Key: string; Value: string }[], wanted: Record<string, unknown>) {
    const current = tagMap(attributes);
    return Object.entries(wanted)
        .filter(([key, value]) => value !== undefined && String(value) !== current[key])
        .map(([Key, value]) => ({ Key, Value: String(value) }));
}

import type { Scope } from "../scope.ts";
import { accessEntries, addons, clusters, nodegroups, notFound, podIdentities, type Tags } from "./tables.ts";

/** Tags of whatever EKS has, by ARN. */
export const eksTagActions = (scope: Scope) => {
    /** The tags of a resource, and how to change them. */
    const need = (arn: string) => {
        const rows = [
            ...clusters
                .in(scope)
                .list()
                .map((row) => ({ arn: row.arn, tags: row.tags, set: (tags: Tags) => clusters.in(scope).update(row.name, { tags }) })),
            ...nodegroups
                .in(scope)
                .list()
                .map((row) => ({
                    arn: row.nodegroupArn,
                    tags: row.tags,
                    set: (tags: Tags) => nodegroups.in(scope).update(`${row.clusterName}/${row.nodegroupName}`, { tags }),
                })),
            ...addons
                .in(scope)
                .list()
                .map((row) => ({
                    arn: row.addonArn,
                    tags: row.tags,
                    set: (tags: Tags) => addons.in(scope).update(`${row.clusterName}/${row.addonName}`, { tags }),
                })),
            ...accessEntries
                .in(scope)
                .list()
                .map((row) => ({
                    arn: row.accessEntryArn,
                    tags: row.tags,
                    set: (tags: Tags) => accessEntries.in(scope).update(`${row.clusterName}/${row.principalArn}`, { tags }),
                })),
            ...podIdentities
                .in(scope)
                .list()
                .map((row) => ({
                    arn: row.associationArn,
                    tags: row.tags,
                    set: (tags: Tags) => podIdentities.in(scope).update(`${row.clusterName}/${row.associationId}`, { tags }),
                })),
        ];
        const found = rows.find((one) => one.arn === arn);
        if (!found) throw notFound(`The specified resource was not found: ${arn}`);
        return found;
    };

    return {
        tagResource: ({ resourceArn, tags }: { resourceArn: string; tags: Tags }) => {
            const resource = need(resourceArn);
            resource.set({ ...resource.tags, ...tags });
        },
        untagResource: ({ resourceArn, tagKeys }: { resourceArn: string; tagKeys: string[] }) => {
            const resource = need(resourceArn);
            resource.set(Object.fromEntries(Object.entries(resource.tags).filter(([key]) => !tagKeys.includes(key))));
        },
        listTagsForResource: ({ resourceArn }: { resourceArn: string }) => ({ tags: need(resourceArn).tags }),
    };
};

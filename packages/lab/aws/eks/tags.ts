import type { Scope } from "../scope.ts";
import { accessEntries, addons, clusters, nodegroups, notFound, podIdentities, type Tags } from "./tables.ts";

/** The actions on tags, for every kind of resource of EKS. */
export const eksTagActions = (scope: Scope) => {
    /** Returns the tags of a resource and a function that sets them. */
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
        const found = rows.find((row) => row.arn === arn);
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

import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "./definition.ts";

export const logGroup: ResourceDefinition<Plain<aws.cloudwatch.LogGroupArgs>, Plain<aws.cloudwatch.LogGroupState>> = {
    noun: "CloudWatch Logs Log Group",
    forceNew: ["name", "namePrefix", "logGroupClass"],
    defaults: { retentionInDays: 0, skipDestroy: false },
    unreadable: ["skipDestroy", "namePrefix"],
    autoName: "name",
    computed: ["arn", "logGroupClass"],
    tagging: {
        set: ({ api }, _id, tags, { arn = "" }) => api.logs.tagResource({ resourceArn: arn, tags }),
        unset: ({ api }, _id, keys, { arn = "" }) => api.logs.untagResource({ resourceArn: arn, tagKeys: keys }),
    },
    find: {
        byMark: async ({ api, mark }, { name = "" }) => {
            const { logGroups } = await api.logs.describeLogGroups({ logGroupNamePrefix: name });
            const found = logGroups.find(({ logGroupName }) => logGroupName === name);
            if (!found) return [];
            const { tags } = await api.logs.listTagsForResource({ resourceArn: found.logGroupArn });
            return tags[mark.key] === mark.value ? [name] : [];
        },
    },
    create: async (context, { name, namePrefix = "", kmsKeyId, logGroupClass }) => {
        const logGroupName = name ?? `${namePrefix}${context.unique(26)}`;
        await context.api.logs.createLogGroup({ logGroupName, kmsKeyId, logGroupClass, tags: context.tags });
        return logGroupName;
    },
    reconcile: async ({ api }, logGroupName, { retentionInDays = 0 }) => {
        const { logGroups } = await api.logs.describeLogGroups({ logGroupNamePrefix: logGroupName });
        const current = logGroups.find((group) => group.logGroupName === logGroupName)?.retentionInDays ?? 0;
        if (current === retentionInDays) return;
        // 0 means "never expire"; in the AWS API that is the absence of a retention policy.
        if (retentionInDays === 0) await api.logs.deleteRetentionPolicy({ logGroupName });
        else await api.logs.putRetentionPolicy({ logGroupName, retentionInDays });
    },
    read: async ({ api }, name) => {
        const { logGroups } = await api.logs.describeLogGroups({ logGroupNamePrefix: name });
        const found = logGroups.find(({ logGroupName }) => logGroupName === name);
        if (!found) return undefined;
        const { tags } = await api.logs.listTagsForResource({ resourceArn: found.logGroupArn });
        return {
            arn: found.logGroupArn,
            name,
            kmsKeyId: found.kmsKeyId,
            logGroupClass: found.logGroupClass,
            retentionInDays: found.retentionInDays ?? 0,
            tags,
        };
    },
    update: async ({ api }, logGroupName, { inputs: { kmsKeyId }, changed }) => {
        if (!changed("kmsKeyId")) return;
        if (kmsKeyId) await api.logs.associateKmsKey({ logGroupName, kmsKeyId });
        else await api.logs.disassociateKmsKey({ logGroupName });
    },
    delete: async ({ api }, logGroupName, { skipDestroy }) => {
        if (!skipDestroy) await api.logs.deleteLogGroup({ logGroupName });
    },
};

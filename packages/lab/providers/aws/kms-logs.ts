import type * as aws from "@pulumi/aws";
import type { Kind, Plain } from "./kind.ts";

type KeyArgs = Plain<aws.kms.KeyArgs>;

export const key: Kind<KeyArgs, Plain<aws.kms.KeyState>> = {
    noun: "KMS Key",
    forceNew: ["customerMasterKeySpec", "keyUsage", "multiRegion"],
    defaults: {
        customerMasterKeySpec: "SYMMETRIC_DEFAULT",
        keyUsage: "ENCRYPT_DECRYPT",
        isEnabled: true,
        bypassPolicyLockoutSafetyCheck: false,
    },
    unreadable: ["deletionWindowInDays", "bypassPolicyLockoutSafetyCheck"],
    documents: ["policy"],
    computed: ["arn", "keyId", "policy", "description", "multiRegion", "rotationPeriodInDays"],
    tagging: {
        set: ({ api }, id, tags) =>
            api.kms.tagResource({ KeyId: id, Tags: Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })) }),
        unset: ({ api }, id, keys) => api.kms.untagResource({ KeyId: id, TagKeys: keys }),
    },
    find: {
        /** KMS searches for nothing: each key is asked for its tags. */
        marked: async ({ api, mark }) => {
            const { Keys } = await api.kms.listKeys();
            const tags = await Promise.all(Keys.map(({ KeyId }) => api.kms.listResourceTags({ KeyId })));
            return Keys.filter((_, i) => tags[i]?.Tags.some(({ TagKey, TagValue }) => TagKey === mark.key && TagValue === mark.value)).map(
                ({ KeyId }) => KeyId,
            );
        },
    },
    make: async ({ api, tags }, inputs) => {
        const { KeyMetadata } = await api.kms.createKey({
            Description: inputs.description,
            Policy: inputs.policy,
            KeyUsage: inputs.keyUsage,
            KeySpec: inputs.customerMasterKeySpec,
            MultiRegion: inputs.multiRegion,
            BypassPolicyLockoutSafetyCheck: inputs.bypassPolicyLockoutSafetyCheck,
            Tags: Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
        });
        return KeyMetadata.KeyId;
    },
    settle: async ({ api }, KeyId, { enableKeyRotation = false, isEnabled = true, rotationPeriodInDays: RotationPeriodInDays }) => {
        const { KeyMetadata } = await api.kms.describeKey({ KeyId });
        if (isEnabled && !KeyMetadata.Enabled) await api.kms.enableKey({ KeyId });
        const is = await api.kms.getKeyRotationStatus({ KeyId });
        const isOther = RotationPeriodInDays !== undefined && RotationPeriodInDays !== is.RotationPeriodInDays;
        if (enableKeyRotation && (!is.KeyRotationEnabled || isOther)) await api.kms.enableKeyRotation({ KeyId, RotationPeriodInDays });
        if (!enableKeyRotation && is.KeyRotationEnabled) await api.kms.disableKeyRotation({ KeyId });
        if (!isEnabled && KeyMetadata.Enabled) await api.kms.disableKey({ KeyId });
    },
    read: async ({ api }, KeyId) => {
        const { KeyMetadata } = await api.kms.describeKey({ KeyId });
        if (KeyMetadata.KeyState === "PendingDeletion") return undefined;
        const { Policy } = await api.kms.getKeyPolicy({ KeyId });
        const rotation = await api.kms.getKeyRotationStatus({ KeyId });
        const { Tags } = await api.kms.listResourceTags({ KeyId });
        return {
            arn: KeyMetadata.Arn,
            keyId: KeyId,
            description: KeyMetadata.Description,
            isEnabled: KeyMetadata.Enabled,
            keyUsage: KeyMetadata.KeyUsage,
            customerMasterKeySpec: KeyMetadata.KeySpec,
            multiRegion: KeyMetadata.MultiRegion,
            policy: Policy,
            enableKeyRotation: rotation.KeyRotationEnabled,
            rotationPeriodInDays: rotation.RotationPeriodInDays,
            tags: Object.fromEntries(Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue])),
        };
    },
    update: async ({ api }, KeyId, { inputs, has }) => {
        if (has("description")) await api.kms.updateKeyDescription({ KeyId, Description: inputs.description ?? "" });
        if (has("policy") && inputs.policy)
            await api.kms.putKeyPolicy({
                KeyId,
                Policy: inputs.policy,
                BypassPolicyLockoutSafetyCheck: inputs.bypassPolicyLockoutSafetyCheck,
            });
    },
    remove: async ({ api }, KeyId, { deletionWindowInDays: PendingWindowInDays }) => {
        const { KeyMetadata } = await api.kms.describeKey({ KeyId });
        if (KeyMetadata.KeyState !== "PendingDeletion") await api.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays });
    },
};

export const logGroup: Kind<Plain<aws.cloudwatch.LogGroupArgs>, Plain<aws.cloudwatch.LogGroupState>> = {
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
        marked: async ({ api, mark }, { name = "" }) => {
            const { logGroups } = await api.logs.describeLogGroups({ logGroupNamePrefix: name });
            const found = logGroups.find(({ logGroupName }) => logGroupName === name);
            if (!found) return [];
            const { tags } = await api.logs.listTagsForResource({ resourceArn: found.logGroupArn });
            return tags[mark.key] === mark.value ? [name] : [];
        },
    },
    make: async (context, { name, namePrefix = "", kmsKeyId, logGroupClass }) => {
        const logGroupName = name ?? `${namePrefix}${context.unique(26)}`;
        await context.api.logs.createLogGroup({ logGroupName, kmsKeyId, logGroupClass, tags: context.tags });
        return logGroupName;
    },
    settle: async ({ api }, logGroupName, { retentionInDays = 0 }) => {
        const { logGroups } = await api.logs.describeLogGroups({ logGroupNamePrefix: logGroupName });
        const is = logGroups.find((one) => one.logGroupName === logGroupName)?.retentionInDays ?? 0;
        if (is === retentionInDays) return;
        // 0 stands for "for ever", which AWS has no number for.
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
    update: async ({ api }, logGroupName, { inputs: { kmsKeyId }, has }) => {
        if (!has("kmsKeyId")) return;
        if (kmsKeyId) await api.logs.associateKmsKey({ logGroupName, kmsKeyId });
        else await api.logs.disassociateKmsKey({ logGroupName });
    },
    remove: async ({ api }, logGroupName, { skipDestroy }) => {
        if (!skipDestroy) await api.logs.deleteLogGroup({ logGroupName });
    },
};

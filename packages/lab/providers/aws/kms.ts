import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "./definition.ts";

type KeyArgs = Plain<aws.kms.KeyArgs>;

export const key: ResourceDefinition<KeyArgs, Plain<aws.kms.KeyState>> = {
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
        /** KMS cannot search by tag, so this reads the tags of every key. */
        byMark: async ({ api, mark }) => {
            const { Keys } = await api.kms.listKeys();
            const tags = await Promise.all(Keys.map(({ KeyId }) => api.kms.listResourceTags({ KeyId })));
            return Keys.filter((_, i) => tags[i]?.Tags.some(({ TagKey, TagValue }) => TagKey === mark.key && TagValue === mark.value)).map(
                ({ KeyId }) => KeyId,
            );
        },
    },
    create: async ({ api, tags }, inputs) => {
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
    reconcile: async ({ api }, KeyId, { enableKeyRotation = false, isEnabled = true, rotationPeriodInDays: RotationPeriodInDays }) => {
        const { KeyMetadata } = await api.kms.describeKey({ KeyId });
        if (isEnabled && !KeyMetadata.Enabled) await api.kms.enableKey({ KeyId });
        const rotation = await api.kms.getKeyRotationStatus({ KeyId });
        const isOtherPeriod = RotationPeriodInDays !== undefined && RotationPeriodInDays !== rotation.RotationPeriodInDays;
        if (enableKeyRotation && (!rotation.KeyRotationEnabled || isOtherPeriod))
            await api.kms.enableKeyRotation({ KeyId, RotationPeriodInDays });
        if (!enableKeyRotation && rotation.KeyRotationEnabled) await api.kms.disableKeyRotation({ KeyId });
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
    update: async ({ api }, KeyId, { inputs, changed }) => {
        if (changed("description")) await api.kms.updateKeyDescription({ KeyId, Description: inputs.description ?? "" });
        if (changed("policy") && inputs.policy)
            await api.kms.putKeyPolicy({
                KeyId,
                Policy: inputs.policy,
                BypassPolicyLockoutSafetyCheck: inputs.bypassPolicyLockoutSafetyCheck,
            });
    },
    delete: async ({ api }, KeyId, { deletionWindowInDays: PendingWindowInDays }) => {
        const { KeyMetadata } = await api.kms.describeKey({ KeyId });
        if (KeyMetadata.KeyState !== "PendingDeletion") await api.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays });
    },
};

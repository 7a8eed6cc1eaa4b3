import { AwsError } from "./error.ts";
import { covers, parseResourcePolicy } from "./iam/policy-document.ts";
import type { Scope } from "./scope.ts";
import { Table } from "./table.ts";

/** KMS has its own form of tags. */
interface KeyTag {
    TagKey: string;
    TagValue: string;
}

interface Key {
    KeyId: string;
    Arn: string;
    AWSAccountId: string;
    CreationDate: string;
    Description: string;
    Enabled: boolean;
    KeyState: "Enabled" | "Disabled" | "PendingDeletion";
    KeyUsage: string;
    KeySpec: string;
    KeyManager: "CUSTOMER";
    Origin: "AWS_KMS";
    MultiRegion: boolean;
    DeletionDate?: string | undefined;
    policy: string;
    rotation: { days: number } | undefined;
    tags: KeyTag[];
}
/** A key that is scheduled for deletion counts as gone: nothing can use it. */
export const keys = new Table<Key>("kms/key", { gone: ({ KeyState }) => KeyState === "PendingDeletion" });

interface Alias {
    AliasName: string;
    AliasArn: string;
    TargetKeyId: string;
}
export const aliases = new Table<Alias>("kms/alias");

const DAY = 86_400_000;

/** Simulated KMS: keys and aliases. Nothing is encrypted. */
export const kms = (scope: Scope) => {
    const rows = keys.in(scope);
    const find = (name: string) => findKey(scope, name) ?? notFound(name);
    const usable = (name: string) => {
        const key = find(name);
        if (key.KeyState === "PendingDeletion") throw invalidState(`${key.Arn} is pending deletion.`);
        return key;
    };
    const setEnabled = (name: string, Enabled: boolean) => {
        rows.update(usable(name).KeyId, { Enabled, KeyState: Enabled ? "Enabled" : "Disabled" });
    };

    return {
        createKey: (
            request: {
                Description?: string;
                Policy?: string;
                KeyUsage?: string;
                KeySpec?: string;
                MultiRegion?: boolean;
                Tags?: KeyTag[];
                BypassPolicyLockoutSafetyCheck?: boolean;
            } = {},
        ) => {
            const policy = request.Policy ?? defaultPolicy(scope);
            checkPolicy(scope, policy, request.BypassPolicyLockoutSafetyCheck);
            const KeyId = uuid(scope.hex(32));
            const key = rows.put(KeyId, {
                KeyId,
                Arn: scope.arn("kms", `key/${KeyId}`),
                AWSAccountId: scope.account,
                CreationDate: scope.now.toISOString(),
                Description: request.Description ?? "",
                Enabled: true,
                KeyState: "Enabled",
                KeyUsage: request.KeyUsage ?? "ENCRYPT_DECRYPT",
                KeySpec: request.KeySpec ?? "SYMMETRIC_DEFAULT",
                KeyManager: "CUSTOMER",
                Origin: "AWS_KMS",
                MultiRegion: request.MultiRegion ?? false,
                policy,
                rotation: undefined,
                tags: request.Tags ?? [],
            });
            return { KeyMetadata: show(key) };
        },
        describeKey: ({ KeyId }: { KeyId: string }) => ({ KeyMetadata: show(find(KeyId)) }),
        listKeys: () => ({ Keys: rows.list().map(({ KeyId, Arn }) => ({ KeyId, KeyArn: Arn })) }),
        updateKeyDescription: ({ KeyId, Description }: { KeyId: string; Description: string }) => {
            rows.update(usable(KeyId).KeyId, { Description });
        },
        enableKey: ({ KeyId }: { KeyId: string }) => setEnabled(KeyId, true),
        disableKey: ({ KeyId }: { KeyId: string }) => setEnabled(KeyId, false),

        getKeyPolicy: ({ KeyId }: { KeyId: string }) => ({ Policy: find(KeyId).policy, PolicyName: "default" }),
        putKeyPolicy: (request: { KeyId: string; Policy: string; BypassPolicyLockoutSafetyCheck?: boolean }) => {
            const { KeyId } = usable(request.KeyId);
            checkPolicy(scope, request.Policy, request.BypassPolicyLockoutSafetyCheck);
            rows.update(KeyId, { policy: request.Policy });
        },

        enableKeyRotation: ({ KeyId, RotationPeriodInDays = 365 }: { KeyId: string; RotationPeriodInDays?: number }) => {
            const key = usable(KeyId);
            if (RotationPeriodInDays < 90 || RotationPeriodInDays > 2560)
                throw new AwsError(
                    "ValidationException",
                    `1 validation error detected: Value '${RotationPeriodInDays}' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value between 90 and 2560`,
                );
            if (key.KeySpec !== "SYMMETRIC_DEFAULT")
                throw new AwsError("UnsupportedOperationException", `You cannot rotate ${key.Arn}: its key spec is ${key.KeySpec}.`);
            if (key.KeyState === "Disabled") throw new AwsError("DisabledException", `${key.Arn} is disabled.`);
            rows.update(key.KeyId, { rotation: { days: RotationPeriodInDays } });
        },
        disableKeyRotation: ({ KeyId }: { KeyId: string }) => {
            rows.update(usable(KeyId).KeyId, { rotation: undefined });
        },
        getKeyRotationStatus: ({ KeyId }: { KeyId: string }) => {
            const { rotation, Arn } = usable(KeyId);
            return { KeyId: Arn, KeyRotationEnabled: rotation !== undefined, ...(rotation && { RotationPeriodInDays: rotation.days }) };
        },

        tagResource: ({ KeyId, Tags }: { KeyId: string; Tags: KeyTag[] }) => {
            const key = usable(KeyId);
            const others = key.tags.filter(({ TagKey }) => !Tags.some((tag) => tag.TagKey === TagKey));
            rows.update(key.KeyId, { tags: [...others, ...Tags] });
        },
        untagResource: ({ KeyId, TagKeys }: { KeyId: string; TagKeys: string[] }) => {
            const key = usable(KeyId);
            rows.update(key.KeyId, { tags: key.tags.filter(({ TagKey }) => !TagKeys.includes(TagKey)) });
        },
        listResourceTags: ({ KeyId }: { KeyId: string }) => ({ Tags: find(KeyId).tags, Truncated: false }),

        scheduleKeyDeletion: ({ KeyId, PendingWindowInDays: days = 30 }: { KeyId: string; PendingWindowInDays?: number }) => {
            const key = usable(KeyId);
            if (days < 7 || days > 30)
                throw new AwsError("ValidationException", `PendingWindowInDays must be between 7 and 30, but was ${days}`);
            const DeletionDate = new Date(scope.now.getTime() + days * DAY).toISOString();
            rows.update(key.KeyId, { KeyState: "PendingDeletion", Enabled: false, DeletionDate });
            scope.schedule(keys, key.KeyId, [{ after: days * DAY, fixed: true, set: null }]);
            return { KeyId: key.Arn, DeletionDate, KeyState: "PendingDeletion", PendingWindowInDays: days };
        },
        cancelKeyDeletion: ({ KeyId }: { KeyId: string }) => {
            const key = find(KeyId);
            if (key.KeyState !== "PendingDeletion") throw invalidState(`${key.Arn} is not pending deletion.`);
            rows.update(key.KeyId, { KeyState: "Disabled", DeletionDate: undefined });
            scope.schedule(keys, key.KeyId, []);
            return { KeyId: key.Arn };
        },

        createAlias: ({ AliasName, TargetKeyId }: { AliasName: string; TargetKeyId: string }) => {
            if (AliasName.startsWith("alias/aws/"))
                throw new AwsError("NotAuthorizedException", "Alias names may not begin with alias/aws/");
            if (!/^alias\/[\w/-]+$/.test(AliasName))
                throw new AwsError("InvalidAliasNameException", 'Alias must start with the prefix "alias/". Please see the documentation.');
            const AliasArn = scope.arn("kms", AliasName);
            if (aliases.in(scope).get(AliasName))
                throw new AwsError("AlreadyExistsException", `An alias with the name ${AliasArn} already exists`);
            aliases.in(scope).put(AliasName, { AliasName, AliasArn, TargetKeyId: usable(TargetKeyId).KeyId });
        },
        listAliases: ({ KeyId }: { KeyId?: string } = {}) => ({
            Aliases: aliases
                .in(scope)
                .list()
                .filter(({ TargetKeyId }) => KeyId === undefined || TargetKeyId === find(KeyId).KeyId),
        }),
        deleteAlias: ({ AliasName }: { AliasName: string }) => {
            aliases
                .in(scope)
                .need(AliasName, () => new AwsError("NotFoundException", `Alias ${scope.arn("kms", AliasName)} is not found.`));
            aliases.in(scope).delete(AliasName);
        },
    };
};

/** Finds a key by its ID, its ARN or an alias, for the other services. */
export function findKey(scope: Scope, name: string): Readonly<Key> | undefined {
    const prefix = scope.arn("kms", "");
    // The ARN of another region or account keeps its prefix, so it matches no key here.
    const local = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const id = aliases.in(scope).get(local)?.TargetKeyId ?? local.replace(/^key\//, "");
    return keys.in(scope).get(id);
}

/** Whether a key's policy allows a service to encrypt with it. Conditions are ignored. */
export function allowsService(key: Readonly<Key>, service: string): boolean {
    const statements = parseResourcePolicy(key.policy);
    return statements.some(
        ({ allow, principals, actions }) =>
            allow && principals.some(({ name }) => name === service || name === "*") && covers(actions, "kms:GenerateDataKey"),
    );
}

/** Throws if the account could not change the policy again: the key would be locked forever. */
function checkPolicy(scope: Scope, policy: string, bypass = false): void {
    const changeable = () =>
        parseResourcePolicy(policy).some(
            ({ allow, principals, actions }) =>
                allow &&
                covers(actions, "kms:PutKeyPolicy") &&
                principals.some(({ kind, name }) => kind === "AWS" && (name === "*" || name.includes(scope.account))),
        );
    try {
        if (bypass || changeable()) return;
    } catch (error) {
        if (error instanceof AwsError) throw new AwsError("MalformedPolicyDocumentException", error.message);
        throw error;
    }
    throw new AwsError("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.");
}

function defaultPolicy(scope: Scope): string {
    const root = { AWS: `arn:${scope.partition}:iam::${scope.account}:root` };
    const statement = { Sid: "Enable IAM User Permissions", Effect: "Allow", Principal: root, Action: "kms:*", Resource: "*" };
    return JSON.stringify({ Version: "2012-10-17", Id: "key-default-1", Statement: [statement] });
}

function show({ policy: _, rotation: __, tags: ___, ...metadata }: Readonly<Key>) {
    return metadata;
}

function notFound(name: string): never {
    throw new AwsError("NotFoundException", `Key '${name}' does not exist`);
}

function invalidState(message: string): AwsError {
    return new AwsError("KMSInvalidStateException", message);
}

function uuid(hex: string): string {
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

import { beforeEach, describe, expect, test } from "vitest";
import { keys, kms } from "../../aws/kms.ts";
import { Simulation } from "../../aws/simulation.ts";
import { keptRules } from "./kept-rules.ts";
import { keyPolicy, LOGS, ROOT } from "./key-policy.ts";
import { FRANKFURT, VIRGINIA } from "./places.ts";

let now = 0;
const simulation = () => new Simulation({ kms }, { clock: () => now });
beforeEach(() => {
    now = Date.UTC(2026, 0, 1);
});

describe("KMS", () => {
    const rule = keptRules("KMS");

    rule("creates a key", async () => {
        const aws = simulation();
        const { KeyMetadata } = await aws.in(FRANKFURT).kms.createKey({ Description: "d" });
        expect(KeyMetadata).toMatchObject({ Description: "d", Enabled: true, KeyState: "Enabled", KeySpec: "SYMMETRIC_DEFAULT" });
        expect(KeyMetadata.Arn).toMatch(/^arn:aws:kms:eu-central-1:111111111111:key\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        for (const KeyId of [KeyMetadata.KeyId, KeyMetadata.Arn])
            expect((await aws.in(FRANKFURT).kms.describeKey({ KeyId })).KeyMetadata).toEqual(KeyMetadata);
        await expect(aws.in(VIRGINIA).kms.describeKey({ KeyId: KeyMetadata.Arn })).rejects.toMatchObject({
            code: "NotFoundException",
            message: `Key '${KeyMetadata.Arn}' does not exist`,
        });
    });

    rule("creates and deletes an alias", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyMetadata } = await kms.createKey();
        await kms.createAlias({ AliasName: "alias/cluster1", TargetKeyId: KeyMetadata.KeyId });
        expect((await kms.describeKey({ KeyId: "alias/cluster1" })).KeyMetadata.KeyId).toBe(KeyMetadata.KeyId);
        expect((await kms.listAliases({ KeyId: KeyMetadata.KeyId })).Aliases).toHaveLength(1);
        await kms.deleteAlias({ AliasName: "alias/cluster1" });
        expect((await kms.listAliases()).Aliases).toEqual([]);
    });

    rule("refuses a duplicate alias", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyMetadata } = await kms.createKey();
        const request = { AliasName: "alias/cluster1", TargetKeyId: KeyMetadata.KeyId };
        await kms.createAlias(request);
        await expect(kms.createAlias(request)).rejects.toMatchObject({
            code: "AlreadyExistsException",
            message: "An alias with the name arn:aws:kms:eu-central-1:111111111111:alias/cluster1 already exists",
        });
    });

    rule("returns rotation, policy and tags of a key", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyMetadata } = await kms.createKey({ Policy: keyPolicy(ROOT), Tags: [{ TagKey: "a", TagValue: "1" }] });
        const KeyId = KeyMetadata.KeyId;
        expect((await kms.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(false);
        await kms.enableKeyRotation({ KeyId });
        expect(await kms.getKeyRotationStatus({ KeyId })).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 365 });
        expect((await kms.getKeyPolicy({ KeyId })).Policy).toBe(keyPolicy(ROOT));
        await kms.tagResource({ KeyId, Tags: [{ TagKey: "b", TagValue: "2" }] });
        await kms.untagResource({ KeyId, TagKeys: ["a"] });
        expect((await kms.listResourceTags({ KeyId })).Tags).toEqual([{ TagKey: "b", TagValue: "2" }]);
    });

    test("refuses aliases with AWS's prefix or without alias/, and unsupported rotations", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyId } = (await kms.createKey()).KeyMetadata;
        const alias = (AliasName: string) => kms.createAlias({ AliasName, TargetKeyId: KeyId });
        await expect(alias("alias/aws/mine")).rejects.toMatchObject({ code: "NotAuthorizedException" });
        await expect(alias("mine")).rejects.toMatchObject({ code: "InvalidAliasNameException" });
        await expect(kms.cancelKeyDeletion({ KeyId })).rejects.toMatchObject({ code: "KMSInvalidStateException" });
        await expect(kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 89 })).rejects.toMatchObject({ code: "ValidationException" });
        await kms.disableKey({ KeyId });
        await expect(kms.enableKeyRotation({ KeyId })).rejects.toMatchObject({ code: "DisabledException" });
        const rsa = (await kms.createKey({ KeySpec: "RSA_2048" })).KeyMetadata.KeyId;
        await expect(kms.enableKeyRotation({ KeyId: rsa })).rejects.toMatchObject({ code: "UnsupportedOperationException" });
        const Policy = JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Action: "kms:*", Resource: "*" } });
        await expect(kms.createKey({ Policy })).rejects.toMatchObject({ message: "Policy statement must contain principals." });
    });

    test("refuses a policy that its account could not change again", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyMetadata } = await kms.createKey();
        await expect(kms.putKeyPolicy({ KeyId: KeyMetadata.KeyId, Policy: keyPolicy(LOGS) })).rejects.toMatchObject({
            code: "MalformedPolicyDocumentException",
            message: "The new key policy will not allow you to update the key policy in the future.",
        });
        await expect(kms.createKey({ Policy: "{" })).rejects.toMatchObject({ code: "MalformedPolicyDocumentException" });
    });

    test("shows a key that is scheduled for deletion, refuses to use it, and deletes it in the end", async () => {
        const aws = simulation();
        const { kms } = aws.in(FRANKFURT);
        const { KeyId } = (await kms.createKey()).KeyMetadata;
        await expect(kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 6 })).rejects.toMatchObject({ code: "ValidationException" });
        await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
        expect((await kms.describeKey({ KeyId })).KeyMetadata).toMatchObject({
            KeyState: "PendingDeletion",
            DeletionDate: "2026-01-08T00:00:00.000Z",
        });
        expect(aws.remains([keys])).toEqual([]);
        await expect(kms.enableKeyRotation({ KeyId })).rejects.toMatchObject({ code: "KMSInvalidStateException" });
        now += 7 * 86_400_000;
        await expect(kms.describeKey({ KeyId })).rejects.toMatchObject({ code: "NotFoundException" });
    });

    test("cancels a scheduled deletion: the key remains, disabled", async () => {
        const { kms } = simulation().in(FRANKFURT);
        const { KeyId } = (await kms.createKey()).KeyMetadata;
        await kms.scheduleKeyDeletion({ KeyId });
        await kms.cancelKeyDeletion({ KeyId });
        now += 31 * 86_400_000;
        expect((await kms.describeKey({ KeyId })).KeyMetadata.KeyState).toBe("Disabled");
    });
});

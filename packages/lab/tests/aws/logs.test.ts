import { describe, expect } from "vitest";
import { kms } from "../../aws/kms.ts";
import { logs } from "../../aws/logs.ts";
import { Simulation } from "../../aws/simulation.ts";
import { keptRules } from "./kept-rules.ts";
import { keyPolicy, LOGS, ROOT } from "./key-policy.ts";
import { FRANKFURT } from "./places.ts";

const simulation = () => new Simulation({ kms, logs });

describe("log groups", () => {
    const rule = keptRules("log groups");

    rule("creates a log group", async () => {
        const { kms, logs } = simulation().in(FRANKFURT);
        const { Arn } = (await kms.createKey({ Policy: keyPolicy(ROOT, LOGS) })).KeyMetadata;
        await logs.createLogGroup({ logGroupName: "/aws/eks/c/cluster", kmsKeyId: Arn, tags: { a: "1" } });
        await logs.putRetentionPolicy({ logGroupName: "/aws/eks/c/cluster", retentionInDays: 30 });
        const [group] = (await logs.describeLogGroups({ logGroupNamePrefix: "/aws/eks/" })).logGroups;
        expect(group).toMatchObject({
            arn: "arn:aws:logs:eu-central-1:111111111111:log-group:/aws/eks/c/cluster:*",
            retentionInDays: 30,
            kmsKeyId: Arn,
        });
        for (const resourceArn of [group?.arn ?? "", group?.logGroupArn ?? ""])
            expect((await logs.listTagsForResource({ resourceArn })).tags).toEqual({ a: "1" });
    });

    rule("refuses a duplicate log group", async () => {
        const { logs } = simulation().in(FRANKFURT);
        await logs.createLogGroup({ logGroupName: "g" });
        await expect(logs.createLogGroup({ logGroupName: "a b" })).rejects.toMatchObject({ code: "InvalidParameterException" });
        await expect(logs.createLogGroup({ logGroupName: "g" })).rejects.toMatchObject({
            code: "ResourceAlreadyExistsException",
            message: "The specified log group already exists",
        });
    });

    rule("accepts only AWS's retention periods", async () => {
        const { logs } = simulation().in(FRANKFURT);
        await logs.createLogGroup({ logGroupName: "g" });
        for (const retentionInDays of [0, 2, 31, 3654])
            await expect(logs.putRetentionPolicy({ logGroupName: "g", retentionInDays })).rejects.toMatchObject({
                code: "InvalidParameterException",
            });
        await logs.putRetentionPolicy({ logGroupName: "g", retentionInDays: 3653 });
        await logs.deleteRetentionPolicy({ logGroupName: "g" });
        expect((await logs.describeLogGroups()).logGroups[0]).not.toHaveProperty("retentionInDays");
    });

    rule("refuses a key that CloudWatch Logs may not use", async () => {
        const { kms, logs } = simulation().in(FRANKFURT);
        const { Arn, KeyId } = (await kms.createKey({ Policy: keyPolicy(ROOT) })).KeyMetadata;
        const refusal = {
            code: "InvalidParameterException",
            message:
                "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:eu-central-1:111111111111:log-group:g'",
        };
        await expect(logs.createLogGroup({ logGroupName: "g", kmsKeyId: Arn })).rejects.toMatchObject(refusal);
        await kms.putKeyPolicy({ KeyId, Policy: keyPolicy(ROOT, LOGS) });
        await logs.createLogGroup({ logGroupName: "g", kmsKeyId: Arn });
        await logs.disassociateKmsKey({ logGroupName: "g" });
        await kms.scheduleKeyDeletion({ KeyId });
        await expect(logs.associateKmsKey({ logGroupName: "g", kmsKeyId: Arn })).rejects.toMatchObject(refusal);
    });

    rule("deletes a log group", async () => {
        const { logs } = simulation().in(FRANKFURT);
        await logs.createLogGroup({ logGroupName: "g" });
        await logs.deleteLogGroup({ logGroupName: "g" });
        await expect(logs.deleteLogGroup({ logGroupName: "g" })).rejects.toMatchObject({
            code: "ResourceNotFoundException",
            message: "The specified log group does not exist.",
        });
    });
});

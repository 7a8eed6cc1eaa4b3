import { AwsError } from "./error.ts";
import { allowsService, findKey } from "./kms.ts";
import type { Scope } from "./scope.ts";
import { Table } from "./table.ts";

interface LogGroup {
    logGroupName: string;
    /** Ends in `:*`, as `DescribeLogGroups` shows it. */
    arn: string;
    logGroupArn: string;
    logGroupClass: string;
    creationTime: number;
    metricFilterCount: number;
    storedBytes: number;
    retentionInDays?: number | undefined;
    kmsKeyId?: string | undefined;
    tags: Record<string, string>;
}
export const logGroups = new Table<LogGroup>("logs/log-group");

const RETENTIONS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/** Simulated CloudWatch Logs: log groups. Nothing is logged. */
export const logs = (scope: Scope) => {
    const rows = logGroups.in(scope);
    const need = (name: string) => rows.need(name, missing);
    const tagged = (arn: string) => need(arn.replace(scope.arn("logs", "log-group:"), "").replace(/:\*$/, ""));

    return {
        createLogGroup: (request: { logGroupName: string; kmsKeyId?: string; tags?: Record<string, string>; logGroupClass?: string }) => {
            const { logGroupName, kmsKeyId, tags = {}, logGroupClass = "STANDARD" } = request;
            if (!/^[\w./#-]{1,512}$/.test(logGroupName)) throw invalid(`Invalid log group name: ${logGroupName}`);
            if (rows.get(logGroupName)) throw new AwsError("ResourceAlreadyExistsException", "The specified log group already exists");
            if (kmsKeyId) mustAllowLogs(scope, kmsKeyId, logGroupName);
            const logGroupArn = scope.arn("logs", `log-group:${logGroupName}`);
            rows.put(logGroupName, {
                logGroupName,
                arn: `${logGroupArn}:*`,
                logGroupArn,
                logGroupClass,
                creationTime: scope.now.getTime(),
                metricFilterCount: 0,
                storedBytes: 0,
                tags,
                ...(kmsKeyId && { kmsKeyId }),
            });
        },
        describeLogGroups: ({ logGroupNamePrefix = "" }: { logGroupNamePrefix?: string } = {}) => ({
            logGroups: rows
                .list()
                .filter(({ logGroupName }) => logGroupName.startsWith(logGroupNamePrefix))
                .map(({ tags: _, ...group }) => group),
        }),
        deleteLogGroup: ({ logGroupName }: { logGroupName: string }) => {
            need(logGroupName);
            rows.delete(logGroupName);
        },

        putRetentionPolicy: ({ logGroupName, retentionInDays }: { logGroupName: string; retentionInDays: number }) => {
            need(logGroupName);
            if (!RETENTIONS.includes(retentionInDays))
                throw invalid(
                    `1 validation error detected: Value '${retentionInDays}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [${RETENTIONS.join(", ")}]`,
                );
            rows.update(logGroupName, { retentionInDays });
        },
        deleteRetentionPolicy: ({ logGroupName }: { logGroupName: string }) => {
            const { retentionInDays: _, ...group } = need(logGroupName);
            rows.put(logGroupName, group);
        },

        associateKmsKey: ({ logGroupName, kmsKeyId }: { logGroupName: string; kmsKeyId: string }) => {
            need(logGroupName);
            mustAllowLogs(scope, kmsKeyId, logGroupName);
            rows.update(logGroupName, { kmsKeyId });
        },
        disassociateKmsKey: ({ logGroupName }: { logGroupName: string }) => {
            const { kmsKeyId: _, ...group } = need(logGroupName);
            rows.put(logGroupName, group);
        },

        tagResource: ({ resourceArn, tags }: { resourceArn: string; tags: Record<string, string> }) => {
            const group = tagged(resourceArn);
            rows.update(group.logGroupName, { tags: { ...group.tags, ...tags } });
        },
        untagResource: ({ resourceArn, tagKeys }: { resourceArn: string; tagKeys: string[] }) => {
            const group = tagged(resourceArn);
            const tags = Object.fromEntries(Object.entries(group.tags).filter(([key]) => !tagKeys.includes(key)));
            rows.update(group.logGroupName, { tags });
        },
        listTagsForResource: ({ resourceArn }: { resourceArn: string }) => ({ tags: tagged(resourceArn).tags }),
    };
};

function mustAllowLogs(scope: Scope, kmsKeyId: string, logGroupName: string): void {
    // CloudWatch Logs accepts only ARNs, neither key IDs nor aliases.
    const key = kmsKeyId.startsWith("arn:") ? findKey(scope, kmsKeyId) : undefined;
    const service = `logs.${scope.region}.amazonaws.com`;
    if (key?.KeyState !== "Enabled" || !(allowsService(key, service) || allowsService(key, "logs.amazonaws.com")))
        throw invalid(
            `The specified KMS key does not exist or is not allowed to be used with Arn '${scope.arn("logs", `log-group:${logGroupName}`)}'`,
        );
}

function missing(): AwsError {
    return new AwsError("ResourceNotFoundException", "The specified log group does not exist.");
}

function invalid(message: string): AwsError {
    return new AwsError("InvalidParameterException", message);
}

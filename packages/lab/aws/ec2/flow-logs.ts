import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";
import { missing } from "./errors.ts";
import { shown, vpcs } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

interface FlowLog {
    FlowLogId: string;
    ResourceId: string;
    TrafficType: string;
    LogDestinationType: string;
    LogDestination?: string | undefined;
    LogGroupName?: string | undefined;
    DeliverLogsPermissionArn?: string | undefined;
    DeliverLogsStatus: string;
    FlowLogStatus: string;
    LogFormat: string;
    MaxAggregationInterval: number;
    CreationTime: string;
}
export const flowLogs = new Table<FlowLog>("ec2/vpc-flow-log");

const FIELDS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
const FORMAT = FIELDS.split(" ")
    .map((field) => `\${${field}}`)
    .join(" ");

/** The actions on flow logs of VPCs. Nothing is written to them. */
export const flowLogActions = (scope: Scope) => {
    const rows = flowLogs.in(scope);
    const show = (row: Readonly<FlowLog>) => shown(row, tagsOf(scope, row.FlowLogId));

    return {
        createFlowLogs: (request: {
            ResourceIds: string[];
            ResourceType: "VPC";
            TrafficType?: string;
            LogDestinationType?: string;
            LogDestination?: string;
            LogGroupName?: string;
            DeliverLogsPermissionArn?: string;
            LogFormat?: string;
            MaxAggregationInterval?: number;
            TagSpecifications?: TagSpecification[];
        }) => {
            const { LogDestination, LogGroupName, TrafficType = "ALL", LogDestinationType = "cloud-watch-logs" } = request;
            const FlowLogIds = request.ResourceIds.map((ResourceId) => {
                vpcs.in(scope).need(ResourceId, () => missing("vpc", ResourceId));
                const group = LogGroupName ?? LogDestination?.split(":log-group:")[1]?.replace(/:\*$/, "");
                if (LogDestinationType === "cloud-watch-logs" && !request.DeliverLogsPermissionArn)
                    throw new AwsError(
                        "InvalidParameter",
                        "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.",
                    );
                if (
                    rows
                        .list()
                        .some(
                            (flowLog) =>
                                flowLog.ResourceId === ResourceId &&
                                flowLog.LogDestination === LogDestination &&
                                flowLog.LogGroupName === group,
                        )
                )
                    throw new AwsError(
                        "FlowLogAlreadyExists",
                        "Error. There is an existing Flow Log with the same configuration and log destination.",
                    );
                const FlowLogId = scope.id("fl");
                rows.put(FlowLogId, {
                    FlowLogId,
                    ResourceId,
                    TrafficType,
                    LogDestinationType,
                    ...(LogDestination !== undefined && { LogDestination }),
                    ...(group !== undefined && { LogGroupName: group }),
                    ...(request.DeliverLogsPermissionArn !== undefined && { DeliverLogsPermissionArn: request.DeliverLogsPermissionArn }),
                    DeliverLogsStatus: "SUCCESS",
                    FlowLogStatus: "ACTIVE",
                    LogFormat: request.LogFormat ?? FORMAT,
                    MaxAggregationInterval: request.MaxAggregationInterval ?? 600,
                    CreationTime: scope.now.toISOString(),
                });
                tagNew(scope, "vpc-flow-log", FlowLogId, request.TagSpecifications);
                return FlowLogId;
            });
            return { FlowLogIds, Unsuccessful: [] };
        },

        describeFlowLogs: ({ FlowLogIds, Filter }: { FlowLogIds?: string[]; Filter?: Filter[] } = {}) => ({
            FlowLogs: filtered(
                // Unlike other describe actions, this one ignores unknown IDs.
                rows
                    .list()
                    .filter((flowLog) => !FlowLogIds || FlowLogIds.includes(flowLog.FlowLogId))
                    .map(show),
                Filter,
                {
                    "resource-id": (flowLog) => flowLog.ResourceId,
                    "flow-log-id": (flowLog) => flowLog.FlowLogId,
                    "log-group-name": (flowLog) => flowLog.LogGroupName,
                },
            ),
        }),

        deleteFlowLogs: ({ FlowLogIds }: { FlowLogIds: string[] }) => {
            for (const id of FlowLogIds) {
                rows.need(id, () => missing("flowLog", id));
                rows.delete(id);
                deleteTagsOf(scope, id);
            }
            return { Unsuccessful: [] };
        },
    };
};

import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

async function findFlowLog({ api }: Context, id: string) {
    return (await api.ec2.describeFlowLogs({ FlowLogIds: [id] })).FlowLogs[0];
}

export const flowLog: ResourceDefinition<Plain<aws.ec2.FlowLogArgs>, Plain<aws.ec2.FlowLogState>> = {
    noun: "Flow Log",
    forceNew: ["vpcId", "subnetId", "eniId", "trafficType", "logDestination", "logDestinationType", "iamRoleArn", "logFormat"],
    defaults: { logDestinationType: "cloud-watch-logs", maxAggregationInterval: 600 },
    computed: ["arn", "logFormat", "logGroupName"],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeFlowLogs({ Filter: markFilter(context) })).FlowLogs.map(({ FlowLogId }) => FlowLogId),
    },
    create: async (context, inputs) => {
        const { FlowLogIds } = await context.api.ec2.createFlowLogs({
            ResourceIds: [inputs.vpcId ?? ""],
            ResourceType: "VPC",
            TrafficType: inputs.trafficType,
            LogDestinationType: inputs.logDestinationType,
            LogDestination: inputs.logDestination,
            DeliverLogsPermissionArn: inputs.iamRoleArn,
            LogFormat: inputs.logFormat,
            MaxAggregationInterval: inputs.maxAggregationInterval,
            ...tagSpecifications(context, "vpc-flow-log"),
        });
        const [id] = FlowLogIds;
        if (!id) throw new Error("CreateFlowLogs returned no flow log");
        return id;
    },
    read: async (context, id) => {
        const found = await findFlowLog(context, id);
        return (
            found && {
                arn: ec2Arn(context, `vpc-flow-log/${id}`),
                vpcId: found.ResourceId,
                trafficType: found.TrafficType,
                logDestinationType: found.LogDestinationType,
                logDestination: found.LogDestination,
                logGroupName: found.LogGroupName,
                iamRoleArn: found.DeliverLogsPermissionArn,
                logFormat: found.LogFormat,
                maxAggregationInterval: found.MaxAggregationInterval,
                tags: tagMap(found.Tags),
            }
        );
    },
    delete: async ({ api }, id) => {
        await api.ec2.deleteFlowLogs({ FlowLogIds: [id] });
    },
};

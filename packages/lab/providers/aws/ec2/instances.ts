import type * as aws from "@pulumi/aws";
import type { Context, Kind, Plain } from "../kind.ts";
import { byMark, ec2Arn, ec2Tagging, tagged, tagMap } from "./common.ts";

type TemplateArgs = Plain<aws.ec2.LaunchTemplateArgs>;

/** Data of a launch template in the words of the program, for the parts that this project uses. Booleans within are texts there, as in the real provider. */
type Data = Pick<
    TemplateArgs,
    | "blockDeviceMappings"
    | "imageId"
    | "instanceType"
    | "keyName"
    | "metadataOptions"
    | "tagSpecifications"
    | "userData"
    | "vpcSecurityGroupIds"
>;

/** Ways to write the same thing: names that begin with a capital at AWS, and texts that are booleans there. */
function toAws(value: unknown, key = ""): unknown {
    if (Array.isArray(value)) return value.map((one) => toAws(one, key));
    if (typeof value === "object" && value !== null) {
        if (key === "tags") return Object.entries(value).map(([Key, Value]) => ({ Key, Value }));
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [capital(name), toAws(inner, name)]));
    }
    return value === "true" ? true : value === "false" ? false : value;
}

function fromAws(value: unknown, key = ""): unknown {
    if (Array.isArray(value))
        return key === "Tags"
            ? Object.fromEntries(value.map(({ Key, Value }: { Key: string; Value: string }) => [Key, Value]))
            : value.map((one) => fromAws(one, key));
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [small(name), fromAws(inner, name)]));
    return typeof value === "boolean" ? String(value) : value;
}

const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const small = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

/** AWS's name for the groups differs by more than a capital. */
function dataOf(inputs: TemplateArgs): Record<string, unknown> {
    const { blockDeviceMappings, imageId, instanceType, keyName, metadataOptions, tagSpecifications, userData, vpcSecurityGroupIds } =
        inputs;
    const data = { blockDeviceMappings, imageId, instanceType, keyName, metadataOptions, tagSpecifications, userData };
    const given = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
    return { ...(toAws(given) as object), ...(vpcSecurityGroupIds && { SecurityGroupIds: vpcSecurityGroupIds }) };
}

export const launchTemplate: Kind<TemplateArgs, Plain<aws.ec2.LaunchTemplateState>> = {
    noun: "EC2 Launch Template",
    forceNew: ["name", "namePrefix"],
    autoName: "name",
    unreadable: ["updateDefaultVersion", "description", "namePrefix"],
    computed: ["arn", "defaultVersion", "latestVersion"],
    // Whoever uses the latest version must learn of it in the preview.
    recomputed: ["latestVersion", "defaultVersion"],
    tagging: ec2Tagging,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeLaunchTemplates({ Filters: byMark(context) })).LaunchTemplates.map(
                (one) => one.LaunchTemplateId,
            ),
    },
    make: async (context, inputs) => {
        const { LaunchTemplate } = await context.api.ec2.createLaunchTemplate({
            LaunchTemplateName: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            LaunchTemplateData: dataOf(inputs),
            VersionDescription: inputs.description,
            ...tagged(context, "launch-template"),
        });
        return LaunchTemplate.LaunchTemplateId;
    },
    read: async (context, id) => {
        const { LaunchTemplates } = await context.api.ec2.describeLaunchTemplates({ LaunchTemplateIds: [id] });
        const [found] = LaunchTemplates;
        if (!found) return undefined;
        const { LaunchTemplateVersions } = await context.api.ec2.describeLaunchTemplateVersions({
            LaunchTemplateId: id,
            Versions: ["$Latest"],
        });
        const { SecurityGroupIds, ...data } = LaunchTemplateVersions[0]?.LaunchTemplateData ?? {};
        return {
            ...(fromAws(data) as Data),
            ...(SecurityGroupIds !== undefined && { vpcSecurityGroupIds: SecurityGroupIds as string[] }),
            arn: ec2Arn(context, `launch-template/${id}`),
            name: found.LaunchTemplateName,
            defaultVersion: found.DefaultVersionNumber,
            latestVersion: found.LatestVersionNumber,
            tags: tagMap(found.Tags),
        };
    },
    update: async ({ api }, id, { inputs, has }) => {
        const isNew = has(
            "blockDeviceMappings",
            "description",
            "imageId",
            "instanceType",
            "keyName",
            "metadataOptions",
            "tagSpecifications",
            "userData",
            "vpcSecurityGroupIds",
        );
        if (isNew)
            await api.ec2.createLaunchTemplateVersion({
                LaunchTemplateId: id,
                LaunchTemplateData: dataOf(inputs),
                VersionDescription: inputs.description,
            });
        if (inputs.updateDefaultVersion) await api.ec2.modifyLaunchTemplate({ LaunchTemplateId: id, DefaultVersion: "$Latest" });
    },
    remove: async ({ api }, id) => {
        await api.ec2.deleteLaunchTemplate({ LaunchTemplateId: id });
    },
};

async function findFlowLog({ api }: Context, id: string) {
    return (await api.ec2.describeFlowLogs({ FlowLogIds: [id] })).FlowLogs[0];
}

export const flowLog: Kind<Plain<aws.ec2.FlowLogArgs>, Plain<aws.ec2.FlowLogState>> = {
    noun: "Flow Log",
    forceNew: ["vpcId", "subnetId", "eniId", "trafficType", "logDestination", "logDestinationType", "iamRoleArn", "logFormat"],
    defaults: { logDestinationType: "cloud-watch-logs", maxAggregationInterval: 600 },
    computed: ["arn", "logFormat", "logGroupName"],
    tagging: ec2Tagging,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeFlowLogs({ Filter: byMark(context) })).FlowLogs.map(({ FlowLogId }) => FlowLogId),
    },
    make: async (context, inputs) => {
        const { FlowLogIds } = await context.api.ec2.createFlowLogs({
            ResourceIds: [inputs.vpcId ?? ""],
            ResourceType: "VPC",
            TrafficType: inputs.trafficType,
            LogDestinationType: inputs.logDestinationType,
            LogDestination: inputs.logDestination,
            DeliverLogsPermissionArn: inputs.iamRoleArn,
            LogFormat: inputs.logFormat,
            MaxAggregationInterval: inputs.maxAggregationInterval,
            ...tagged(context, "vpc-flow-log"),
        });
        const [id] = FlowLogIds;
        if (!id) throw new Error("AWS has made no flow log");
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
    remove: async ({ api }, id) => {
        await api.ec2.deleteFlowLogs({ FlowLogIds: [id] });
    },
};

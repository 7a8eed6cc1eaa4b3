import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "../definition.ts";
import { ec2Arn, ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

type TemplateArgs = Plain<aws.ec2.LaunchTemplateArgs>;

/** Launch template data as inputs of the program, limited to the parts that this project uses. Nested booleans are strings, as in the real provider. */
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

/** Converts inputs to AWS's form: capitalized names, and booleans instead of strings. */
function toAws(value: unknown, key = ""): unknown {
    if (Array.isArray(value)) return value.map((item) => toAws(item, key));
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
            : value.map((item) => fromAws(item, key));
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [uncapital(name), fromAws(inner, name)]));
    return typeof value === "boolean" ? String(value) : value;
}

const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const uncapital = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

/** The security groups need their own line, because AWS names the property SecurityGroupIds. */
function dataOf(inputs: TemplateArgs): Record<string, unknown> {
    const { blockDeviceMappings, imageId, instanceType, keyName, metadataOptions, tagSpecifications, userData, vpcSecurityGroupIds } =
        inputs;
    const data = { blockDeviceMappings, imageId, instanceType, keyName, metadataOptions, tagSpecifications, userData };
    const definedData = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
    return { ...(toAws(definedData) as object), ...(vpcSecurityGroupIds && { SecurityGroupIds: vpcSecurityGroupIds }) };
}

export const launchTemplate: ResourceDefinition<TemplateArgs, Plain<aws.ec2.LaunchTemplateState>> = {
    noun: "EC2 Launch Template",
    forceNew: ["name", "namePrefix"],
    autoName: "name",
    unreadable: ["updateDefaultVersion", "description", "namePrefix"],
    computed: ["arn", "defaultVersion", "latestVersion"],
    // A preview must show dependents that the latest version changes.
    recomputed: ["latestVersion", "defaultVersion"],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeLaunchTemplates({ Filters: markFilter(context) })).LaunchTemplates.map(
                ({ LaunchTemplateId }) => LaunchTemplateId,
            ),
    },
    create: async (context, inputs) => {
        const { LaunchTemplate } = await context.api.ec2.createLaunchTemplate({
            LaunchTemplateName: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            LaunchTemplateData: dataOf(inputs),
            VersionDescription: inputs.description,
            ...tagSpecifications(context, "launch-template"),
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
    update: async ({ api }, id, { inputs, changed }) => {
        const needsVersion = changed(
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
        if (needsVersion)
            await api.ec2.createLaunchTemplateVersion({
                LaunchTemplateId: id,
                LaunchTemplateData: dataOf(inputs),
                VersionDescription: inputs.description,
            });
        if (inputs.updateDefaultVersion) await api.ec2.modifyLaunchTemplate({ LaunchTemplateId: id, DefaultVersion: "$Latest" });
    },
    delete: async ({ api }, id) => {
        await api.ec2.deleteLaunchTemplate({ LaunchTemplateId: id });
    },
};

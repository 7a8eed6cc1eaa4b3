import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition, type UpdateArgs, waitForDeletion } from "../definition.ts";
import { eksTagging, waitForUpdate } from "./cluster.ts";

type Args = Plain<aws.eks.NodeGroupArgs>;
type State = Plain<aws.eks.NodeGroupState>;

function refOf(id: string): { clusterName: string; nodegroupName: string } {
    const [clusterName = "", nodegroupName = ""] = id.split(":");
    return { clusterName, nodegroupName };
}

async function find({ api }: Context, id: string) {
    return (await api.eks.describeNodegroup(refOf(id))).nodegroup;
}

async function change(context: Context, id: string, { inputs, olds, changed }: UpdateArgs<Args, State>): Promise<void> {
    const ref = refOf(id);
    const { eks } = context.api;
    const apply = (start: () => Promise<{ update: { id: string } }>) =>
        waitForUpdate(context, { name: ref.clusterName, nodegroupName: ref.nodegroupName }, start);
    if (changed("launchTemplate", "releaseVersion", "version"))
        await apply(() =>
            eks.updateNodegroupVersion({
                ...ref,
                version: inputs.version,
                releaseVersion: inputs.releaseVersion,
                launchTemplate: inputs.launchTemplate,
            }),
        );
    if (changed("labels", "scalingConfig", "taints", "updateConfig")) {
        const [labels, taints] = [inputs.labels ?? {}, inputs.taints ?? []];
        await apply(() =>
            eks.updateNodegroupConfig({
                ...ref,
                scalingConfig: inputs.scalingConfig,
                labels: {
                    addOrUpdateLabels: labels,
                    removeLabels: Object.keys(olds.labels ?? {}).filter((key) => !(key in labels)),
                },
                taints: {
                    addOrUpdateTaints: taints,
                    removeTaints: (olds.taints ?? []).filter(
                        (old) => !taints.some(({ key, effect }) => key === old.key && effect === old.effect),
                    ),
                },
                updateConfig: inputs.updateConfig,
            }),
        );
    }
}

export const nodeGroup: ResourceDefinition<Args, State> = {
    noun: "EKS Node Group",
    forceNew: [
        "amiType",
        "capacityType",
        "clusterName",
        "diskSize",
        "instanceTypes",
        "launchTemplate.id",
        "launchTemplate.name",
        "nodeGroupName",
        "nodeGroupNamePrefix",
        "nodeRoleArn",
        "remoteAccess",
        "subnetIds",
    ],
    unreadable: ["forceUpdateVersion", "nodeGroupNamePrefix"],
    autoName: "nodeGroupName",
    computed: [
        "amiType",
        "arn",
        "capacityType",
        "diskSize",
        "instanceTypes",
        "launchTemplate.name",
        "releaseVersion",
        "resources",
        "status",
        "updateConfig",
        "version",
    ],
    tagging: eksTagging,
    timeoutMinutes: 60,
    find: {
        byMark: async (context, { clusterName, nodeGroupName = "" }) => {
            const id = `${clusterName}:${nodeGroupName}`;
            const { tags, status } = await find(context, id);
            return tags[context.mark.key] === context.mark.value && status !== "DELETING" ? [id] : [];
        },
    },
    create: async (context, inputs) => {
        const nodegroupName = inputs.nodeGroupName ?? `${inputs.nodeGroupNamePrefix ?? ""}${context.unique(26)}`;
        const { nodegroup } = await context.api.eks.createNodegroup({
            clusterName: inputs.clusterName,
            nodegroupName,
            nodeRole: inputs.nodeRoleArn,
            subnets: inputs.subnetIds,
            scalingConfig: inputs.scalingConfig,
            amiType: inputs.amiType,
            capacityType: inputs.capacityType,
            diskSize: inputs.diskSize,
            instanceTypes: inputs.instanceTypes,
            labels: inputs.labels,
            taints: inputs.taints,
            launchTemplate: inputs.launchTemplate,
            updateConfig: inputs.updateConfig,
            version: inputs.version,
            releaseVersion: inputs.releaseVersion,
            tags: context.tags,
        });
        return `${nodegroup.clusterName}:${nodegroup.nodegroupName}`;
    },
    reconcile: (context, id) =>
        context.waitFor(`EKS Node Group (${id})`, "ACTIVE", async () => {
            const { status, health } = await find(context, id);
            return pendingState(status, ["ACTIVE"], ["CREATING", "UPDATING"], health.issues.map(({ message }) => message).join("; "));
        }),
    read: async (context, id) => {
        const found = await find(context, id);
        if (found.status === "DELETING") return undefined;
        return {
            arn: found.nodegroupArn,
            clusterName: found.clusterName,
            nodeGroupName: found.nodegroupName,
            nodeRoleArn: found.nodeRole,
            subnetIds: found.subnets,
            amiType: found.amiType,
            capacityType: found.capacityType,
            diskSize: found.diskSize,
            instanceTypes: found.instanceTypes,
            labels: found.labels,
            taints: found.taints,
            launchTemplate: found.launchTemplate && { ...found.launchTemplate, version: found.launchTemplate.version ?? "$Default" },
            releaseVersion: found.releaseVersion,
            resources: found.resources.autoScalingGroups.map(({ name }) => ({ autoscalingGroups: [{ name }] })),
            scalingConfig: found.scalingConfig,
            status: found.status,
            updateConfig: found.updateConfig,
            version: found.version,
            tags: found.tags,
        };
    },
    update: change,
    delete: async (context, id) => {
        if ((await find(context, id)).status !== "DELETING") await context.api.eks.deleteNodegroup(refOf(id));
        await waitForDeletion(context, `EKS Node Group (${id})`, [], async () => (await find(context, id)).status);
    },
};

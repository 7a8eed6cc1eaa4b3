import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition, waitForDeletion } from "../definition.ts";
import { eksTagging, waitForUpdate } from "./cluster.ts";

type AddonArgs = Plain<aws.eks.AddonArgs>;

function addonRef(id: string): { clusterName: string; addonName: string } {
    const [clusterName = "", addonName = ""] = id.split(":");
    return { clusterName, addonName };
}

async function findAddon({ api }: Context, id: string) {
    return (await api.eks.describeAddon(addonRef(id))).addon;
}

export const addon: ResourceDefinition<AddonArgs, Plain<aws.eks.AddonState>> = {
    noun: "EKS Add-On",
    forceNew: ["addonName", "clusterName"],
    unreadable: ["preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate", "podIdentityAssociations"],
    computed: ["addonVersion", "arn", "configurationValues", "createdAt", "modifiedAt"],
    tagging: eksTagging,
    timeoutMinutes: 20,
    find: {
        byMark: async (context, { clusterName, addonName }) => {
            const id = `${clusterName}:${addonName}`;
            const { tags, status } = await findAddon(context, id);
            return tags[context.mark.key] === context.mark.value && status !== "DELETING" ? [id] : [];
        },
    },
    create: async ({ api, tags }, inputs) => {
        const { clusterName, addonName, addonVersion, configurationValues, serviceAccountRoleArn } = inputs;
        const ref = { clusterName, addonName };
        await api.eks.createAddon({ ...ref, addonVersion, configurationValues, serviceAccountRoleArn, tags });
        return `${clusterName}:${addonName}`;
    },
    reconcile: (context, id) =>
        context.waitFor(`EKS Add-On (${id})`, "ACTIVE", async () => {
            const { status, health } = await findAddon(context, id);
            const why = health.issues.map(({ message }) => message).join("; ");
            return pendingState(status, ["ACTIVE"], ["CREATING", "UPDATING", "DEGRADED"], why);
        }),
    read: async (context, id) => {
        const found = await findAddon(context, id);
        if (found.status === "DELETING") return undefined;
        return {
            arn: found.addonArn,
            addonName: found.addonName,
            addonVersion: found.addonVersion,
            clusterName: found.clusterName,
            configurationValues: found.configurationValues,
            serviceAccountRoleArn: found.serviceAccountRoleArn,
            createdAt: found.createdAt,
            modifiedAt: found.modifiedAt,
            tags: found.tags,
        };
    },
    update: async (context, id, { inputs: { addonVersion, configurationValues, serviceAccountRoleArn }, changed }) => {
        if (!changed("addonVersion", "configurationValues", "serviceAccountRoleArn")) return;
        const ref = addonRef(id);
        await waitForUpdate(context, { name: ref.clusterName, addonName: ref.addonName }, () =>
            context.api.eks.updateAddon({ ...ref, addonVersion, configurationValues, serviceAccountRoleArn }),
        );
    },
    delete: async (context, id, { preserve }) => {
        if ((await findAddon(context, id)).status !== "DELETING")
            await context.api.eks.deleteAddon({ ...addonRef(id), preserve: preserve ?? false });
        await waitForDeletion(context, `EKS Add-On (${id})`, [], async () => (await findAddon(context, id)).status);
    },
};

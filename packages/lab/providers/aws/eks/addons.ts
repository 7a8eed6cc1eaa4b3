import type * as aws from "@pulumi/aws";
import { awaited, type Context, type Kind, type Plain, untilGone } from "../kind.ts";
import { eksTagging, updated } from "./cluster.ts";

type AddonArgs = Plain<aws.eks.AddonArgs>;

function addonRef(id: string): { clusterName: string; addonName: string } {
    const [clusterName = "", addonName = ""] = id.split(":");
    return { clusterName, addonName };
}

async function findAddon({ api }: Context, id: string) {
    return (await api.eks.describeAddon(addonRef(id))).addon;
}

export const addon: Kind<AddonArgs, Plain<aws.eks.AddonState>> = {
    noun: "EKS Add-On",
    forceNew: ["addonName", "clusterName"],
    unreadable: ["preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate", "podIdentityAssociations"],
    computed: ["addonVersion", "arn", "configurationValues", "createdAt", "modifiedAt"],
    tagging: eksTagging,
    minutes: 20,
    find: {
        marked: async (context, { clusterName, addonName }) => {
            const id = `${clusterName}:${addonName}`;
            const { tags, status } = await findAddon(context, id);
            return tags[context.mark.key] === context.mark.value && status !== "DELETING" ? [id] : [];
        },
    },
    make: async ({ api, tags }, inputs) => {
        const { clusterName, addonName, addonVersion, configurationValues, serviceAccountRoleArn } = inputs;
        const ref = { clusterName, addonName };
        await api.eks.createAddon({ ...ref, addonVersion, configurationValues, serviceAccountRoleArn, tags });
        return `${clusterName}:${addonName}`;
    },
    settle: (context, id) =>
        context.until(`EKS Add-On (${id})`, "ACTIVE", async () => {
            const { status, health } = await findAddon(context, id);
            const why = health.issues.map(({ message }) => message).join("; ");
            return awaited(status, ["ACTIVE"], ["CREATING", "UPDATING", "DEGRADED"], why);
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
    update: async (context, id, { inputs: { addonVersion, configurationValues, serviceAccountRoleArn }, has }) => {
        if (!has("addonVersion", "configurationValues", "serviceAccountRoleArn")) return;
        const ref = addonRef(id);
        await updated(context, { name: ref.clusterName, addonName: ref.addonName }, () =>
            context.api.eks.updateAddon({ ...ref, addonVersion, configurationValues, serviceAccountRoleArn }),
        );
    },
    remove: async (context, id, { preserve }) => {
        if ((await findAddon(context, id)).status !== "DELETING")
            await context.api.eks.deleteAddon({ ...addonRef(id), preserve: preserve ?? false });
        await untilGone(context, `EKS Add-On (${id})`, [], async () => (await findAddon(context, id)).status);
    },
};

/** ARNs have colons too. */
function entryRef(id: string): { clusterName: string; principalArn: string } {
    const at = id.indexOf(":");
    return { clusterName: id.slice(0, at), principalArn: id.slice(at + 1) };
}

export const accessEntry: Kind<Plain<aws.eks.AccessEntryArgs>, Plain<aws.eks.AccessEntryState>> = {
    noun: "EKS Access Entry",
    forceNew: ["clusterName", "principalArn", "type"],
    defaults: { type: "STANDARD" },
    computed: ["accessEntryArn", "createdAt", "kubernetesGroups", "modifiedAt", "userName"],
    tagging: {
        set: async ({ api }, id, tags) => {
            const found = (await api.eks.describeAccessEntry(entryRef(id))).accessEntry;
            await api.eks.tagResource({ resourceArn: found.accessEntryArn, tags });
        },
        unset: async ({ api }, id, tagKeys) => {
            const found = (await api.eks.describeAccessEntry(entryRef(id))).accessEntry;
            await api.eks.untagResource({ resourceArn: found.accessEntryArn, tagKeys });
        },
    },
    find: {
        marked: async ({ api, mark }, { clusterName, principalArn }) => {
            const { tags } = (await api.eks.describeAccessEntry({ clusterName, principalArn })).accessEntry;
            return tags[mark.key] === mark.value ? [`${clusterName}:${principalArn}`] : [];
        },
    },
    make: async ({ api, tags }, { clusterName, principalArn, type, kubernetesGroups, userName }) => {
        await api.eks.createAccessEntry({ clusterName, principalArn, type, kubernetesGroups, username: userName, tags });
        return `${clusterName}:${principalArn}`;
    },
    read: async ({ api }, id) => {
        const found = (await api.eks.describeAccessEntry(entryRef(id))).accessEntry;
        return {
            accessEntryArn: found.accessEntryArn,
            clusterName: found.clusterName,
            principalArn: found.principalArn,
            type: found.type,
            kubernetesGroups: found.kubernetesGroups,
            userName: found.username,
            createdAt: found.createdAt,
            modifiedAt: found.modifiedAt,
            tags: found.tags,
        };
    },
    update: async ({ api }, id, { inputs: { kubernetesGroups, userName } }) => {
        await api.eks.updateAccessEntry({ ...entryRef(id), kubernetesGroups: kubernetesGroups ?? [], username: userName });
    },
    remove: ({ api }, id) => api.eks.deleteAccessEntry(entryRef(id)),
};

async function findAssociation({ api }: Context, id: string) {
    const [clusterName = "", principalArn = "", policyArn] = id.split("#");
    const { associatedAccessPolicies } = await api.eks.listAssociatedAccessPolicies({ clusterName, principalArn });
    return associatedAccessPolicies.find((one) => one.policyArn === policyArn);
}

export const accessPolicyAssociation: Kind<Plain<aws.eks.AccessPolicyAssociationArgs>, Plain<aws.eks.AccessPolicyAssociationState>> = {
    noun: "EKS Access Policy Association",
    forceNew: ["accessScope", "clusterName", "policyArn", "principalArn"],
    computed: ["associatedAt", "modifiedAt"],
    find: {
        same: async (context, { clusterName, principalArn, policyArn }) => {
            const id = `${clusterName}#${principalArn}#${policyArn}`;
            return (await findAssociation(context, id)) ? [id] : [];
        },
    },
    make: async ({ api }, { clusterName, principalArn, policyArn, accessScope }) => {
        const { type, namespaces } = accessScope;
        await api.eks.associateAccessPolicy({
            clusterName,
            principalArn,
            policyArn,
            accessScope: { type: type as "cluster" | "namespace", ...(namespaces && { namespaces }) },
        });
        return `${clusterName}#${principalArn}#${policyArn}`;
    },
    read: async (context, id) => {
        const [clusterName, principalArn] = id.split("#");
        const found = await findAssociation(context, id);
        return (
            found && {
                clusterName,
                principalArn,
                policyArn: found.policyArn,
                accessScope: found.accessScope,
                associatedAt: found.associatedAt,
                modifiedAt: found.modifiedAt,
            }
        );
    },
    remove: async ({ api }, id) => {
        const [clusterName = "", principalArn = "", policyArn = ""] = id.split("#");
        await api.eks.disassociateAccessPolicy({ clusterName, principalArn, policyArn });
    },
};

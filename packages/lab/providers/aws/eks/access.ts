import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition } from "../definition.ts";

/** Splits at the first colon only, because ARNs contain colons. */
function entryRef(id: string): { clusterName: string; principalArn: string } {
    const at = id.indexOf(":");
    return { clusterName: id.slice(0, at), principalArn: id.slice(at + 1) };
}

export const accessEntry: ResourceDefinition<Plain<aws.eks.AccessEntryArgs>, Plain<aws.eks.AccessEntryState>> = {
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
        byMark: async ({ api, mark }, { clusterName, principalArn }) => {
            const { tags } = (await api.eks.describeAccessEntry({ clusterName, principalArn })).accessEntry;
            return tags[mark.key] === mark.value ? [`${clusterName}:${principalArn}`] : [];
        },
    },
    create: async ({ api, tags }, { clusterName, principalArn, type, kubernetesGroups, userName }) => {
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
    delete: ({ api }, id) => api.eks.deleteAccessEntry(entryRef(id)),
};

async function findAssociation({ api }: Context, id: string) {
    const [clusterName = "", principalArn = "", policyArn] = id.split("#");
    const { associatedAccessPolicies } = await api.eks.listAssociatedAccessPolicies({ clusterName, principalArn });
    return associatedAccessPolicies.find((association) => association.policyArn === policyArn);
}

export const accessPolicyAssociation: ResourceDefinition<
    Plain<aws.eks.AccessPolicyAssociationArgs>,
    Plain<aws.eks.AccessPolicyAssociationState>
> = {
    noun: "EKS Access Policy Association",
    forceNew: ["accessScope", "clusterName", "policyArn", "principalArn"],
    computed: ["associatedAt", "modifiedAt"],
    find: {
        byKey: async (context, { clusterName, principalArn, policyArn }) => {
            const id = `${clusterName}#${principalArn}#${policyArn}`;
            return (await findAssociation(context, id)) ? [id] : [];
        },
    },
    create: async ({ api }, { clusterName, principalArn, policyArn, accessScope }) => {
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
    delete: async ({ api }, id) => {
        const [clusterName = "", principalArn = "", policyArn = ""] = id.split("#");
        await api.eks.disassociateAccessPolicy({ clusterName, principalArn, policyArn });
    },
};

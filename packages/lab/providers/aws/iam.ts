import type * as aws from "@pulumi/aws";
import { hasCode } from "./api.ts";
import type { Context, Plain, ResourceDefinition } from "./definition.ts";
import { tagList, tagMap } from "./ec2/tags.ts";

export const role: ResourceDefinition<Plain<aws.iam.RoleArgs>, Plain<aws.iam.RoleState>> = {
    noun: "IAM Role",
    forceNew: ["name", "namePrefix", "path"],
    defaults: { path: "/", maxSessionDuration: 3600, forceDetachPolicies: false },
    unreadable: ["forceDetachPolicies", "namePrefix"],
    autoName: "name",
    documents: ["assumeRolePolicy"],
    computed: ["arn", "createDate", "uniqueId", "managedPolicyArns", "inlinePolicies"],
    tagging: {
        set: ({ api }, id, tags) => api.iam.tagRole({ RoleName: id, Tags: tagList(tags) }),
        unset: ({ api }, id, keys) => api.iam.untagRole({ RoleName: id, TagKeys: keys }),
    },
    find: {
        byMark: async ({ api, mark }, { name = "" }) => {
            const { Role } = await api.iam.getRole({ RoleName: name });
            return tagMap(Role.Tags)[mark.key] === mark.value ? [name] : [];
        },
    },
    create: async (context, inputs) => {
        const { Role } = await context.api.iam.createRole({
            RoleName: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            AssumeRolePolicyDocument: String(inputs.assumeRolePolicy),
            Path: inputs.path,
            Description: inputs.description,
            MaxSessionDuration: inputs.maxSessionDuration,
            Tags: tagList(context.tags),
        });
        return Role.RoleName;
    },
    /** Attaches `managedPolicyArns`, which the eks component uses for its roles. */
    reconcile: async ({ api }, id, { managedPolicyArns }) => {
        for (const PolicyArn of managedPolicyArns ?? []) await api.iam.attachRolePolicy({ RoleName: id, PolicyArn });
    },
    read: async ({ api }, id) => {
        const { Role } = await api.iam.getRole({ RoleName: id });
        const { AttachedPolicies } = await api.iam.listAttachedRolePolicies({ RoleName: id });
        return {
            arn: Role.Arn,
            name: Role.RoleName,
            path: Role.Path,
            uniqueId: Role.RoleId,
            createDate: Role.CreateDate,
            description: Role.Description || undefined,
            maxSessionDuration: Role.MaxSessionDuration,
            assumeRolePolicy: decodeURIComponent(Role.AssumeRolePolicyDocument),
            managedPolicyArns: AttachedPolicies.map(({ PolicyArn }) => PolicyArn),
            tags: tagMap(Role.Tags),
        };
    },
    update: async ({ api }, id, { inputs, olds, changed }) => {
        if (changed("assumeRolePolicy"))
            await api.iam.updateAssumeRolePolicy({ RoleName: id, PolicyDocument: String(inputs.assumeRolePolicy) });
        if (changed("description", "maxSessionDuration"))
            await api.iam.updateRole({
                RoleName: id,
                Description: inputs.description ?? "",
                MaxSessionDuration: inputs.maxSessionDuration,
            });
        const unwanted = (olds.managedPolicyArns ?? []).filter((arn) => !inputs.managedPolicyArns?.includes(arn));
        if (changed("managedPolicyArns")) for (const PolicyArn of unwanted) await api.iam.detachRolePolicy({ RoleName: id, PolicyArn });
    },
    delete: async ({ api }, id, { forceDetachPolicies, managedPolicyArns }) => {
        if (forceDetachPolicies || managedPolicyArns?.length) {
            const { AttachedPolicies } = await api.iam.listAttachedRolePolicies({ RoleName: id });
            for (const { PolicyArn } of AttachedPolicies) await api.iam.detachRolePolicy({ RoleName: id, PolicyArn });
        }
        await api.iam.deleteRole({ RoleName: id });
    },
};

export const rolePolicy: ResourceDefinition<Plain<aws.iam.RolePolicyArgs>, Plain<aws.iam.RolePolicyState>> = {
    noun: "IAM Role Policy",
    forceNew: ["role", "name", "namePrefix"],
    autoName: "name",
    documents: ["policy"],
    computed: [],
    // PutRolePolicy is idempotent, so the create needs no search.
    create: async ({ api }, { role: roleName, name: PolicyName = "", policy }) => {
        const RoleName = String(roleName);
        await api.iam.putRolePolicy({ RoleName, PolicyName, PolicyDocument: String(policy) });
        return `${RoleName}:${PolicyName}`;
    },
    read: async ({ api }, id) => {
        const [RoleName = "", PolicyName = ""] = id.split(":");
        const { PolicyDocument } = await api.iam.getRolePolicy({ RoleName, PolicyName });
        return { role: RoleName, name: PolicyName, policy: decodeURIComponent(PolicyDocument) };
    },
    update: async ({ api }, _id, { inputs: { role: roleName, name: PolicyName = "", policy } }) => {
        await api.iam.putRolePolicy({ RoleName: String(roleName), PolicyName, PolicyDocument: String(policy) });
    },
    delete: async ({ api }, id) => {
        const [RoleName = "", PolicyName = ""] = id.split(":");
        await api.iam.deleteRolePolicy({ RoleName, PolicyName });
    },
};

export const rolePolicyAttachment: ResourceDefinition<Plain<aws.iam.RolePolicyAttachmentArgs>, Plain<aws.iam.RolePolicyAttachmentState>> = {
    noun: "IAM Role Policy Attachment",
    forceNew: ["role", "policyArn"],
    computed: [],
    // AttachRolePolicy is idempotent, so the create needs no search.
    create: async ({ api }, inputs) => {
        const { RoleName, PolicyArn } = attachmentRequest(inputs);
        await api.iam.attachRolePolicy({ RoleName, PolicyArn });
        return `${RoleName}/${PolicyArn}`;
    },
    read: async (context, _id, olds) => {
        const { RoleName, PolicyArn } = attachmentRequest(olds);
        return (await attachedPolicies(context, RoleName)).includes(PolicyArn) ? { role: RoleName, policyArn: PolicyArn } : undefined;
    },
    delete: async ({ api }, _id, olds) => {
        await api.iam.detachRolePolicy(attachmentRequest(olds)).catch((error: unknown) => {
            if (!hasCode(error, "NoSuchEntity")) throw error;
        });
    },
};

async function attachedPolicies({ api }: Context, RoleName: string): Promise<string[]> {
    return (await api.iam.listAttachedRolePolicies({ RoleName })).AttachedPolicies.map(({ PolicyArn }) => PolicyArn);
}

/** Programs may pass a role resource as `role`; the provider receives its name. */
function attachmentRequest({ role, policyArn }: { role?: unknown; policyArn?: string }) {
    return { RoleName: String(role), PolicyArn: policyArn ?? "" };
}

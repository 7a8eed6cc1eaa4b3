import type * as aws from "@pulumi/aws";
import type { Context, Plain, ResourceDefinition, Tags } from "./definition.ts";

/** The account's own active shares. RAM keeps listing deleted shares for some time. */
async function activeShares({ api }: Context, arns?: string[]) {
    const { resourceShares } = await api.ram.getResourceShares({ resourceOwner: "SELF", ...(arns && { resourceShareArns: arns }) });
    return resourceShares.filter(({ status }) => status === "ACTIVE");
}

/** RAM is the only service that spells a tag's fields in lower case. */
const tagList = (tags: Tags) => Object.entries(tags).map(([key, value]) => ({ key, value }));

export const resourceShare: ResourceDefinition<Plain<aws.ram.ResourceShareArgs>, Plain<aws.ram.ResourceShareState>> = {
    noun: "RAM Resource Share",
    forceNew: ["permissionArns"],
    defaults: { allowExternalPrincipals: false },
    autoName: "name",
    unreadable: ["permissionArns"],
    computed: ["arn"],
    tagging: {
        set: ({ api }, resourceShareArn, tags) => api.ram.tagResource({ resourceShareArn, tags: tagList(tags) }),
        unset: ({ api }, resourceShareArn, tagKeys) => api.ram.untagResource({ resourceShareArn, tagKeys }),
    },
    find: {
        byMark: async (context) => {
            const { key, value } = context.mark;
            const marked = (await activeShares(context)).filter(({ tags }) => tags.some((tag) => tag.key === key && tag.value === value));
            return marked.map(({ resourceShareArn }) => resourceShareArn);
        },
    },
    create: async ({ api, tags }, { name = "", allowExternalPrincipals }) => {
        const created = await api.ram.createResourceShare({ name, allowExternalPrincipals, tags: tagList(tags) });
        return created.resourceShare.resourceShareArn;
    },
    read: async (context, arn) => {
        const [found] = await activeShares(context, [arn]);
        return (
            found && {
                arn,
                name: found.name,
                allowExternalPrincipals: found.allowExternalPrincipals,
                tags: Object.fromEntries(found.tags.map(({ key, value }) => [key, value])),
            }
        );
    },
    update: async ({ api }, resourceShareArn, { inputs: { name, allowExternalPrincipals } }) => {
        await api.ram.updateResourceShare({ resourceShareArn, name, allowExternalPrincipals });
    },
    delete: async ({ api }, resourceShareArn) => {
        await api.ram.deleteResourceShare({ resourceShareArn });
    },
};

async function isAssociated({ api }: Context, associationType: "RESOURCE" | "PRINCIPAL", share: string, entity: string): Promise<boolean> {
    const { resourceShareAssociations } = await api.ram.getResourceShareAssociations({ associationType, resourceShareArns: [share] });
    return resourceShareAssociations.some(({ associatedEntity }) => associatedEntity === entity);
}

export const resourceAssociation: ResourceDefinition<Plain<aws.ram.ResourceAssociationArgs>, Plain<aws.ram.ResourceAssociationState>> = {
    noun: "RAM Resource Association",
    forceNew: ["resourceArn", "resourceShareArn"],
    computed: [],
    // AssociateResourceShare is idempotent, so the create needs no search.
    create: async ({ api }, { resourceArn, resourceShareArn }) => {
        await api.ram.associateResourceShare({ resourceShareArn, resourceArns: [resourceArn] });
        return `${resourceShareArn},${resourceArn}`;
    },
    read: async (context, _id, { resourceArn = "", resourceShareArn = "" }) =>
        (await isAssociated(context, "RESOURCE", resourceShareArn, resourceArn)) ? { resourceArn, resourceShareArn } : undefined,
    delete: async ({ api }, _id, { resourceArn = "", resourceShareArn = "" }) => {
        await api.ram.disassociateResourceShare({ resourceShareArn, resourceArns: [resourceArn] });
    },
};

export const principalAssociation: ResourceDefinition<Plain<aws.ram.PrincipalAssociationArgs>, Plain<aws.ram.PrincipalAssociationState>> = {
    noun: "RAM Principal Association",
    forceNew: ["principal", "resourceShareArn"],
    computed: [],
    // AssociateResourceShare is idempotent, so the create needs no search.
    create: async ({ api }, { principal, resourceShareArn }) => {
        await api.ram.associateResourceShare({ resourceShareArn, principals: [principal] });
        return `${resourceShareArn},${principal}`;
    },
    read: async (context, _id, { principal = "", resourceShareArn = "" }) =>
        (await isAssociated(context, "PRINCIPAL", resourceShareArn, principal)) ? { principal, resourceShareArn } : undefined,
    delete: async ({ api }, _id, { principal = "", resourceShareArn = "" }) => {
        await api.ram.disassociateResourceShare({ resourceShareArn, principals: [principal] });
    },
};

import type * as aws from "@pulumi/aws";
import type { Context, Kind, Plain, Tags } from "./kind.ts";

/** The shares of one's own that are not deleted: RAM tells deleted ones too, for some time. */
async function activeShares({ api }: Context, arns?: string[]) {
    const { resourceShares } = await api.ram.getResourceShares({ resourceOwner: "SELF", ...(arns && { resourceShareArns: arns }) });
    return resourceShares.filter(({ status }) => status === "ACTIVE");
}

/** RAM alone writes the names of a tag's fields in lower case. */
const tagList = (tags: Tags) => Object.entries(tags).map(([key, value]) => ({ key, value }));

export const resourceShare: Kind<Plain<aws.ram.ResourceShareArgs>, Plain<aws.ram.ResourceShareState>> = {
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
        marked: async (context) => {
            const { key, value } = context.mark;
            const marked = (await activeShares(context)).filter(({ tags }) => tags.some((one) => one.key === key && one.value === value));
            return marked.map(({ resourceShareArn }) => resourceShareArn);
        },
    },
    make: async ({ api, tags }, { name = "", allowExternalPrincipals }) => {
        const made = await api.ram.createResourceShare({ name, allowExternalPrincipals, tags: tagList(tags) });
        return made.resourceShare.resourceShareArn;
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
    remove: async ({ api }, resourceShareArn) => {
        await api.ram.deleteResourceShare({ resourceShareArn });
    },
};

async function isAssociated({ api }: Context, associationType: "RESOURCE" | "PRINCIPAL", share: string, entity: string): Promise<boolean> {
    const { resourceShareAssociations } = await api.ram.getResourceShareAssociations({ associationType, resourceShareArns: [share] });
    return resourceShareAssociations.some(({ associatedEntity }) => associatedEntity === entity);
}

export const resourceAssociation: Kind<Plain<aws.ram.ResourceAssociationArgs>, Plain<aws.ram.ResourceAssociationState>> = {
    noun: "RAM Resource Association",
    forceNew: ["resourceArn", "resourceShareArn"],
    computed: [],
    // Associating twice is no error: nothing need be found.
    make: async ({ api }, { resourceArn, resourceShareArn }) => {
        await api.ram.associateResourceShare({ resourceShareArn, resourceArns: [resourceArn] });
        return `${resourceShareArn},${resourceArn}`;
    },
    read: async (context, _id, { resourceArn = "", resourceShareArn = "" }) =>
        (await isAssociated(context, "RESOURCE", resourceShareArn, resourceArn)) ? { resourceArn, resourceShareArn } : undefined,
    remove: async ({ api }, _id, { resourceArn = "", resourceShareArn = "" }) => {
        await api.ram.disassociateResourceShare({ resourceShareArn, resourceArns: [resourceArn] });
    },
};

export const principalAssociation: Kind<Plain<aws.ram.PrincipalAssociationArgs>, Plain<aws.ram.PrincipalAssociationState>> = {
    noun: "RAM Principal Association",
    forceNew: ["principal", "resourceShareArn"],
    computed: [],
    // Associating twice is no error: nothing need be found.
    make: async ({ api }, { principal, resourceShareArn }) => {
        await api.ram.associateResourceShare({ resourceShareArn, principals: [principal] });
        return `${resourceShareArn},${principal}`;
    },
    read: async (context, _id, { principal = "", resourceShareArn = "" }) =>
        (await isAssociated(context, "PRINCIPAL", resourceShareArn, principal)) ? { principal, resourceShareArn } : undefined,
    remove: async ({ api }, _id, { principal = "", resourceShareArn = "" }) => {
        await api.ram.disassociateResourceShare({ resourceShareArn, principals: [principal] });
    },
};

import { AwsError } from "./error.ts";
import type { Scope } from "./scope.ts";
import { Table } from "./table.ts";

interface ResourceShare {
    resourceShareArn: string;
    name: string;
    owningAccountId: string;
    allowExternalPrincipals: boolean;
    status: "ACTIVE" | "DELETED";
    tags: { key: string; value: string }[];
    creationTime: string;
    resourceArns: string[];
    /** Account IDs. Other principals are stored but have no effect. */
    principals: string[];
}
export const resourceShares = new Table<ResourceShare>("ram/resource-share", {
    shared: "world",
    gone: ({ status }) => status === "DELETED",
});

/**
 * Whether a resource is shared with the scope's account. No invitation is needed: the lab's accounts belong to one organization that has sharing
 * enabled.
 */
export function isSharedWith(scope: Scope, arn: string): boolean {
    return resourceShares
        .in(scope)
        .list()
        .some((share) => share.status === "ACTIVE" && share.resourceArns.includes(arn) && share.principals.includes(scope.account));
}

/** Simulated AWS RAM: resource shares with other accounts. Their only effect is that the accounts see shared transit gateways. */
export const ram = (scope: Scope) => {
    const rows = resourceShares.in(scope);
    const own = () =>
        rows.list().filter((share) => share.owningAccountId === scope.account && share.resourceShareArn.split(":")[3] === scope.region);
    const need = (arn: string) => {
        const share = own().find((candidate) => candidate.resourceShareArn === arn && candidate.status === "ACTIVE");
        if (!share) throw new AwsError("UnknownResourceException", `ResourceShare ${arn} could not be found.`);
        return share;
    };
    const show = ({ resourceArns: _, principals: __, ...fields }: Readonly<ResourceShare>) => fields;

    return {
        createResourceShare: (request: { name: string; allowExternalPrincipals?: boolean; tags?: { key: string; value: string }[] }) => {
            const hex = scope.hex(32);
            const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
            const resourceShareArn = scope.arn("ram", `resource-share/${id}`);
            const created = rows.put(resourceShareArn, {
                resourceShareArn,
                name: request.name,
                owningAccountId: scope.account,
                allowExternalPrincipals: request.allowExternalPrincipals ?? true,
                status: "ACTIVE",
                tags: request.tags ?? [],
                creationTime: scope.now.toISOString(),
                resourceArns: [],
                principals: [],
            });
            return { resourceShare: show(created) };
        },

        getResourceShares: (request: { resourceOwner: "SELF" | "OTHER-ACCOUNTS"; resourceShareArns?: string[]; name?: string }) => {
            const all =
                request.resourceOwner === "SELF" ? own() : rows.list().filter(({ principals }) => principals.includes(scope.account));
            const { resourceShareArns: arns, name } = request;
            return {
                resourceShares: all
                    .filter((share) => (!arns || arns.includes(share.resourceShareArn)) && (name === undefined || name === share.name))
                    .map(show),
            };
        },

        updateResourceShare: ({
            resourceShareArn,
            ...fields
        }: {
            resourceShareArn: string;
            name?: string;
            allowExternalPrincipals?: boolean;
        }) => {
            need(resourceShareArn);
            return { resourceShare: show(rows.update(resourceShareArn, fields)) };
        },

        tagResource: ({ resourceShareArn, tags }: { resourceShareArn: string; tags: { key: string; value: string }[] }) => {
            const kept = need(resourceShareArn).tags.filter(({ key }) => !tags.some((tag) => tag.key === key));
            rows.update(resourceShareArn, { tags: [...kept, ...tags] });
        },

        untagResource: ({ resourceShareArn, tagKeys }: { resourceShareArn: string; tagKeys: string[] }) => {
            rows.update(resourceShareArn, { tags: need(resourceShareArn).tags.filter(({ key }) => !tagKeys.includes(key)) });
        },

        associateResourceShare: ({
            resourceShareArn,
            resourceArns = [],
            principals = [],
        }: {
            resourceShareArn: string;
            resourceArns?: string[];
            principals?: string[];
        }) => {
            const share = need(resourceShareArn);
            rows.update(resourceShareArn, {
                resourceArns: [...new Set([...share.resourceArns, ...resourceArns])],
                principals: [...new Set([...share.principals, ...principals])],
            });
            return {
                resourceShareAssociations: [
                    ...resourceArns.map(association(resourceShareArn, "RESOURCE")),
                    ...principals.map(association(resourceShareArn, "PRINCIPAL")),
                ],
            };
        },

        getResourceShareAssociations: (request: {
            associationType: "RESOURCE" | "PRINCIPAL";
            resourceShareArns?: string[];
            resourceArn?: string;
            principal?: string;
        }) => {
            const { associationType, resourceShareArns: arns, resourceArn, principal } = request;
            const wanted = resourceArn ?? principal;
            const all = own()
                .filter((share) => share.status === "ACTIVE" && (!arns || arns.includes(share.resourceShareArn)))
                .flatMap(({ resourceShareArn, resourceArns, principals }) =>
                    (associationType === "RESOURCE" ? resourceArns : principals).map(association(resourceShareArn, associationType)),
                );
            return { resourceShareAssociations: all.filter(({ associatedEntity }) => wanted === undefined || associatedEntity === wanted) };
        },

        disassociateResourceShare: ({
            resourceShareArn,
            resourceArns = [],
            principals = [],
        }: {
            resourceShareArn: string;
            resourceArns?: string[];
            principals?: string[];
        }) => {
            const share = need(resourceShareArn);
            rows.update(resourceShareArn, {
                resourceArns: share.resourceArns.filter((arn) => !resourceArns.includes(arn)),
                principals: share.principals.filter((principal) => !principals.includes(principal)),
            });
        },

        deleteResourceShare: ({ resourceShareArn }: { resourceShareArn: string }) => {
            need(resourceShareArn);
            rows.update(resourceShareArn, { status: "DELETED" });
            scope.schedule(resourceShares, resourceShareArn, [{ after: 7_200_000, fixed: true, set: null }]);
            return { returnValue: true };
        },
    };
};

function association(resourceShareArn: string, associationType: "RESOURCE" | "PRINCIPAL") {
    return (associatedEntity: string) => ({ resourceShareArn, associatedEntity, associationType, status: "ASSOCIATED" });
}

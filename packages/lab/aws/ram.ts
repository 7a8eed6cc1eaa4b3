import { AwsError } from "./error.ts";
import type { Scope } from "./scope.ts";
import { Table } from "./table.ts";

export interface ResourceShare {
    resourceShareArn: string;
    name: string;
    owningAccountId: string;
    allowExternalPrincipals: boolean;
    status: "ACTIVE" | "DELETED";
    tags: { key: string; value: string }[];
    creationTime: string;
    resourceArns: string[];
    /** Account ids. Other principals can be kept, but nothing is seen through them. */
    principals: string[];
}
export const resourceShares = new Table<ResourceShare>("ram/resource-share", {
    shared: "world",
    gone: ({ status }) => status === "DELETED",
});

/** Whether someone shares a resource with the scope's account. Within an organisation that allows it no invitation is needed; the lab's accounts are in one. */
export function isSharedWith(scope: Scope, arn: string): boolean {
    return resourceShares
        .in(scope)
        .list()
        .some((one) => one.status === "ACTIVE" && one.resourceArns.includes(arn) && one.principals.includes(scope.account));
}

/** Simulated AWS RAM: shares of resources with other accounts. Only a Transit Gateway's visibility follows from them. */
export const ram = (scope: Scope) => {
    const rows = resourceShares.in(scope);
    const own = () =>
        rows.list().filter((one) => one.owningAccountId === scope.account && one.resourceShareArn.split(":")[3] === scope.region);
    const need = (arn: string) => {
        const share = own().find((one) => one.resourceShareArn === arn && one.status === "ACTIVE");
        if (!share) throw new AwsError("UnknownResourceException", `ResourceShare ${arn} could not be found.`);
        return share;
    };
    const shownShare = ({ resourceArns: _, principals: __, ...fields }: Readonly<ResourceShare>) => fields;

    return {
        createResourceShare: (request: { name: string; allowExternalPrincipals?: boolean; tags?: { key: string; value: string }[] }) => {
            const hex = scope.hex(32);
            const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
            const resourceShareArn = scope.arn("ram", `resource-share/${id}`);
            const made = rows.put(resourceShareArn, {
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
            return { resourceShare: shownShare(made) };
        },

        getResourceShares: (request: { resourceOwner: "SELF" | "OTHER-ACCOUNTS"; resourceShareArns?: string[]; name?: string }) => {
            const all =
                request.resourceOwner === "SELF" ? own() : rows.list().filter(({ principals }) => principals.includes(scope.account));
            const { resourceShareArns: arns, name } = request;
            return {
                resourceShares: all
                    .filter((one) => (!arns || arns.includes(one.resourceShareArn)) && (name === undefined || name === one.name))
                    .map(shownShare),
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
            return { resourceShare: shownShare(rows.update(resourceShareArn, fields)) };
        },

        tagResource: ({ resourceShareArn, tags }: { resourceShareArn: string; tags: { key: string; value: string }[] }) => {
            const kept = need(resourceShareArn).tags.filter(({ key }) => !tags.some((one) => one.key === key));
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
            const associated = (associationType: string) => (associatedEntity: string) => ({
                resourceShareArn,
                associatedEntity,
                associationType,
                status: "ASSOCIATED",
            });
            return { resourceShareAssociations: [...resourceArns.map(associated("RESOURCE")), ...principals.map(associated("PRINCIPAL"))] };
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
                .filter((one) => one.status === "ACTIVE" && (!arns || arns.includes(one.resourceShareArn)))
                .flatMap(({ resourceShareArn, resourceArns, principals }) =>
                    (associationType === "RESOURCE" ? resourceArns : principals).map((associatedEntity) => ({
                        resourceShareArn,
                        associatedEntity,
                        associationType,
                        status: "ASSOCIATED",
                    })),
                );
            return { resourceShareAssociations: all.filter((one) => wanted === undefined || one.associatedEntity === wanted) };
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
                resourceArns: share.resourceArns.filter((one) => !resourceArns.includes(one)),
                principals: share.principals.filter((one) => !principals.includes(one)),
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

import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";

export interface Role {
    RoleName: string;
    RoleId: string;
    Arn: string;
    Path: string;
    CreateDate: string;
    Description: string;
    MaxSessionDuration: number;
    Tags: Tag[];
    trust: string;
    /** Inline policies by name. */
    inline: Record<string, string>;
    /** ARNs of the attached policies. */
    attached: string[];
}
export const roles = new Table<Role>("iam/role", { shared: "account" });

/** A customer managed policy. */
interface Policy {
    Arn: string;
    PolicyName: string;
    PolicyId: string;
    Path: string;
    CreateDate: string;
    document: string;
    Tags: Tag[];
}
export const policies = new Table<Policy>("iam/policy", { shared: "account" });

/** The role with that ARN in the scope's account, in any path. */
export function roleByArn(scope: Scope, arn: string): Readonly<Role> | undefined {
    return roles
        .in(scope)
        .list()
        .find((role) => role.Arn === arn);
}

/** An IAM ARN, which has no region. */
export function globalArn(scope: Scope, resource: string): string {
    return `arn:${scope.partition}:iam::${scope.account}:${resource}`;
}

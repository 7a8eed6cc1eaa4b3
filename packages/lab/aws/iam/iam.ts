import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import { withTags } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { Table } from "../table.ts";
import { identityProviderActions } from "./oidc-providers.ts";
import { parseIdentityPolicy, parseTrustPolicy } from "./policy-document.ts";

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
    /** ARNs. */
    attached: string[];
}
export const roles = new Table<Role>("iam/role", { shared: "account" });

/** A customer's own managed policy. */
export interface Policy {
    Arn: string;
    PolicyName: string;
    PolicyId: string;
    Path: string;
    CreateDate: string;
    document: string;
    Tags: Tag[];
}
export const policies = new Table<Policy>("iam/policy", { shared: "account" });

export const ROLES_PER_ACCOUNT: Quota = { code: "L-FE177D64", default: 1000 };
export const POLICIES_PER_ROLE: Quota = { code: "L-0DA4ABF3", default: 10 };

/** AWS's own policies that exist here, by what their ARNs end with. */
const MANAGED = new Set(
    [
        ["AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "CloudWatchAgentServerPolicy", "AmazonSSMManagedInstanceCore"],
        ["AmazonEKSClusterPolicy", "AmazonEKSServicePolicy", "AmazonEKSVPCResourceController", "AmazonEKSFargatePodExecutionRolePolicy"],
        ["AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"],
        ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "service-role/AmazonEBSCSIDriverPolicy"],
        ["AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryPowerUser"],
    ].flat(),
);

/** Roles and their policies, of a whole account. Nothing here decides what a caller may do: that is not kept. */
export const iam = (scope: Scope) => {
    const rows = roles.in(scope);
    const need = (name: string) => rows.need(name, () => noSuch(`The role with name ${name} cannot be found.`));
    const attachable = (arn: string) => isManaged(scope, arn) || policies.in(scope).get(arn) !== undefined;

    return {
        ...identityProviderActions(scope),

        createRole: (request: {
            RoleName: string;
            AssumeRolePolicyDocument: string;
            Path?: string;
            Description?: string;
            MaxSessionDuration?: number;
            Tags?: Tag[];
        }) => {
            const { RoleName, AssumeRolePolicyDocument: trust, Path = "/", Description = "", MaxSessionDuration = 3600 } = request;
            if (!/^[\w+=,.@-]{1,64}$/.test(RoleName))
                throw invalid("The specified value for roleName is invalid. It must contain only alphanumeric characters and/or +=,.@_-");
            if (MaxSessionDuration < 3600 || MaxSessionDuration > 43200)
                throw invalid(`Invalid MaxSessionDuration ${MaxSessionDuration}: it must be between 3600 and 43200`);
            parseTrustPolicy(trust);
            // Names that differ only in case are the same to IAM.
            if (rows.list().some((one) => one.RoleName.toLowerCase() === RoleName.toLowerCase()))
                throw exists(`Role with name ${RoleName} already exists.`);
            if (rows.list().length >= scope.quota(ROLES_PER_ACCOUNT))
                throw limit(`Cannot exceed quota for RolesPerAccount: ${scope.quota(ROLES_PER_ACCOUNT)}`);
            const role = rows.put(RoleName, {
                RoleName,
                RoleId: `AROA${scope.hex(17).toUpperCase()}`,
                Arn: globalArn(scope, `role${Path}${RoleName}`),
                Path,
                CreateDate: scope.now.toISOString(),
                Description,
                MaxSessionDuration,
                Tags: request.Tags ?? [],
                trust,
                inline: {},
                attached: [],
            });
            return { Role: show(role) };
        },

        getRole: ({ RoleName }: { RoleName: string }) => ({ Role: show(need(RoleName)) }),
        listRoles: ({ PathPrefix = "/" }: { PathPrefix?: string } = {}) => ({
            Roles: rows
                .list()
                .filter(({ Path }) => Path.startsWith(PathPrefix))
                .map(show),
        }),

        updateRole: (request: { RoleName: string; Description?: string; MaxSessionDuration?: number }) => {
            const { Description, MaxSessionDuration } = need(request.RoleName);
            rows.update(request.RoleName, {
                Description: request.Description ?? Description,
                MaxSessionDuration: request.MaxSessionDuration ?? MaxSessionDuration,
            });
        },

        updateAssumeRolePolicy: ({ RoleName, PolicyDocument }: { RoleName: string; PolicyDocument: string }) => {
            need(RoleName);
            parseTrustPolicy(PolicyDocument);
            rows.update(RoleName, { trust: PolicyDocument });
        },

        deleteRole: ({ RoleName }: { RoleName: string }) => {
            const { attached, inline } = need(RoleName);
            if (attached.length > 0) throw conflict("Cannot delete entity, must detach all policies first.");
            if (Object.keys(inline).length > 0) throw conflict("Cannot delete entity, must delete policies first.");
            rows.delete(RoleName);
        },

        tagRole: ({ RoleName, Tags }: { RoleName: string; Tags: Tag[] }) => {
            rows.update(RoleName, { Tags: withTags(need(RoleName).Tags, Tags) });
        },
        untagRole: ({ RoleName, TagKeys }: { RoleName: string; TagKeys: string[] }) => {
            rows.update(RoleName, { Tags: need(RoleName).Tags.filter(({ Key }) => !TagKeys.includes(Key)) });
        },
        listRoleTags: ({ RoleName }: { RoleName: string }) => ({ Tags: need(RoleName).Tags }),

        putRolePolicy: ({ RoleName, PolicyName, PolicyDocument }: { RoleName: string; PolicyName: string; PolicyDocument: string }) => {
            const { inline } = need(RoleName);
            parseIdentityPolicy(PolicyDocument);
            const all = { ...inline, [PolicyName]: PolicyDocument };
            // IAM counts all inline policies of a role together, without white space.
            if (Object.values(all).join("").replace(/\s/g, "").length > 10_240)
                throw limit(`Maximum policy size of 10240 bytes exceeded for role ${RoleName}`);
            rows.update(RoleName, { inline: all });
        },
        getRolePolicy: ({ RoleName, PolicyName }: { RoleName: string; PolicyName: string }) => ({
            RoleName,
            PolicyName,
            PolicyDocument: encodeURIComponent(needInline(need(RoleName), PolicyName)),
        }),
        listRolePolicies: ({ RoleName }: { RoleName: string }) => ({ PolicyNames: Object.keys(need(RoleName).inline) }),
        deleteRolePolicy: ({ RoleName, PolicyName }: { RoleName: string; PolicyName: string }) => {
            const role = need(RoleName);
            needInline(role, PolicyName);
            rows.update(RoleName, { inline: Object.fromEntries(Object.entries(role.inline).filter(([name]) => name !== PolicyName)) });
        },

        /** Attaching twice is no error. */
        attachRolePolicy: ({ RoleName, PolicyArn }: { RoleName: string; PolicyArn: string }) => {
            const { attached } = need(RoleName);
            if (!PolicyArn.startsWith("arn:")) throw invalid(`ARN ${PolicyArn} is not valid.`);
            if (!attachable(PolicyArn)) throw noSuch(`Policy ${PolicyArn} does not exist or is not attachable.`);
            if (attached.includes(PolicyArn)) return;
            if (attached.length >= scope.quota(POLICIES_PER_ROLE))
                throw limit(`Cannot exceed quota for PoliciesPerRole: ${scope.quota(POLICIES_PER_ROLE)}`);
            rows.update(RoleName, { attached: [...attached, PolicyArn] });
        },
        detachRolePolicy: ({ RoleName, PolicyArn }: { RoleName: string; PolicyArn: string }) => {
            const { attached } = need(RoleName);
            if (!attached.includes(PolicyArn)) throw noSuch(`Policy ${PolicyArn} was not found.`);
            rows.update(RoleName, { attached: attached.filter((one) => one !== PolicyArn) });
        },
        listAttachedRolePolicies: ({ RoleName }: { RoleName: string }) => ({
            AttachedPolicies: need(RoleName).attached.map((PolicyArn) => ({ PolicyName: PolicyArn.split("/").at(-1) ?? "", PolicyArn })),
        }),

        createPolicy: (request: { PolicyName: string; PolicyDocument: string; Path?: string; Tags?: Tag[] }) => {
            const { PolicyName, PolicyDocument, Path = "/", Tags = [] } = request;
            parseIdentityPolicy(PolicyDocument);
            const Arn = globalArn(scope, `policy${Path}${PolicyName}`);
            if (policies.in(scope).get(Arn)) throw exists(`A policy called ${PolicyName} already exists. Duplicate names are not allowed.`);
            const PolicyId = `ANPA${scope.hex(17).toUpperCase()}`;
            const CreateDate = scope.now.toISOString();
            const { document: _, ...Policy } = policies
                .in(scope)
                .put(Arn, { Arn, PolicyName, PolicyId, Path, CreateDate, document: PolicyDocument, Tags });
            return { Policy };
        },
        deletePolicy: ({ PolicyArn }: { PolicyArn: string }) => {
            policies.in(scope).need(PolicyArn, () => noSuch(`Policy ${PolicyArn} was not found.`));
            if (rows.list().some(({ attached }) => attached.includes(PolicyArn)))
                throw conflict("Cannot delete a policy attached to entities.");
            policies.in(scope).delete(PolicyArn);
        },
    };
};

/** The role with that ARN in the scope's account, whatever its path. */
export function roleByArn(scope: Scope, arn: string): Readonly<Role> | undefined {
    return roles
        .in(scope)
        .list()
        .find((role) => role.Arn === arn);
}

/** An ARN of IAM, which has no regions. */
export function globalArn(scope: Scope, resource: string): string {
    return `arn:${scope.partition}:iam::${scope.account}:${resource}`;
}

function isManaged(scope: Scope, arn: string): boolean {
    const start = `arn:${scope.partition}:iam::aws:policy/`;
    return arn.startsWith(start) && MANAGED.has(arn.slice(start.length));
}

function show({ trust, inline: _, attached: __, ...role }: Readonly<Role>) {
    return { ...role, AssumeRolePolicyDocument: encodeURIComponent(trust) };
}

function needInline(role: Readonly<Role>, name: string): string {
    const document = Object.hasOwn(role.inline, name) ? role.inline[name] : undefined;
    if (document === undefined) throw noSuch(`The role policy with name ${name} cannot be found.`);
    return document;
}

function noSuch(message: string): AwsError {
    return new AwsError("NoSuchEntity", message, 404);
}

function exists(message: string): AwsError {
    return new AwsError("EntityAlreadyExists", message, 409);
}

function conflict(message: string): AwsError {
    return new AwsError("DeleteConflict", message, 409);
}

function limit(message: string): AwsError {
    return new AwsError("LimitExceeded", message, 409);
}

function invalid(message: string): AwsError {
    return new AwsError("ValidationError", message);
}

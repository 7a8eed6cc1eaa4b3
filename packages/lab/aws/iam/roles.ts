import { type Tag, withTags } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { alreadyExists, deleteConflict, invalid, limitExceeded, noSuchEntity } from "./errors.ts";
import { policyExists } from "./policies.ts";
import { parseIdentityPolicy, parseTrustPolicy } from "./policy-document.ts";
import { globalArn, type Role, roles } from "./tables.ts";

export const ROLES_PER_ACCOUNT: Quota = { code: "L-FE177D64", default: 1000 };
export const POLICIES_PER_ROLE: Quota = { code: "L-0DA4ABF3", default: 10 };

/** The actions on roles. Roles belong to the account, not to a region. They do not restrict callers: permissions are not simulated. */
export const roleActions = (scope: Scope) => {
    const rows = roles.in(scope);
    const need = (name: string) => rows.need(name, () => noSuchEntity(`The role with name ${name} cannot be found.`));

    return {
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
            // IAM role names are unique regardless of case.
            if (rows.list().some((other) => other.RoleName.toLowerCase() === RoleName.toLowerCase()))
                throw alreadyExists(`Role with name ${RoleName} already exists.`);
            if (rows.list().length >= scope.quota(ROLES_PER_ACCOUNT))
                throw limitExceeded(`Cannot exceed quota for RolesPerAccount: ${scope.quota(ROLES_PER_ACCOUNT)}`);
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
            if (attached.length > 0) throw deleteConflict("Cannot delete entity, must detach all policies first.");
            if (Object.keys(inline).length > 0) throw deleteConflict("Cannot delete entity, must delete policies first.");
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
            // IAM counts the total size of a role's inline policies, without white space.
            if (Object.values(all).join("").replace(/\s/g, "").length > 10_240)
                throw limitExceeded(`Maximum policy size of 10240 bytes exceeded for role ${RoleName}`);
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

        /** Idempotent: attaching a policy again is not an error. */
        attachRolePolicy: ({ RoleName, PolicyArn }: { RoleName: string; PolicyArn: string }) => {
            const { attached } = need(RoleName);
            if (!PolicyArn.startsWith("arn:")) throw invalid(`ARN ${PolicyArn} is not valid.`);
            if (!policyExists(scope, PolicyArn)) throw noSuchEntity(`Policy ${PolicyArn} does not exist or is not attachable.`);
            if (attached.includes(PolicyArn)) return;
            if (attached.length >= scope.quota(POLICIES_PER_ROLE))
                throw limitExceeded(`Cannot exceed quota for PoliciesPerRole: ${scope.quota(POLICIES_PER_ROLE)}`);
            rows.update(RoleName, { attached: [...attached, PolicyArn] });
        },
        detachRolePolicy: ({ RoleName, PolicyArn }: { RoleName: string; PolicyArn: string }) => {
            const { attached } = need(RoleName);
            if (!attached.includes(PolicyArn)) throw noSuchEntity(`Policy ${PolicyArn} was not found.`);
            rows.update(RoleName, { attached: attached.filter((arn) => arn !== PolicyArn) });
        },
        listAttachedRolePolicies: ({ RoleName }: { RoleName: string }) => ({
            AttachedPolicies: need(RoleName).attached.map((PolicyArn) => ({ PolicyName: PolicyArn.split("/").at(-1) ?? "", PolicyArn })),
        }),
    };
};

function show({ trust, inline: _, attached: __, ...role }: Readonly<Role>) {
    return { ...role, AssumeRolePolicyDocument: encodeURIComponent(trust) };
}

function needInline(role: Readonly<Role>, name: string): string {
    const document = Object.hasOwn(role.inline, name) ? role.inline[name] : undefined;
    if (document === undefined) throw noSuchEntity(`The role policy with name ${name} cannot be found.`);
    return document;
}

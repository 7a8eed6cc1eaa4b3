import { AwsError } from "../error.ts";
import { roleByArn } from "../iam/tables.ts";
import type { Scope } from "../scope.ts";
import {
    type AccessEntry,
    type AccessPolicy,
    accessEntries,
    inUse,
    invalid,
    needActive,
    needCluster,
    notFound,
    shown,
    type Tags,
} from "./tables.ts";

export const CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy";
const POLICIES = [CLUSTER_ADMIN, "AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy"];
const TYPES = ["STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2"];

interface EntryRef {
    clusterName: string;
    principalArn: string;
}

/** Creates an access entry, for callers and for EKS itself. */
export function putEntry(
    scope: Scope,
    request: EntryRef & { type?: string; kubernetesGroups?: string[]; username?: string; tags?: Tags },
    policies: string[] = [],
): Readonly<AccessEntry> {
    const { clusterName, principalArn, type = "STANDARD", kubernetesGroups = [], tags = {} } = request;
    const [, , , , account, resource = ""] = principalArn.split(":");
    const at = scope.now.toISOString();
    return accessEntries.in(scope).put(`${clusterName}/${principalArn}`, {
        clusterName,
        principalArn,
        accessEntryArn: scope.arn(
            "eks",
            `access-entry/${clusterName}/${resource.split("/")[0]}/${account}/${resource.split("/").at(-1)}/${scope.hex(32)}`,
        ),
        kubernetesGroups,
        username: request.username ?? (type === "STANDARD" ? principalArn : "system:node:{{EC2PrivateDNSName}}"),
        type,
        createdAt: at,
        modifiedAt: at,
        tags,
        own: {
            policies: policies.map((name) => ({
                policyArn: `arn:${scope.partition}:eks::aws:cluster-access-policy/${name}`,
                accessScope: { type: "cluster", namespaces: [] },
                associatedAt: at,
                modifiedAt: at,
            })),
        },
    });
}

/** The actions on access entries and their policies. */
export const accessActions = (scope: Scope) => {
    const rows = accessEntries.in(scope);
    const refuseConfigMapOnly = (name: string) => {
        if (needCluster(scope, name).accessConfig.authenticationMode === "CONFIG_MAP")
            throw new AwsError(
                "InvalidRequestException",
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
            );
    };
    const need = ({ clusterName, principalArn }: EntryRef) => {
        refuseConfigMapOnly(clusterName);
        const missing = () =>
            notFound(
                "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
            );
        return rows.need(`${clusterName}/${principalArn}`, missing);
    };
    const change = (entry: Readonly<AccessEntry>, fields: Partial<AccessEntry>) =>
        rows.update(`${entry.clusterName}/${entry.principalArn}`, { ...fields, modifiedAt: scope.now.toISOString() });

    return {
        createAccessEntry: (request: Parameters<typeof putEntry>[1]) => {
            const { clusterName, principalArn, type = "STANDARD", kubernetesGroups = [] } = request;
            needActive(scope, clusterName);
            refuseConfigMapOnly(clusterName);
            if (!isValidPrincipal(scope, principalArn)) throw invalid("The specified principalArn is invalid: invalid principal.");
            if (!TYPES.includes(type)) throw invalid(`The specified type '${type}' is invalid; it must be one of [${TYPES.join(", ")}]`);
            checkGroupNames(kubernetesGroups);
            if (type !== "STANDARD" && kubernetesGroups.length > 0)
                throw invalid(`Kubernetes groups cannot be set for an access entry of type ${type}`);
            if (rows.get(`${clusterName}/${principalArn}`))
                throw inUse("The specified access entry resource is already in use on this cluster.");
            return { accessEntry: shown(putEntry(scope, request)) };
        },
        describeAccessEntry: (request: EntryRef) => ({ accessEntry: shown(need(request)) }),
        listAccessEntries: ({ clusterName }: { clusterName: string }) => {
            refuseConfigMapOnly(clusterName);
            const all = rows.list().filter((entry) => entry.clusterName === clusterName);
            return { accessEntries: all.map(({ principalArn }) => principalArn) };
        },
        updateAccessEntry: ({ kubernetesGroups, username, ...ref }: EntryRef & { kubernetesGroups?: string[]; username?: string }) => {
            const entry = need(ref);
            checkGroupNames(kubernetesGroups ?? []);
            return { accessEntry: shown(change(entry, { ...(kubernetesGroups && { kubernetesGroups }), ...(username && { username }) })) };
        },
        deleteAccessEntry: (request: EntryRef) => {
            need(request);
            rows.delete(`${request.clusterName}/${request.principalArn}`);
        },

        /** Associating a policy again changes its access scope. */
        associateAccessPolicy: ({
            policyArn,
            accessScope,
            ...ref
        }: EntryRef & { policyArn: string; accessScope: { type: "cluster" | "namespace"; namespaces?: string[] } }) => {
            const entry = need(ref);
            const name = policyArn.replace(`arn:${scope.partition}:eks::aws:cluster-access-policy/`, "");
            if (!POLICIES.includes(name)) throw invalid(`The policyArn parameter format is not valid: ${policyArn}`);
            if (entry.type !== "STANDARD") throw invalid(`Access policies cannot be associated with an access entry of type ${entry.type}`);
            const namespaces = accessScope.namespaces ?? [];
            if ((accessScope.type === "namespace") !== namespaces.length > 0)
                throw invalid("An access scope of type namespace must have namespaces, and one of type cluster must have none");
            const at = scope.now.toISOString();
            const before = entry.own.policies.find((associated) => associated.policyArn === policyArn);
            const policy: AccessPolicy = {
                policyArn,
                accessScope: { type: accessScope.type, namespaces },
                associatedAt: before?.associatedAt ?? at,
                modifiedAt: at,
            };
            change(entry, { own: { policies: [...entry.own.policies.filter((associated) => associated !== before), policy] } });
            return { clusterName: ref.clusterName, principalArn: ref.principalArn, associatedAccessPolicy: policy };
        },
        listAssociatedAccessPolicies: (request: EntryRef) => ({
            clusterName: request.clusterName,
            principalArn: request.principalArn,
            associatedAccessPolicies: need(request).own.policies,
        }),
        disassociateAccessPolicy: ({ policyArn, ...ref }: EntryRef & { policyArn: string }) => {
            const entry = need(ref);
            const left = entry.own.policies.filter((associated) => associated.policyArn !== policyArn);
            if (left.length === entry.own.policies.length)
                throw notFound(`The specified policyArn ${policyArn} is not associated with the access entry.`);
            change(entry, { own: { policies: left } });
        },
    };
};

/** Whether a principal is valid. Roles of the cluster's own account must exist; users and other accounts are not checked. */
function isValidPrincipal(scope: Scope, arn: string): boolean {
    const [, account, kind] = /^arn:aws[a-z-]*:iam::(\d{12}):(role|user)\/.+$/.exec(arn) ?? [];
    if (account === undefined) return false;
    return kind === "user" || account !== scope.account || roleByArn(scope, arn) !== undefined;
}

function checkGroupNames(names: readonly string[]): void {
    const bad = names.find((name) => name.startsWith("system:"));
    if (bad !== undefined) throw invalid(`The kubernetes group name ${bad} is invalid, it cannot start with system:`);
}

import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { alreadyExists, deleteConflict, noSuchEntity } from "./errors.ts";
import { parseIdentityPolicy } from "./policy-document.ts";
import { globalArn, policies, roles } from "./tables.ts";

/** The AWS managed policies that exist in the simulation, by the end of their ARNs. */
const AWS_MANAGED = new Set(
    [
        ["AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "CloudWatchAgentServerPolicy", "AmazonSSMManagedInstanceCore"],
        ["AmazonEKSClusterPolicy", "AmazonEKSServicePolicy", "AmazonEKSVPCResourceController", "AmazonEKSFargatePodExecutionRolePolicy"],
        ["AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"],
        ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "service-role/AmazonEBSCSIDriverPolicy"],
        ["AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryPowerUser"],
    ].flat(),
);

/** Whether a policy with that ARN exists, managed by AWS or by the customer. */
export function policyExists(scope: Scope, arn: string): boolean {
    return isAwsManaged(scope, arn) || policies.in(scope).get(arn) !== undefined;
}

function isAwsManaged(scope: Scope, arn: string): boolean {
    const start = `arn:${scope.partition}:iam::aws:policy/`;
    return arn.startsWith(start) && AWS_MANAGED.has(arn.slice(start.length));
}

/** The actions on customer managed policies. */
export const policyActions = (scope: Scope) => ({
    createPolicy: (request: { PolicyName: string; PolicyDocument: string; Path?: string; Tags?: Tag[] }) => {
        const { PolicyName, PolicyDocument, Path = "/", Tags = [] } = request;
        parseIdentityPolicy(PolicyDocument);
        const Arn = globalArn(scope, `policy${Path}${PolicyName}`);
        if (policies.in(scope).get(Arn))
            throw alreadyExists(`A policy called ${PolicyName} already exists. Duplicate names are not allowed.`);
        const PolicyId = `ANPA${scope.hex(17).toUpperCase()}`;
        const CreateDate = scope.now.toISOString();
        const { document: _, ...Policy } = policies
            .in(scope)
            .put(Arn, { Arn, PolicyName, PolicyId, Path, CreateDate, document: PolicyDocument, Tags });
        return { Policy };
    },
    deletePolicy: ({ PolicyArn }: { PolicyArn: string }) => {
        policies.in(scope).need(PolicyArn, () => noSuchEntity(`Policy ${PolicyArn} was not found.`));
        if (
            roles
                .in(scope)
                .list()
                .some(({ attached }) => attached.includes(PolicyArn))
        )
            throw deleteConflict("Cannot delete a policy attached to entities.");
        policies.in(scope).delete(PolicyArn);
    },
});

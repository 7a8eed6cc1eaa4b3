import { roleByArn } from "../iam/tables.ts";
import type { Scope } from "../scope.ts";
import { inUse, invalid, needActive, needCluster, notFound, podIdentities, type Tags } from "./tables.ts";

/** The actions on pod identity associations. */
export const podIdentityActions = (scope: Scope) => {
    const rows = podIdentities.in(scope);
    const need = (clusterName: string, associationId: string) => {
        needCluster(scope, clusterName);
        return rows.need(`${clusterName}/${associationId}`, () => notFound(`Association ${associationId} could not be found.`));
    };
    const checkRole = (arn: string) => {
        if (!roleByArn(scope, arn)) throw invalid(`Role provided in the request does not exist: ${arn}`);
    };

    return {
        createPodIdentityAssociation: (request: {
            clusterName: string;
            namespace: string;
            serviceAccount: string;
            roleArn: string;
            tags?: Tags;
        }) => {
            const { clusterName, namespace, serviceAccount, roleArn, tags = {} } = request;
            needActive(scope, clusterName);
            checkRole(roleArn);
            const same = rows
                .list()
                .find(
                    (association) =>
                        association.clusterName === clusterName &&
                        association.namespace === namespace &&
                        association.serviceAccount === serviceAccount,
                );
            if (same) throw inUse(`Association already exists: ${same.associationId}`);
            const associationId = `a-${scope.hex(17)}`;
            const associationArn = scope.arn("eks", `podidentityassociation/${clusterName}/${associationId}`);
            const now = scope.now.toISOString();
            const row = {
                clusterName,
                associationId,
                associationArn,
                namespace,
                serviceAccount,
                roleArn,
                createdAt: now,
                modifiedAt: now,
                tags,
            };
            return { association: rows.put(`${clusterName}/${associationId}`, row) };
        },
        describePodIdentityAssociation: ({ clusterName, associationId }: { clusterName: string; associationId: string }) => ({
            association: need(clusterName, associationId),
        }),
        listPodIdentityAssociations: ({
            clusterName,
            namespace,
            serviceAccount,
        }: {
            clusterName: string;
            namespace?: string;
            serviceAccount?: string;
        }) => {
            needCluster(scope, clusterName);
            const matches = (association: { clusterName: string; namespace: string; serviceAccount: string }) =>
                association.clusterName === clusterName &&
                (namespace === undefined || association.namespace === namespace) &&
                (serviceAccount === undefined || association.serviceAccount === serviceAccount);
            return { associations: rows.list().filter(matches) };
        },
        updatePodIdentityAssociation: ({
            clusterName,
            associationId,
            roleArn,
        }: {
            clusterName: string;
            associationId: string;
            roleArn: string;
        }) => {
            need(clusterName, associationId);
            checkRole(roleArn);
            return { association: rows.update(`${clusterName}/${associationId}`, { roleArn, modifiedAt: scope.now.toISOString() }) };
        },
        deletePodIdentityAssociation: ({ clusterName, associationId }: { clusterName: string; associationId: string }) => {
            const association = need(clusterName, associationId);
            rows.delete(`${clusterName}/${associationId}`);
            return { association };
        },
    };
};

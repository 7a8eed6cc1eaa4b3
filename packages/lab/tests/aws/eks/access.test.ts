import { beforeEach, describe, expect, test } from "vitest";
import { keptRules, refused } from "../kept-rules.ts";
import { createSite, type Site } from "../site.ts";

let s: Site;
beforeEach(async () => {
    s = await createSite();
});
const clusterRef = { clusterName: "one" };
const invalid = "InvalidParameterException";

describe("EKS access", () => {
    const rule = keptRules("EKS access");
    const ref = () => ({ ...clusterRef, principalArn: s.nodeRole });
    const policyArn = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";

    rule("creates and deletes an access entry", async () => {
        await s.active();
        const { accessEntry } = await s.eks.createAccessEntry({ ...ref(), kubernetesGroups: ["viewers"] });
        expect(accessEntry).toMatchObject({ type: "STANDARD", username: s.nodeRole, kubernetesGroups: ["viewers"] });
        expect((await s.eks.describeAccessEntry(ref())).accessEntry).toEqual(accessEntry);
        await s.eks.deleteAccessEntry(ref());
        await refused(s.eks.describeAccessEntry(ref()), "ResourceNotFoundException");
    });

    test("creates the entries of the cluster's creator and of the nodes", async () => {
        await s.active();
        await s.nodegroup();
        const root = "arn:aws:iam::111111111111:root";
        expect((await s.eks.listAccessEntries(clusterRef)).accessEntries).toEqual([root, s.nodeRole]);
        const { associatedAccessPolicies } = await s.eks.listAssociatedAccessPolicies({ ...clusterRef, principalArn: root });
        expect(associatedAccessPolicies).toMatchObject([{ policyArn }]);
        expect((await s.eks.describeAccessEntry(ref())).accessEntry.type).toBe("EC2_LINUX");
    });

    rule("refuses a duplicate access entry", async () => {
        await s.active();
        await s.eks.createAccessEntry(ref());
        await refused(
            s.eks.createAccessEntry(ref()),
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
        );
    });

    test("refuses an unknown principal and system: groups", async () => {
        await s.active();
        for (const principalArn of ["arn:aws:iam::111111111111:role/nobody", "nobody"])
            await refused(
                s.eks.createAccessEntry({ ...clusterRef, principalArn }),
                invalid,
                "The specified principalArn is invalid: invalid principal.",
            );
        await refused(
            s.eks.createAccessEntry({ ...ref(), kubernetesGroups: ["system:masters"] }),
            invalid,
            "The kubernetes group name system:masters is invalid, it cannot start with system:",
        );
    });

    test("refuses groups and policies for entries of nodes, and an unknown type", async () => {
        await s.active();
        const type = "EC2_LINUX";
        await refused(s.eks.createAccessEntry({ ...ref(), type, kubernetesGroups: ["viewers"] }), invalid);
        await refused(s.eks.createAccessEntry({ ...ref(), type: "LINUX" }), invalid);
        await s.eks.createAccessEntry({ ...ref(), type });
        await refused(s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } }), invalid);
    });

    test("refuses access entries in mode CONFIG_MAP", async () => {
        await s.active({ accessConfig: { authenticationMode: "CONFIG_MAP" } });
        await refused(s.eks.createAccessEntry(ref()), "InvalidRequestException");
        await refused(s.eks.listAccessEntries(clusterRef), "InvalidRequestException");
    });

    rule("associates an access policy", async () => {
        await s.active();
        await s.eks.createAccessEntry(ref());
        const { associatedAccessPolicy } = await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } });
        expect(associatedAccessPolicy).toMatchObject({ policyArn, accessScope: { type: "cluster", namespaces: [] } });
        const wrong = { ...ref(), policyArn: `${policyArn}s`, accessScope: { type: "cluster" as const } };
        await refused(s.eks.associateAccessPolicy(wrong), invalid);
        await refused(s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "namespace" } }), invalid);
    });

    rule("lists the associated policies", async () => {
        await s.active();
        await s.eks.createAccessEntry(ref());
        await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "cluster" } });
        await s.eks.associateAccessPolicy({ ...ref(), policyArn, accessScope: { type: "namespace", namespaces: ["a"] } });
        expect((await s.eks.listAssociatedAccessPolicies(ref())).associatedAccessPolicies).toMatchObject([
            { policyArn, accessScope: { type: "namespace", namespaces: ["a"] } },
        ]);
        await s.eks.disassociateAccessPolicy({ ...ref(), policyArn });
        expect((await s.eks.listAssociatedAccessPolicies(ref())).associatedAccessPolicies).toEqual([]);
        await refused(s.eks.disassociateAccessPolicy({ ...ref(), policyArn }), "ResourceNotFoundException");
    });

    const pod = () => ({ ...clusterRef, namespace: "kube-system", serviceAccount: "ebs", roleArn: s.nodeRole });

    rule("creates a pod identity association", async () => {
        await s.active();
        const { association } = await s.eks.createPodIdentityAssociation(pod());
        expect(association).toMatchObject(pod());
        expect(association.associationId).toMatch(/^a-/);
        await refused(s.eks.createPodIdentityAssociation({ ...pod(), serviceAccount: "x", roleArn: `${s.nodeRole}x` }), invalid);
    });

    rule("refuses a duplicate pod identity association", async () => {
        await s.active();
        const { association } = await s.eks.createPodIdentityAssociation(pod());
        await refused(
            s.eks.createPodIdentityAssociation(pod()),
            "ResourceInUseException",
            `Association already exists: ${association.associationId}`,
        );
    });

    rule("describes and deletes a pod identity association", async () => {
        await s.active();
        const { association } = await s.eks.createPodIdentityAssociation(pod());
        const { associationId } = association;
        expect((await s.eks.describePodIdentityAssociation({ ...clusterRef, associationId })).association).toEqual(association);
        expect((await s.eks.listPodIdentityAssociations({ ...clusterRef, namespace: "other" })).associations).toEqual([]);
        await s.eks.deletePodIdentityAssociation({ ...clusterRef, associationId });
        await refused(s.eks.describePodIdentityAssociation({ ...clusterRef, associationId }), "ResourceNotFoundException");
    });
});

import { describe, expect, test } from "vitest";
import { iam } from "../../../aws/iam/iam.ts";
import { POLICIES_PER_ROLE, ROLES_PER_ACCOUNT } from "../../../aws/iam/roles.ts";
import { Simulation } from "../../../aws/simulation.ts";
import { keptRules } from "../kept-rules.ts";
import { FRANKFURT, OTHER_FRANKFURT, VIRGINIA } from "../places.ts";

const trust = (Principal: object | string, Action = "sts:AssumeRole") =>
    JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal, Action }] });
const TRUST = trust({ Service: "eks.amazonaws.com" });
const MAY = JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Action: "s3:*", Resource: "*" } });
const CLUSTER_POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy";
const simulation = () => new Simulation({ iam });

describe("IAM", () => {
    const rule = keptRules("IAM");

    rule("creates a role", async () => {
        const { iam } = simulation().in(FRANKFURT);
        const { Role } = await iam.createRole({ RoleName: "control", AssumeRolePolicyDocument: TRUST, Tags: [{ Key: "a", Value: "b" }] });
        expect(Role).toMatchObject({
            Arn: "arn:aws:iam::111111111111:role/control",
            Path: "/",
            MaxSessionDuration: 3600,
            AssumeRolePolicyDocument: encodeURIComponent(TRUST),
            Tags: [{ Key: "a", Value: "b" }],
        });
        expect(Role.RoleId).toMatch(/^AROA[0-9A-F]{17}$/);
        expect((await iam.getRole({ RoleName: "control" })).Role).toEqual(Role);
    });

    rule("creates a node role with its policies", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "node", AssumeRolePolicyDocument: trust({ Service: ["ec2.amazonaws.com"] }) });
        const names = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"];
        for (const name of names) await iam.attachRolePolicy({ RoleName: "node", PolicyArn: `arn:aws:iam::aws:policy/${name}` });
        const { AttachedPolicies } = await iam.listAttachedRolePolicies({ RoleName: "node" });
        expect(AttachedPolicies.map(({ PolicyName }) => PolicyName)).toEqual(names);
    });

    test("shares roles between the regions of an account", async () => {
        const aws = simulation();
        await aws.in(FRANKFURT).iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        expect((await aws.in(VIRGINIA).iam.getRole({ RoleName: "r" })).Role.RoleName).toBe("r");
        await expect(aws.in(OTHER_FRANKFURT).iam.getRole({ RoleName: "r" })).rejects.toMatchObject({
            code: "NoSuchEntity",
            message: "The role with name r cannot be found.",
            status: 404,
        });
    });

    rule("refuses a duplicate role, ignoring case", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "Control", AssumeRolePolicyDocument: TRUST });
        for (const RoleName of ["Control", "control"])
            await expect(iam.createRole({ RoleName, AssumeRolePolicyDocument: TRUST })).rejects.toMatchObject({
                code: "EntityAlreadyExists",
                message: `Role with name ${RoleName} already exists.`,
            });
    });

    rule("refuses a malformed trust policy", async () => {
        const { iam } = simulation().in(FRANKFURT);
        const statement = { Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" };
        const document = (Statement: unknown) => JSON.stringify({ Version: "2012-10-17", Statement });
        const refused: [string, string][] = [
            ["{", "This policy contains invalid Json"],
            ['"text"', "Syntax errors in policy."],
            ["[]", "Syntax errors in policy."],
            [document([]), "Syntax errors in policy."],
            [document({ ...statement, Principal: "me" }), "Syntax errors in policy."],
            [document({ ...statement, Principal: { User: "me" } }), 'Invalid principal in policy: "User"'],
            [document({ ...statement, Condition: { StringEquals: "x" } }), "Syntax errors in policy."],
            [JSON.stringify({ Version: "2020-01-01", Statement: [statement] }), "Syntax errors in policy."],
            [document({ ...statement, Effect: "allow" }), "Syntax errors in policy."],
            [document({ ...statement, Principal: undefined }), "Missing required field Principal"],
            [document({ ...statement, Action: undefined }), "Missing required field Action"],
            [document({ ...statement, Resource: "*" }), "Has prohibited field Resource"],
            [document({ ...statement, Action: "s3:Get" }), "AssumeRole policy may only specify STS AssumeRole actions."],
            [document({ ...statement, Principal: { Service: "eks" } }), 'Invalid principal in policy: "Service":"eks"'],
            [
                document({ ...statement, Principal: { AWS: "arn:aws:iam::1:root" } }),
                'Invalid principal in policy: "AWS":"arn:aws:iam::1:root"',
            ],
        ];
        for (const [AssumeRolePolicyDocument, message] of refused)
            await expect(iam.createRole({ RoleName: "r", AssumeRolePolicyDocument })).rejects.toMatchObject({
                code: "MalformedPolicyDocument",
                message,
            });
        expect((await iam.listRoles()).Roles).toEqual([]);
    });

    rule("attaches an AWS managed policy", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        await iam.attachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY });
        await iam.attachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY });
        expect((await iam.listAttachedRolePolicies({ RoleName: "r" })).AttachedPolicies).toEqual([
            { PolicyName: "AmazonEKSClusterPolicy", PolicyArn: CLUSTER_POLICY },
        ]);
        const china = simulation().in({ account: FRANKFURT.account, region: "cn-north-1" }).iam;
        await china.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        await expect(china.attachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY })).rejects.toMatchObject({ code: "NoSuchEntity" });
    });

    rule("refuses an unknown policy", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        for (const PolicyArn of ["arn:aws:iam::aws:policy/AmazonEKSClustersPolicy", "arn:aws:iam::111111111111:policy/mine"])
            await expect(iam.attachRolePolicy({ RoleName: "r", PolicyArn })).rejects.toMatchObject({
                code: "NoSuchEntity",
                message: `Policy ${PolicyArn} does not exist or is not attachable.`,
            });
        await expect(iam.detachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY })).rejects.toMatchObject({ code: "NoSuchEntity" });
    });

    test("refuses invalid names, sessions and policies, and more than the quota", async () => {
        const aws = simulation();
        const { iam } = aws.in(FRANKFURT);
        const role = (more: object) => iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST, ...more });
        await expect(role({ RoleName: "a b" })).rejects.toMatchObject({ code: "ValidationError" });
        await expect(role({ MaxSessionDuration: 60 })).rejects.toMatchObject({ code: "ValidationError" });
        await role({});
        const large = MAY.replace("s3:*", `s3:${"x".repeat(10_240)}`);
        await expect(iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: large })).rejects.toMatchObject({
            code: "LimitExceeded",
        });
        const bare = MAY.replace("Resource", "Ressource");
        await expect(iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: bare })).rejects.toMatchObject({
            message: "Policy statement must contain resources.",
        });
        await expect(iam.attachRolePolicy({ RoleName: "r", PolicyArn: "Admin" })).rejects.toMatchObject({ code: "ValidationError" });
        await iam.createPolicy({ PolicyName: "mine", PolicyDocument: MAY });
        await expect(iam.createPolicy({ PolicyName: "mine", PolicyDocument: MAY })).rejects.toMatchObject({ code: "EntityAlreadyExists" });
        aws.setQuota(FRANKFURT, ROLES_PER_ACCOUNT, 1);
        await expect(role({ RoleName: "second" })).rejects.toMatchObject({ code: "LimitExceeded" });
    });

    test("refuses more policies than the quota of a role", async () => {
        const aws = simulation();
        aws.setQuota(FRANKFURT, POLICIES_PER_ROLE, 0);
        await aws.in(FRANKFURT).iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        await expect(aws.in(FRANKFURT).iam.attachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY })).rejects.toMatchObject({
            code: "LimitExceeded",
            message: "Cannot exceed quota for PoliciesPerRole: 0",
        });
    });

    rule("refuses to delete a role with policies", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        await iam.attachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY });
        await iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: MAY });
        await expect(iam.deleteRole({ RoleName: "r" })).rejects.toMatchObject({
            code: "DeleteConflict",
            message: "Cannot delete entity, must detach all policies first.",
        });
        await iam.detachRolePolicy({ RoleName: "r", PolicyArn: CLUSTER_POLICY });
        await expect(iam.deleteRole({ RoleName: "r" })).rejects.toMatchObject({
            code: "DeleteConflict",
            message: "Cannot delete entity, must delete policies first.",
        });
        await iam.deleteRolePolicy({ RoleName: "r", PolicyName: "p" });
        await iam.deleteRole({ RoleName: "r" });
        expect((await iam.listRoles()).Roles).toEqual([]);
    });

    test("keeps inline policies as sent, and refuses a principal in them", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        await iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: MAY });
        expect((await iam.getRolePolicy({ RoleName: "r", PolicyName: "p" })).PolicyDocument).toBe(encodeURIComponent(MAY));
        expect((await iam.listRolePolicies({ RoleName: "r" })).PolicyNames).toEqual(["p"]);
        await expect(iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: TRUST })).rejects.toMatchObject({
            code: "MalformedPolicyDocument",
            message: "Policy document should not specify a principal.",
        });
        await expect(iam.getRolePolicy({ RoleName: "r", PolicyName: "q" })).rejects.toMatchObject({
            message: "The role policy with name q cannot be found.",
        });
    });

    test("refuses to delete a customer managed policy while it is attached", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: TRUST });
        const { Policy } = await iam.createPolicy({ PolicyName: "mine", PolicyDocument: MAY });
        await iam.attachRolePolicy({ RoleName: "r", PolicyArn: Policy.Arn });
        await expect(iam.deletePolicy({ PolicyArn: Policy.Arn })).rejects.toMatchObject({ code: "DeleteConflict" });
        await iam.detachRolePolicy({ RoleName: "r", PolicyArn: Policy.Arn });
        await iam.deletePolicy({ PolicyArn: Policy.Arn });
    });

    rule("creates and deletes an OIDC provider", async () => {
        const { iam } = simulation().in(FRANKFURT);
        const { OpenIDConnectProviderArn } = await iam.createOpenIDConnectProvider({
            Url: "https://oidc.eks.eu-central-1.amazonaws.com/id/AB",
            ClientIDList: ["sts.amazonaws.com"],
        });
        expect(OpenIDConnectProviderArn).toBe("arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/AB");
        expect(await iam.getOpenIDConnectProvider({ OpenIDConnectProviderArn })).toMatchObject({
            Url: "oidc.eks.eu-central-1.amazonaws.com/id/AB",
            ClientIDList: ["sts.amazonaws.com"],
        });
        await iam.deleteOpenIDConnectProvider({ OpenIDConnectProviderArn });
        expect((await iam.listOpenIDConnectProviders()).OpenIDConnectProviderList).toEqual([]);
    });

    test("refuses an OIDC provider without https", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await expect(iam.createOpenIDConnectProvider({ Url: "http://oidc.example.com" })).rejects.toMatchObject({
            code: "ValidationError",
        });
    });

    rule("refuses a duplicate OIDC provider", async () => {
        const { iam } = simulation().in(FRANKFURT);
        await iam.createOpenIDConnectProvider({ Url: "https://oidc.example.com/id" });
        await expect(iam.createOpenIDConnectProvider({ Url: "https://oidc.example.com/id/" })).rejects.toMatchObject({
            code: "EntityAlreadyExists",
            message: "Provider with url https://oidc.example.com/id already exists.",
        });
    });
});

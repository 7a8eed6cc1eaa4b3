import { describe, expect, test } from "vitest";
import { iam } from "../../../aws/iam/iam.ts";
import { sts } from "../../../aws/iam/sts.ts";
import { kms } from "../../../aws/kms.ts";
import { Simulation } from "../../../aws/simulation.ts";
import { keptRules } from "../kept-rules.ts";
import { FRANKFURT, OTHER_FRANKFURT, VIRGINIA } from "../places.ts";

const trust = (AWS: string, more: object = {}) =>
    JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Principal: { AWS }, Action: "sts:AssumeRole", ...more } });
const simulation = () => new Simulation({ iam, kms, sts });
const RoleArn = "arn:aws:iam::222222222222:role/deploy/mesh";
const request = { RoleArn, RoleSessionName: "clustermesh" };

async function withRole(AssumeRolePolicyDocument: string) {
    const aws = simulation();
    await aws.in(OTHER_FRANKFURT).iam.createRole({ RoleName: "mesh", Path: "/deploy/", AssumeRolePolicyDocument });
    return aws;
}

describe("STS", () => {
    const rule = keptRules("STS");

    rule("returns the caller's identity", async () => {
        expect(await simulation().in(FRANKFURT).sts.getCallerIdentity()).toEqual({
            Account: "111111111111",
            Arn: "arn:aws:iam::111111111111:root",
            UserId: "111111111111",
        });
        expect(
            (
                await simulation()
                    .in({ ...FRANKFURT, region: "cn-north-1" })
                    .sts.getCallerIdentity()
            ).Arn,
        ).toBe("arn:aws-cn:iam::111111111111:root");
    });

    rule("isolates regions", async () => {
        const aws = simulation();
        await aws.in(FRANKFURT).kms.createKey();
        expect((await aws.in(FRANKFURT).kms.listKeys()).Keys).toHaveLength(1);
        for (const place of [VIRGINIA, OTHER_FRANKFURT]) expect((await aws.in(place).kms.listKeys()).Keys).toEqual([]);
    });

    rule("assumes a role in a second account", async () => {
        for (const AWS of ["111111111111", "arn:aws:iam::111111111111:root", "*"]) {
            const { AssumedRoleUser, Credentials } = await (await withRole(trust(AWS))).in(FRANKFURT).sts.assumeRole(request);
            expect(AssumedRoleUser.Arn).toBe("arn:aws:sts::222222222222:assumed-role/mesh/clustermesh");
            expect(Credentials.AccessKeyId).toMatch(/^ASIA/);
        }
    });

    test("refuses a role that does not trust the caller, and an unknown role", async () => {
        const refusal = {
            code: "AccessDenied",
            message: `User: arn:aws:iam::111111111111:root is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
            status: 403,
        };
        for (const aws of [
            simulation(),
            await withRole(trust("333333333333")),
            await withRole(trust("111111111111", { Effect: "Deny" })),
            await withRole(trust("111111111111", { Condition: { StringEquals: { "sts:ExternalId": "secret" } } })),
        ])
            await expect(aws.in(FRANKFURT).sts.assumeRole(request)).rejects.toMatchObject(refusal);
    });

    test("refuses an invalid role ARN and an invalid session name", async () => {
        const { sts } = (await withRole(trust("111111111111"))).in(FRANKFURT);
        await expect(sts.assumeRole({ ...request, RoleArn: "mesh" })).rejects.toMatchObject({
            code: "ValidationError",
            message: "mesh is invalid",
        });
        await expect(sts.assumeRole({ ...request, RoleSessionName: "a b" })).rejects.toMatchObject({ code: "ValidationError" });
    });

    test("requires the external ID of the trust policy", async () => {
        const aws = await withRole(trust("111111111111", { Condition: { StringEquals: { "sts:ExternalId": "mesh" } } }));
        await expect(aws.in(FRANKFURT).sts.assumeRole({ ...request, ExternalId: "other" })).rejects.toMatchObject({ code: "AccessDenied" });
        await aws.in(FRANKFURT).sts.assumeRole({ ...request, ExternalId: "mesh" });
    });

    test("refuses a session longer than the role's maximum", async () => {
        const aws = await withRole(trust("111111111111"));
        await expect(aws.in(FRANKFURT).sts.assumeRole({ ...request, DurationSeconds: 7200 })).rejects.toMatchObject({
            code: "ValidationError",
        });
    });

    rule("returns the identity of an assumed role", async () => {
        const aws = await withRole(trust("111111111111"));
        const { AssumedRoleUser } = await aws.in(FRANKFURT).sts.assumeRole(request);
        expect(await aws.in({ ...OTHER_FRANKFURT, principal: AssumedRoleUser.Arn }).sts.getCallerIdentity()).toEqual({
            Account: "222222222222",
            Arn: "arn:aws:sts::222222222222:assumed-role/mesh/clustermesh",
            UserId: AssumedRoleUser.AssumedRoleId,
        });
    });

    test("lets a session assume a role that trusts the session's role", async () => {
        const aws = await withRole(trust("111111111111"));
        await aws.in(FRANKFURT).iam.createRole({ RoleName: "back", AssumeRolePolicyDocument: trust(RoleArn) });
        const { AssumedRoleUser } = await aws.in(FRANKFURT).sts.assumeRole(request);
        const back = { RoleArn: "arn:aws:iam::111111111111:role/back", RoleSessionName: "back" };
        await aws.in({ ...OTHER_FRANKFURT, principal: AssumedRoleUser.Arn }).sts.assumeRole(back);
        await expect(aws.in(OTHER_FRANKFURT).sts.assumeRole(back)).rejects.toMatchObject({ code: "AccessDenied" });
    });
});

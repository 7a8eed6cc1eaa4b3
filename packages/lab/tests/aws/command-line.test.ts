import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulatedAws } from "../../aws/aws.ts";
import { serveAwsCli } from "../../aws-cli/aws-cli.ts";
import { HERE, OTHERS } from "./places.ts";

const AWS = resolve("packages/lab/aws-cli/bin/aws");
const RoleArn = "arn:aws:iam::222222222222:role/mesh";
const trust = { Version: "2012-10-17", Statement: { Effect: "Allow", Principal: { AWS: "111111111111" }, Action: "sts:AssumeRole" } };

describe("the stand-in for the AWS command line", () => {
    const aws = simulatedAws({ speed: Number.POSITIVE_INFINITY, clock: () => Date.parse("2026-11-24T16:33:57.120Z") });
    let folder: string;
    let served: Awaited<ReturnType<typeof serveAwsCli>>;
    let vpcs: string[];

    beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "clustermesh-"));
        served = await serveAwsCli(aws, { account: HERE.account, socket: join(folder, "aws.sock") });
        const made = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"].map((CidrBlock) => aws.in(HERE).ec2.createVpc({ CidrBlock }));
        vpcs = (await Promise.all(made)).map(({ Vpc }) => Vpc.VpcId);
        await aws.in(OTHERS).ec2.createVpc({ CidrBlock: "10.9.0.0/16" });
        await aws.in(OTHERS).iam.createRole({ RoleName: "mesh", AssumeRolePolicyDocument: JSON.stringify(trust) });
    });
    afterAll(async () => {
        await served.close();
        await rm(folder, { recursive: true });
    });

    /** As `aws` on the PATH: what it wrote, and how it ended. */
    const run = (line: string, env: Record<string, string> = {}) =>
        promisify(execFile)(AWS, line.split(" "), {
            env: { PATH: process.env.PATH, CLUSTERMESH_LAB_AWS: join(folder, "aws.sock"), ...env },
        }).then(
            ({ stdout }) => ({ code: 0, answer: JSON.parse(stdout), said: "" }),
            ({ code, stderr }) => ({ code, answer: undefined, said: String(stderr) }),
        );
    const here = `--region ${HERE.region} --output json`;

    test("lists, filters in the short form and in JSON, single values, region by option or environment", async () => {
        const ids = async (line: string, env?: Record<string, string>) =>
            (await run(line, env)).answer?.Vpcs.map(({ VpcId }: { VpcId: string }) => VpcId);
        const [one = "", two = ""] = vpcs;
        expect(await ids(`ec2 describe-vpcs --vpc-ids ${two} ${one} ${here}`)).toEqual([two, one]);
        expect(await ids(`ec2 describe-vpcs --filters Name=vpc-id,Values=${one},${two} Name=cidr,Values=10.1.* ${here}`)).toEqual([two]);
        const json = JSON.stringify([{ Name: "vpc-id", Values: [one] }]);
        expect(await ids(`ec2 describe-vpcs --filters ${json}`, { AWS_REGION: HERE.region })).toEqual([one]);
        expect(await ids("ec2 describe-vpcs", { AWS_DEFAULT_REGION: "us-west-2" })).toEqual([]);
        const attribute = `ec2 describe-vpc-attribute --vpc-id ${one} --attribute enableDnsSupport ${here}`;
        expect((await run(attribute)).answer).toMatchObject({ EnableDnsSupport: { Value: true } });
    });

    test("refusals in AWS's words with the command line's own exit codes", async () => {
        expect(await run(`ec2 describe-vpcs --vpc-ids vpc-0 ${here}`)).toEqual({
            code: 254,
            answer: undefined,
            said: "\nAn error occurred (InvalidVpcID.NotFound) when calling the DescribeVpcs operation: The vpc ID 'vpc-0' does not exist\n",
        });
        expect(await run("ec2 describe-vpcs")).toMatchObject({ code: 253, said: expect.stringContaining("You must specify a region") });
        expect(await run(`ec2 describe-dreams ${here}`)).toMatchObject({ code: 252, said: expect.stringContaining("describe-dreams") });
        expect(await run(`s3 ls ${here}`)).toMatchObject({ code: 252, said: expect.stringContaining("read-only") });
        // Nothing is changed by it.
        expect(await run(`ec2 delete-vpc --vpc-id ${vpcs[2]} ${here}`)).toMatchObject({ code: 252 });
        expect((await run(`ec2 describe-vpcs ${here}`)).answer.Vpcs).toHaveLength(3);
    });

    test("a role that is assumed is the caller of what is asked with its session, and times are as Python writes them", async () => {
        const { answer } = await run(`sts assume-role --role-arn ${RoleArn} --role-session-name doctor ${here}`);
        expect(answer.Credentials.Expiration).toBe("2026-11-24T17:33:57.120000+00:00");
        const session = { AWS_SESSION_TOKEN: answer.Credentials.SessionToken };
        expect((await run(`sts get-caller-identity ${here}`, session)).answer).toMatchObject({
            Account: OTHERS.account,
            Arn: "arn:aws:sts::222222222222:assumed-role/mesh/doctor",
        });
        expect((await run(`ec2 describe-vpcs ${here}`, session)).answer.Vpcs).toMatchObject([{ CidrBlock: "10.9.0.0/16" }]);
        expect((await run(`sts get-caller-identity ${here}`, { AWS_SESSION_TOKEN: "the shell's own" })).answer.Account).toBe(HERE.account);
        expect(await run(`sts assume-role --role-arn ${RoleArn}s --role-session-name doctor ${here}`)).toMatchObject({
            code: 254,
            said: expect.stringContaining("(AccessDenied) when calling the AssumeRole operation"),
        });
    });

    test("says that the lab is gone", async () => {
        expect(await run(`ec2 describe-vpcs ${here}`, { CLUSTERMESH_LAB_AWS: join(folder, "none") })).toMatchObject({
            code: 255,
            said: expect.stringContaining("the lab does not respond"),
        });
    });
});

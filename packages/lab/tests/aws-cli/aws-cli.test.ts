import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulatedAws } from "../../aws/aws.ts";
import { serveAwsCli } from "../../aws-cli/aws-cli.ts";
import { FRANKFURT, OTHER_FRANKFURT } from "../aws/places.ts";

const AWS = resolve("packages/lab/aws-cli/bin/aws");
const RoleArn = "arn:aws:iam::222222222222:role/mesh";
const trust = { Version: "2012-10-17", Statement: { Effect: "Allow", Principal: { AWS: "111111111111" }, Action: "sts:AssumeRole" } };

describe("the replacement for the AWS CLI", () => {
    const aws = simulatedAws({ speed: Number.POSITIVE_INFINITY, clock: () => Date.parse("2026-11-24T16:33:57.120Z") });
    let folder: string;
    let served: Awaited<ReturnType<typeof serveAwsCli>>;
    let vpcs: string[];

    beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "clustermesh-"));
        served = await serveAwsCli(aws, { account: FRANKFURT.account, socket: join(folder, "aws.sock") });
        const created = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"].map((CidrBlock) => aws.in(FRANKFURT).ec2.createVpc({ CidrBlock }));
        vpcs = (await Promise.all(created)).map(({ Vpc }) => Vpc.VpcId);
        await aws.in(OTHER_FRANKFURT).ec2.createVpc({ CidrBlock: "10.9.0.0/16" });
        await aws.in(OTHER_FRANKFURT).iam.createRole({ RoleName: "mesh", AssumeRolePolicyDocument: JSON.stringify(trust) });
    });
    afterAll(async () => {
        await served.close();
        await rm(folder, { recursive: true });
    });

    /** Runs the replacement as `aws` on the PATH. Returns its exit code and output. */
    const run = (line: string, env: Record<string, string> = {}) =>
        promisify(execFile)(AWS, line.split(" "), {
            env: { PATH: process.env.PATH, CLUSTERMESH_LAB_AWS: join(folder, "aws.sock"), ...env },
        }).then(
            ({ stdout }) => ({ code: 0, answer: JSON.parse(stdout), stderr: "" }),
            ({ code, stderr }) => ({ code, answer: undefined, stderr: String(stderr) }),
        );
    const here = `--region ${FRANKFURT.region} --output json`;

    test("accepts lists, filters in shorthand and JSON, single values, and the region by option or environment", async () => {
        const ids = async (line: string, env?: Record<string, string>) =>
            (await run(line, env)).answer?.Vpcs.map(({ VpcId }: { VpcId: string }) => VpcId);
        const [first = "", second = ""] = vpcs;
        expect(await ids(`ec2 describe-vpcs --vpc-ids ${second} ${first} ${here}`)).toEqual([second, first]);
        expect(await ids(`ec2 describe-vpcs --filters Name=vpc-id,Values=${first},${second} Name=cidr,Values=10.1.* ${here}`)).toEqual([
            second,
        ]);
        const json = JSON.stringify([{ Name: "vpc-id", Values: [first] }]);
        expect(await ids(`ec2 describe-vpcs --filters ${json}`, { AWS_REGION: FRANKFURT.region })).toEqual([first]);
        expect(await ids("ec2 describe-vpcs", { AWS_DEFAULT_REGION: "us-west-2" })).toEqual([]);
        const attribute = `ec2 describe-vpc-attribute --vpc-id ${first} --attribute enableDnsSupport ${here}`;
        expect((await run(attribute)).answer).toMatchObject({ EnableDnsSupport: { Value: true } });
    });

    test("reports errors in AWS's words with the AWS CLI's exit codes", async () => {
        expect(await run(`ec2 describe-vpcs --vpc-ids vpc-0 ${here}`)).toEqual({
            code: 254,
            answer: undefined,
            stderr: "\nAn error occurred (InvalidVpcID.NotFound) when calling the DescribeVpcs operation: The vpc ID 'vpc-0' does not exist\n",
        });
        expect(await run("ec2 describe-vpcs")).toMatchObject({ code: 253, stderr: expect.stringContaining("You must specify a region") });
        expect(await run(`ec2 describe-dreams ${here}`)).toMatchObject({ code: 252, stderr: expect.stringContaining("describe-dreams") });
        expect(await run(`s3 ls ${here}`)).toMatchObject({ code: 252, stderr: expect.stringContaining("read-only") });
        // It changes nothing.
        expect(await run(`ec2 delete-vpc --vpc-id ${vpcs[2]} ${here}`)).toMatchObject({ code: 252 });
        expect((await run(`ec2 describe-vpcs ${here}`)).answer.Vpcs).toHaveLength(3);
    });

    test("calls as an assumed role with its session token, and writes times as Python does", async () => {
        const { answer } = await run(`sts assume-role --role-arn ${RoleArn} --role-session-name doctor ${here}`);
        expect(answer.Credentials.Expiration).toBe("2026-11-24T17:33:57.120000+00:00");
        const session = { AWS_SESSION_TOKEN: answer.Credentials.SessionToken };
        expect((await run(`sts get-caller-identity ${here}`, session)).answer).toMatchObject({
            Account: OTHER_FRANKFURT.account,
            Arn: "arn:aws:sts::222222222222:assumed-role/mesh/doctor",
        });
        expect((await run(`ec2 describe-vpcs ${here}`, session)).answer.Vpcs).toMatchObject([{ CidrBlock: "10.9.0.0/16" }]);
        expect((await run(`sts get-caller-identity ${here}`, { AWS_SESSION_TOKEN: "the shell's own" })).answer.Account).toBe(
            FRANKFURT.account,
        );
        expect(await run(`sts assume-role --role-arn ${RoleArn}s --role-session-name doctor ${here}`)).toMatchObject({
            code: 254,
            stderr: expect.stringContaining("(AccessDenied) when calling the AssumeRole operation"),
        });
    });

    test("reports that the lab does not answer", async () => {
        expect(await run(`ec2 describe-vpcs ${here}`, { CLUSTERMESH_LAB_AWS: join(folder, "none") })).toMatchObject({
            code: 255,
            stderr: expect.stringContaining("the lab does not respond"),
        });
    });
});

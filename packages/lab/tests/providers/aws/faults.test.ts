import { describe, expect, test } from "vitest";
import { ALL_TABLES } from "../../../aws/aws.ts";
import { AwsError } from "../../../aws/error.ts";
import type { CallInfo, Fault } from "../../../aws/simulation.ts";
import { NotReady } from "../../../providers/provider.ts";
import { ACCOUNT, REGION, run, simulatedAws } from "./harness.ts";
import { trust, World } from "./world.ts";

const VPC = "aws:ec2/vpc:Vpc";
const EIP = "aws:ec2/eip:Eip";
const ROLE = "aws:iam/role:Role";
const BLOCK = { cidrBlock: "10.0.0.0/16" };
const HERE = { account: ACCOUNT, region: REGION };
const OTHER = "222222222222";

/** A simulation in which the first calls of an action fail with `faults`, in order; undefined lets a call succeed. */
function faulty(action: string, faults: (Fault | undefined)[]) {
    const remaining = [...faults];
    return simulatedAws({ hook: (call: CallInfo) => (call.action === action ? remaining.shift() : undefined) });
}
const throttled = { error: new AwsError("RequestLimitExceeded", "Request limit exceeded.", 503) };
const lost = { error: new AwsError("InternalError", "An internal error has occurred", 500), lost: true };

describe("failing calls", () => {
    test("retries a throttled call", async () => {
        const aws = faulty("createVpc", [throttled, throttled]);
        expect((await (await run(aws)).create(VPC, "x", BLOCK)).id).toMatch(/^vpc-/);
    });

    test("fails with AWS's error when a call stays throttled", async () => {
        const aws = faulty("describeVpcs", Array(1000).fill(throttled));
        await expect((await run(aws)).create(VPC, "x", BLOCK)).rejects.toThrow(/DescribeVpcs.*api error RequestLimitExceeded/);
    });

    test("adopts a resource whose create response was lost", async () => {
        const aws = faulty("allocateAddress", [lost]);
        await (await run(aws)).create(EIP, "x", {});
        expect((await aws.in(HERE).ec2.describeAddresses()).Addresses).toHaveLength(1);
    });

    test("words an AWS error as the real provider does", async () => {
        const aws = simulatedAws();
        const engine = await run(aws);
        for (const i of [0, 1, 2, 3, 4]) await engine.create(VPC, `v${i}`, BLOCK);
        await expect(engine.create(VPC, "x", BLOCK)).rejects.toThrow(
            /^creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 400, RequestID: [\w-]{36}, api error VpcLimitExceeded: The maximum number of VPCs has been reached\.$/,
        );
    });

    test("deletes a resource that failed to become ready, and reports the reason", async () => {
        const aws = simulatedAws();
        const engine = await run(aws);
        const world = new World(engine);
        const allocationId = (await world.ensure(EIP, "eip", () => ({}))).id;
        const args = { subnetId: await world.subnet(0), allocationId };
        await expect(engine.create("aws:ec2/natGateway:NatGateway", "x", args)).rejects.toThrow(
            /unexpected state 'failed', wanted target 'available'\. last error: Gateway\.NotAttached/,
        );
    });

    test("keeps a resource that is not ready in time; the next run continues to wait", async () => {
        const aws = faulty("createTransitGateway", [{ freeze: true }]);
        const engine = await run(aws);
        const token = "aws:ec2transitgateway/transitGateway:TransitGateway";
        const failure = await engine.create(token, "x", { description: "a" }, { timeoutSeconds: 0.1 }).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(NotReady);
        if (!(failure instanceof NotReady)) return;
        expect(failure.message).toMatch(/timeout while waiting for state to become 'available' \(last state: 'pending', timeout: 0s\)/);
        expect(failure.outputs.arn).toContain(failure.id);
        expect(engine.messages).toContain(`waiting for EC2 Transit Gateway (${failure.id}) to become available (pending)`);
        aws.thaw();
        const kept = {
            urn: `urn:pulumi:test::clustermesh::${token}::x`,
            id: failure.id,
            inputs: failure.inputs ?? {},
            outputs: failure.outputs,
        };
        expect((await (await run(aws)).update(kept, { description: "a" })).outputs.arn).toContain(failure.id);
    });

    test("retries a delete while the resource is in use, then fails with AWS's error", async () => {
        const engine = await run(simulatedAws());
        const world = new World(engine);
        await world.subnet(0);
        const vpc = await world.ensure(VPC, "vpc", () => ({}));
        await expect(engine.remove(vpc)).rejects.toThrow(/^deleting EC2 VPC \(vpc-\w+\): .*api error DependencyViolation/);
    });
});

describe("resources left by a killed run", () => {
    test("are updated if possible", async () => {
        const aws = simulatedAws();
        const leftover = await (await run(aws)).create(VPC, "x", { ...BLOCK, tags: { Name: "old" } });
        const created = await (await run(aws)).create(VPC, "x", { ...BLOCK, enableDnsHostnames: true, tags: { Name: "new" } });
        expect(created.id).toBe(leftover.id);
        expect(created.outputs).toMatchObject({ enableDnsHostnames: true, tags: { Name: "new" } });
    });

    test("are deleted if an update is not possible", async () => {
        const aws = simulatedAws();
        const leftover = await (await run(aws)).create(VPC, "x", BLOCK);
        const created = await (await run(aws)).create(VPC, "x", { cidrBlock: "10.1.0.0/16" });
        expect(created.id).not.toBe(leftover.id);
        expect((await aws.in(HERE).ec2.describeVpcs()).Vpcs).toHaveLength(1);
    });

    test("are distinguished from a resource that the engine is about to replace", async () => {
        const engine = await run(simulatedAws());
        const old = await engine.create(VPC, "x", BLOCK);
        await engine.diff(old, { cidrBlock: "10.1.0.0/16" });
        expect((await engine.create(VPC, "x", { cidrBlock: "10.1.0.0/16" })).id).not.toBe(old.id);
        const again = await run(simulatedAws());
        const forced = await again.create(VPC, "x", BLOCK);
        // `pulumi up --replace` skips the diff: the provider sees only the old inputs.
        const next = await again.check(VPC, "x", BLOCK, forced.inputs);
        expect((await again.create(VPC, "x", next)).id).not.toBe(forced.id);
    });

    test('cause AWS\'s "already exists" error if they carry no mark', async () => {
        const aws = simulatedAws();
        await aws.in(HERE).logs.createLogGroup({ logGroupName: "/taken" });
        await expect((await run(aws)).create("aws:cloudwatch/logGroup:LogGroup", "x", { name: "/taken" })).rejects.toThrow(
            /creating CloudWatch Logs Log Group: .*ResourceAlreadyExistsException/,
        );
    });
});

describe("tags and names", () => {
    const tagged = { defaultTags: JSON.stringify({ tags: { "clustermesh:cluster": "c1", Name: "default" } }) };

    test("adds default tags, and hides the mark from the program", async () => {
        const aws = simulatedAws();
        const created = await (await run(aws, tagged)).create(VPC, "x", { ...BLOCK, tags: { Name: "own" } });
        const tags = { "clustermesh:cluster": "c1", Name: "own" };
        expect(created.outputs).toMatchObject({ tags, tagsAll: tags });
        const { Vpcs } = await aws.in(HERE).ec2.describeVpcs();
        expect(Vpcs[0]?.Tags.map(({ Key }) => Key).toSorted()).toEqual(["Name", "clustermesh-lab:resource", "clustermesh:cluster"]);
    });

    test("detects and reverts a manually changed tag", async () => {
        const aws = simulatedAws();
        const engine = await run(aws, tagged);
        const created = await engine.create(VPC, "x", BLOCK);
        await aws.in(HERE).ec2.createTags({ Resources: [created.id], Tags: [{ Key: "Name", Value: "hand" }] });
        const seen = await engine.refresh(created);
        expect(seen && (await engine.diff(seen, BLOCK)).changes).toEqual(["tags.Name"]);
        expect(seen && (await engine.update(seen, BLOCK)).outputs.tags).toMatchObject({ Name: "default" });
    });

    test("detects a tag added to a resource without tags", async () => {
        const aws = simulatedAws();
        const engine = await run(aws);
        const created = await engine.create(VPC, "x", BLOCK);
        await aws.in(HERE).ec2.createTags({ Resources: [created.id], Tags: [{ Key: "by", Value: "hand" }] });
        expect((await engine.refresh(created))?.inputs.tags).toEqual({ by: "hand" });
    });

    test("generates names of the resource name and seven digits, different for a replacement", async () => {
        const aws = simulatedAws();
        const engine = await run(aws);
        const args = { assumeRolePolicy: trust("ec2.amazonaws.com") };
        const created = await engine.create(ROLE, "node", args);
        expect(created.inputs.name).toMatch(/^node-[0-9a-f]{7}$/);
        expect((await engine.check(ROLE, "node", args, created.inputs)).name).toBe(created.inputs.name);
        await engine.diff(created, { ...args, path: "/x/" });
        const next = await engine.check(ROLE, "node", { ...args, path: "/x/" });
        expect(next.name).toMatch(/^node-[0-9a-f]{7}$/);
        expect(next.name).not.toBe(created.inputs.name);
    });
});

describe("accounts and regions", () => {
    test("works in the account of an assumed role, and fails for a role that does not trust the caller", async () => {
        const aws = simulatedAws();
        const Statement = [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "sts:AssumeRole" }];
        const RoleName = "deployer";
        const there = aws.in({ account: OTHER, region: REGION });
        const AssumeRolePolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
        await there.iam.createRole({ RoleName, AssumeRolePolicyDocument });
        const assume = (name: string) => ({
            assumeRoles: JSON.stringify([{ roleArn: `arn:aws:iam::${OTHER}:role/${name}`, sessionName: "clustermesh" }]),
        });
        const engine = await run(aws, assume(RoleName));
        await engine.create(VPC, "x", BLOCK);
        expect((await there.ec2.describeVpcs()).Vpcs).toHaveLength(1);
        const invoke = engine.provider.invoke?.("aws:index/getCallerIdentity:getCallerIdentity");
        const answer = await invoke?.({ token: "", args: {}, signal: AbortSignal.timeout(1000) });
        expect(answer?.result).toMatchObject({
            accountId: OTHER,
            arn: `arn:aws:sts::${OTHER}:assumed-role/deployer/clustermesh`,
        });
        await expect(run(aws, assume("stranger"))).rejects.toThrow(/stranger\) cannot be assumed.*AccessDenied/);
    });

    test("peers transit gateways of two regions, attaches a VPC of another account, and deletes everything", async () => {
        const aws = simulatedAws();
        const [hub, far, member] = await Promise.all([run(aws), run(aws, { region: "eu-west-1" }), run(aws, {}, OTHER)]);
        const GATEWAY = "aws:ec2transitgateway/transitGateway:TransitGateway";
        const [a, b] = [await hub.create(GATEWAY, "a", {}), await far.create(GATEWAY, "b", {})];
        const link = await hub.create("aws:ec2transitgateway/peeringAttachment:PeeringAttachment", "ab", {
            transitGatewayId: a.id,
            peerTransitGatewayId: b.id,
            peerRegion: "eu-west-1",
            peerAccountId: ACCOUNT,
        });
        const accepter = "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter";
        const accepted = await far.create(accepter, "ab", { transitGatewayAttachmentId: link.id, tags: { Name: "ab" } });
        expect((await hub.refresh(link))?.outputs.state).toBe("available");
        expect((await far.refresh(accepted))?.inputs).toEqual(accepted.inputs);

        const share = await hub.create("aws:ram/resourceShare:ResourceShare", "s", { name: "s" });
        const arns = { resourceShareArn: share.id };
        const shared = [
            await hub.create("aws:ram/resourceAssociation:ResourceAssociation", "s", { ...arns, resourceArn: String(a.outputs.arn) }),
            await hub.create("aws:ram/principalAssociation:PrincipalAssociation", "s", { ...arns, principal: OTHER }),
        ];
        const vpc = await member.create(VPC, "m", BLOCK);
        const subnet = await member.create("aws:ec2/subnet:Subnet", "m", { vpcId: vpc.id, cidrBlock: "10.0.0.0/24" });
        const attachment = await member.create("aws:ec2transitgateway/vpcAttachment:VpcAttachment", "m", {
            transitGatewayId: a.id,
            vpcId: vpc.id,
            subnetIds: [subnet.id],
        });
        const VPC_ACCEPTER = "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter";
        const acceptedVpc = await hub.create(VPC_ACCEPTER, "m", { transitGatewayAttachmentId: attachment.id });
        expect(acceptedVpc.outputs.vpcId).toBe(vpc.id);
        expect((await hub.refresh(acceptedVpc))?.inputs).toEqual(acceptedVpc.inputs);

        await far.remove(accepted);
        for (const resource of [acceptedVpc, link, ...shared, share]) await hub.remove(resource);
        for (const resource of [attachment, subnet, vpc]) await member.remove(resource);
        await hub.remove(a);
        await far.remove(b);
        expect(aws.remains(ALL_TABLES)).toEqual([]);
    });

    test("returns the most recent version of an add-on", async () => {
        const { provider } = await run(simulatedAws());
        const invoke = provider.invoke?.("aws:eks/getAddonVersion:getAddonVersion");
        const args = { addonName: "vpc-cni", kubernetesVersion: "1.34", mostRecent: true };
        const answer = await invoke?.({ token: "", args, signal: AbortSignal.timeout(1000) });
        expect(answer?.result.version).toMatch(/^v\d+\.\d+\.\d+-eksbuild\.\d+$/);
    });
});

import { describe, expect, test } from "vitest";
import { RULES_PER_GROUP } from "../../../aws/ec2/security-groups/rules.ts";
import { refused } from "../kept-rules.ts";
import { createWorld, keeps } from "../world.ts";

const etcd = (CidrIp: string, Description = "etcd") => ({
    IpProtocol: "tcp",
    FromPort: 2379,
    ToPort: 2379,
    IpRanges: [{ CidrIp, Description }],
});
const from = (GroupId: string) => ({ IpProtocol: "-1", UserIdGroupPairs: [{ GroupId }] });

keeps("security groups", {
    "creates a group that allows all egress and no ingress": async ({ ec2, vpc, group }) => {
        const VpcId = await vpc();
        const GroupId = await group(VpcId);
        expect(GroupId).toMatch(/^sg-0[0-9a-f]{16}$/);
        expect((await ec2.describeSecurityGroups({ GroupIds: [GroupId] })).SecurityGroups[0]).toMatchObject({
            GroupName: "nodes",
            VpcId,
            IpPermissions: [],
            IpPermissionsEgress: [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
        });
    },
    "creates a second group in the VPC": async ({ vpc, group }) => {
        const VpcId = await vpc();
        expect(await group(VpcId, "a")).not.toBe(await group(VpcId, "b"));
    },
    "refuses a duplicate name in a VPC": async ({ vpc, group }) => {
        const VpcId = await vpc();
        await group(VpcId, "a");
        await refused(group(VpcId, "a"), "InvalidGroup.Duplicate", `The security group 'a' already exists for VPC '${VpcId}'`);
        await group(await vpc(), "a");
    },
    "returns the rule when ingress is authorized": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.0.0/16")] });
        expect(SecurityGroupRules).toMatchObject([
            {
                SecurityGroupRuleId: expect.stringMatching(/^sgr-0[0-9a-f]{16}$/),
                GroupId,
                IsEgress: false,
                IpProtocol: "tcp",
                FromPort: 2379,
                ToPort: 2379,
                CidrIpv4: "10.1.0.0/16",
                Description: "etcd",
            },
        ]);
    },
    "refuses a duplicate rule": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.0.0/16")] });
        await refused(
            ec2.authorizeSecurityGroupIngress({
                GroupId,
                IpPermissions: [etcd("10.2.0.0/16"), etcd("10.1.0.0/16", "another description")],
            }),
            "InvalidPermission.Duplicate",
            'the specified rule "peer: 10.1.0.0/16, TCP, from port: 2379, to port: 2379, ALLOW" already exists',
        );
        const { IpPermissions } = (await ec2.describeSecurityGroups({ GroupIds: [GroupId] })).SecurityGroups[0] ?? {};
        expect(IpPermissions?.flatMap(({ IpRanges }) => IpRanges)).toHaveLength(1);
    },
    "refuses a duplicate egress rule": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        const all = { GroupId, IpPermissions: [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }] };
        await refused(
            ec2.authorizeSecurityGroupEgress(all),
            "InvalidPermission.Duplicate",
            'the specified rule "peer: 0.0.0.0/0, ALL, ALLOW" already exists',
        );
        await ec2.revokeSecurityGroupEgress(all);
        await ec2.authorizeSecurityGroupEgress(all);
    },
    "refuses a malformed CIDR": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        await refused(
            ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.0.0/33")] }),
            "InvalidParameterValue",
            "CIDR block 10.1.0.0/33 is malformed",
        );
        const ports = { IpProtocol: "tcp", FromPort: 443, ToPort: 80, IpRanges: [{ CidrIp: "10.1.0.0/16" }] };
        await refused(ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [ports] }), "InvalidParameterValue");
        await refused(ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.0.0/16", "é")] }), "InvalidParameterValue");
    },
    "clears the host bits of a CIDR": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.2.3/16")] });
        expect(SecurityGroupRules[0]?.CidrIpv4).toBe("10.1.0.0/16");
    },
    "allows a reference to a group in a peered VPC": async ({ ec2, vpc, group, pass }) => {
        const [VpcId, PeerVpcId] = [await vpc("10.0.0.0/16"), await vpc("10.1.0.0/16")];
        const [GroupId, theirs] = [await group(VpcId), await group(PeerVpcId)];
        const refer = () => ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [from(theirs)] });
        await refused(refer(), "InvalidGroup.NotFound", "You have specified two resources that belong to different networks.");
        const { VpcPeeringConnection } = await ec2.createVpcPeeringConnection({ VpcId, PeerVpcId });
        pass(1_000);
        await refused(refer(), "InvalidGroup.NotFound");
        await ec2.acceptVpcPeeringConnection(VpcPeeringConnection);
        pass(1_000);
        expect((await refer()).SecurityGroupRules[0]?.ReferencedGroupInfo).toMatchObject({
            GroupId: theirs,
            VpcPeeringConnectionId: VpcPeeringConnection.VpcPeeringConnectionId,
        });
    },
    "refuses an unknown source group": async ({ ec2, vpc, group }) =>
        refused(
            ec2.authorizeSecurityGroupIngress({ GroupId: await group(await vpc()), IpPermissions: [from("sg-1")] }),
            "InvalidGroup.NotFound",
            "The security group 'sg-1' does not exist",
        ),
    "refuses to delete a referenced group": async ({ ec2, vpc, group }) => {
        const VpcId = await vpc();
        const [GroupId, source] = [await group(VpcId, "a"), await group(VpcId, "b")];
        await ec2.authorizeSecurityGroupIngress({ GroupId: source, IpPermissions: [from(source)] });
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [from(source)] });
        await refused(ec2.deleteSecurityGroup({ GroupId: source }), "DependencyViolation", `resource ${source} has a dependent object`);
        const ids = SecurityGroupRules.map(({ SecurityGroupRuleId }) => SecurityGroupRuleId);
        await ec2.revokeSecurityGroupIngress({ GroupId, SecurityGroupRuleIds: ids });
        await ec2.deleteSecurityGroup({ GroupId: source });
        await ec2.deleteSecurityGroup({ GroupId });
        await ec2.deleteVpc({ VpcId });
    },
    "refuses to delete the group of an interface": async ({ ec2, vpc, group, subnet }) => {
        const VpcId = await vpc();
        const GroupId = await group(VpcId);
        const { NetworkInterface } = await ec2.createNetworkInterface({ SubnetId: await subnet(VpcId), Groups: [GroupId] });
        await refused(ec2.deleteSecurityGroup({ GroupId }), "DependencyViolation", `resource ${GroupId} has a dependent object`);
        await ec2.deleteNetworkInterface(NetworkInterface);
        await ec2.deleteSecurityGroup({ GroupId });
    },
    "describes rules": async ({ ec2, vpc, group }) => {
        const VpcId = await vpc();
        const GroupId = await group(VpcId);
        const TagSpecifications = [{ ResourceType: "security-group-rule", Tags: [{ Key: "Name", Value: "etcd" }] }];
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({
            GroupId,
            IpPermissions: [etcd("10.1.0.0/16"), from(GroupId)],
            TagSpecifications,
        });
        const [first, second] = SecurityGroupRules;
        const rules = async () =>
            (await ec2.describeSecurityGroupRules({ Filters: [{ Name: "group-id", Values: [GroupId] }] })).SecurityGroupRules;
        expect(await rules()).toMatchObject([{ IsEgress: true }, first, second]);
        const id = first?.SecurityGroupRuleId ?? "";
        expect((await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [id] })).SecurityGroupRules).toEqual([first]);
        const SecurityGroupRule = { IpProtocol: "tcp", FromPort: 2379, ToPort: 2380, CidrIpv4: "10.2.0.0/16" };
        await ec2.modifySecurityGroupRules({ GroupId, SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule }] });
        const [changed] = (await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [id] })).SecurityGroupRules;
        expect(changed).toMatchObject({ ...SecurityGroupRule, Tags: [{ Key: "Name", Value: "etcd" }] });
        expect(changed).not.toHaveProperty("Description");
    },
    "refuses to revoke a missing rule": async ({ ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        await refused(
            ec2.revokeSecurityGroupIngress({ GroupId, IpPermissions: [etcd("10.1.0.0/16")] }),
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        );
        await refused(
            ec2.revokeSecurityGroupIngress({ GroupId, SecurityGroupRuleIds: ["sgr-1"] }),
            "InvalidSecurityGroupRuleId.NotFound",
            "The security group rule ID 'sgr-1' does not exist",
        );
    },
    "refuses to delete the default group": async ({ ec2, vpc }) => {
        await vpc();
        const GroupId = (await ec2.describeSecurityGroups()).SecurityGroups[0]?.GroupId ?? "";
        await refused(
            ec2.deleteSecurityGroup({ GroupId }),
            "CannotDelete",
            `the specified group: "${GroupId}" name: "default" cannot be deleted by a user`,
        );
    },
    "allows 60 rules per group by default": async ({ aws, ec2, vpc, group }) => {
        const GroupId = await group(await vpc());
        const add = (i: number) => ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [etcd(`10.${i}.0.0/16`)] });
        for (let i = 1; i <= 60; i++) await add(i);
        await refused(add(61), "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.");
        aws.setQuota({ account: "111111111111", region: "eu-west-1" }, RULES_PER_GROUP, 61);
        await add(61);
    },
});

describe("security groups: further checks", () => {
    test.each([
        ["a group without a description", { Description: undefined }, "MissingParameter"],
        ["a description beyond ASCII", { Description: "größe" }, "InvalidParameterValue"],
        ["a name like an ID", { GroupName: "sg-nodes" }, "InvalidParameterValue"],
        ["the name default", { GroupName: "default" }, "InvalidGroup.Reserved"],
        ["an unknown VPC", { VpcId: "vpc-1" }, "InvalidVpcID.NotFound"],
    ])("refuses %s", async (_, wrong, code) => {
        const { ec2, vpc } = createWorld();
        await refused(ec2.createSecurityGroup({ GroupName: "nodes", Description: "nodes", VpcId: await vpc(), ...wrong }), code);
    });

    test("refuses a rule with an unknown protocol or without a peer, and a change into an existing rule", async () => {
        const { ec2, vpc, group } = createWorld();
        const GroupId = await group(await vpc());
        const rule = (IpProtocol: string, port: number) => ({
            IpProtocol,
            FromPort: port,
            ToPort: port,
            IpRanges: [{ CidrIp: "10.1.0.0/16" }],
        });
        await refused(ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [rule("tpc", 1)] }), "InvalidParameterValue");
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [rule("tcp", 1), rule("6", 2)] });
        expect(SecurityGroupRules.map(({ IpProtocol }) => IpProtocol)).toEqual(["tcp", "tcp"]);
        const SecurityGroupRuleId = SecurityGroupRules[1]?.SecurityGroupRuleId ?? "";
        const change = (
            SecurityGroupRule: { IpProtocol: string; FromPort: number; ToPort: number; CidrIpv4?: string },
            id = SecurityGroupRuleId,
        ) => ec2.modifySecurityGroupRules({ GroupId, SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule }] });
        const tcp = { IpProtocol: "tcp", FromPort: 1, ToPort: 1 };
        await refused(change({ ...tcp, CidrIpv4: "10.1.0.0/16" }), "InvalidPermission.Duplicate");
        await refused(change(tcp), "InvalidParameterValue");
        await refused(change({ ...tcp, CidrIpv4: "10.2.0.0/16" }, "sgr-1"), "InvalidSecurityGroupRuleId.NotFound");
    });
});

import { expect } from "vitest";
import { VPCS_PER_REGION } from "../../../aws/ec2/vpc.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { keeps, type World } from "../world.ts";

const attribute = async ({ ec2, vpc }: World, name: "DnsHostnames" | "DnsSupport" | "NetworkAddressUsageMetrics") => {
    const VpcId = await vpc();
    return (await ec2.describeVpcAttribute({ VpcId, Attribute: `enable${name}` }))[`Enable${name}`];
};

keeps("VPCs", {
    "creates a VPC, which is pending and then available": async ({ ec2, pass }) => {
        const { Vpc } = await ec2.createVpc({ CidrBlock: "10.0.0.0/16" });
        expect(Vpc).toMatchObject({ CidrBlock: "10.0.0.0/16", State: "pending", OwnerId: IRELAND.account, IsDefault: false });
        expect(Vpc.VpcId).toMatch(/^vpc-0[0-9a-f]{16}$/);
        expect(Vpc).not.toHaveProperty("attributes");
        pass(1_000);
        expect((await ec2.describeVpcs({ VpcIds: [Vpc.VpcId] })).Vpcs[0]?.State).toBe("available");
    },
    "creates a second VPC": async ({ ec2, vpc }) => {
        await vpc("10.0.0.0/16");
        await vpc("10.1.0.0/16");
        expect((await ec2.describeVpcs()).Vpcs.map(({ CidrBlock }) => CidrBlock)).toEqual(["10.0.0.0/16", "10.1.0.0/16"]);
    },
    "allows two VPCs with the same CIDR": async ({ ec2, vpc }) => {
        expect(await vpc()).not.toBe(await vpc());
        expect((await ec2.describeVpcs()).Vpcs).toHaveLength(2);
    },
    "refuses a /8": ({ ec2 }) =>
        refused(ec2.createVpc({ CidrBlock: "10.0.0.0/8" }), "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."),
    "refuses a malformed CIDR": async ({ ec2 }) => {
        for (const CidrBlock of ["10.0.0.0", "10.0.0.0/33", "10.0.0/16", "300.0.0.0/16", "x"])
            await refused(
                ec2.createVpc({ CidrBlock }),
                "InvalidParameterValue",
                `Value (${CidrBlock}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`,
            );
    },
    "clears the host bits of a CIDR": async ({ ec2 }) => {
        expect((await ec2.createVpc({ CidrBlock: "10.0.7.9/16" })).Vpc.CidrBlock).toBe("10.0.0.0/16");
    },
    "changes nothing with DryRun": async ({ ec2 }) => {
        await refused(
            ec2.createVpc({ CidrBlock: "10.0.0.0/16", DryRun: true }),
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        );
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
    },
    "refuses to describe an unknown ID": ({ ec2 }) =>
        refused(ec2.describeVpcs({ VpcIds: ["vpc-1"] }), "InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist"),
    "filters by tag": async ({ ec2, vpc }) => {
        await vpc();
        const TagSpecifications = [{ ResourceType: "vpc", Tags: [{ Key: "Name", Value: "east" }] }];
        const { Vpc } = await ec2.createVpc({ CidrBlock: "10.0.0.0/16", TagSpecifications });
        expect(Vpc.Tags).toEqual([{ Key: "Name", Value: "east" }]);
        expect((await ec2.describeVpcs({ Filters: [{ Name: "tag:Name", Values: ["east"] }] })).Vpcs.map(({ VpcId }) => VpcId)).toEqual([
            Vpc.VpcId,
        ]);
        await ec2.deleteTags({ Resources: [Vpc.VpcId], Tags: [{ Key: "Name" }] });
        expect((await ec2.describeVpcs({ Filters: [{ Name: "tag:Name", Values: ["east"] }] })).Vpcs).toEqual([]);
    },
    "describes enableDnsHostnames: false by default": async (w) => expect(await attribute(w, "DnsHostnames")).toEqual({ Value: false }),
    "describes enableDnsSupport: true by default": async (w) => expect(await attribute(w, "DnsSupport")).toEqual({ Value: true }),
    "describes enableNetworkAddressUsageMetrics: false by default": async (w) =>
        expect(await attribute(w, "NetworkAddressUsageMetrics")).toEqual({ Value: false }),
    "modifies enableDnsHostnames": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await ec2.modifyVpcAttribute({ VpcId, EnableDnsHostnames: { Value: true } });
        expect(await ec2.describeVpcAttribute({ VpcId, Attribute: "enableDnsHostnames" })).toEqual({
            VpcId,
            EnableDnsHostnames: { Value: true },
        });
        expect(await ec2.describeVpcAttribute({ VpcId, Attribute: "enableDnsSupport" })).toEqual({
            VpcId,
            EnableDnsSupport: { Value: true },
        });
    },
    "creates the default network ACL, main route table and default security group": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        const Filters = [{ Name: "vpc-id", Values: [VpcId] }];
        expect((await ec2.describeNetworkAcls({ Filters })).NetworkAcls).toMatchObject([{ IsDefault: true }]);
        const { RouteTables } = await ec2.describeRouteTables({ Filters: [...Filters, { Name: "association.main", Values: ["true"] }] });
        expect(RouteTables).toMatchObject([{ Routes: [{ DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local", State: "active" }] }]);
        const { SecurityGroups } = await ec2.describeSecurityGroups({ Filters });
        expect(SecurityGroups).toMatchObject([
            {
                GroupName: "default",
                IpPermissions: [{ IpProtocol: "-1", UserIdGroupPairs: [{ GroupId: SecurityGroups[0]?.GroupId }] }],
                IpPermissionsEgress: [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
            },
        ]);
        await ec2.deleteVpc({ VpcId });
        expect((await ec2.describeNetworkAcls()).NetworkAcls).toEqual([]);
        expect((await ec2.describeRouteTables()).RouteTables).toEqual([]);
        expect((await ec2.describeSecurityGroupRules()).SecurityGroupRules).toEqual([]);
    },
    "associates a secondary CIDR": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        const { CidrBlockAssociation } = await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.0.0/16" });
        const [described] = (await ec2.describeVpcs()).Vpcs;
        expect(described?.CidrBlockAssociationSet.map(({ CidrBlock }) => CidrBlock)).toEqual(["10.0.0.0/16", "10.5.0.0/16"]);
        expect((await ec2.describeRouteTables()).RouteTables[0]?.Routes).toHaveLength(2);
        await ec2.createSubnet({ VpcId, CidrBlock: "10.5.1.0/24" });
        await refused(ec2.disassociateVpcCidrBlock({ AssociationId: CidrBlockAssociation.AssociationId }), "DependencyViolation");
    },
    "refuses an overlapping secondary CIDR": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await refused(ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.0.128.0/17" }), "InvalidVpc.Range");
        await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.0.0/16" });
        await refused(ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.1.0/24" }), "InvalidVpc.Range");
    },
    "refuses to delete a VPC with subnets": async ({ ec2, vpc, subnet }) => {
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        await refused(ec2.deleteVpc({ VpcId }), "DependencyViolation", `The vpc '${VpcId}' has dependencies and cannot be deleted.`);
        await ec2.deleteSubnet({ SubnetId });
        await ec2.deleteVpc({ VpcId });
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
    },
    "refuses to delete a VPC with an attached internet gateway": async ({ ec2, vpc, gateway }) => {
        const VpcId = await vpc();
        const InternetGatewayId = await gateway(VpcId);
        await refused(ec2.deleteVpc({ VpcId }), "DependencyViolation");
        await ec2.detachInternetGateway({ InternetGatewayId, VpcId });
        await ec2.deleteVpc({ VpcId });
    },
    "allows 5 VPCs per region by default": async ({ aws, ec2, vpc, virginia }) => {
        for (const _ of Array(5)) await vpc();
        await refused(ec2.createVpc({ CidrBlock: "10.9.0.0/16" }), "VpcLimitExceeded", "The maximum number of VPCs has been reached.");
        await virginia.createVpc({ CidrBlock: "10.9.0.0/16" });
        aws.setQuota(IRELAND, VPCS_PER_REGION, 6);
        await vpc();
    },
});

keeps("accounts", {
    "creates a VPC in a second account": async ({ others }) =>
        expect((await others.createVpc({ CidrBlock: "10.0.0.0/16" })).Vpc.OwnerId).toBe("222222222222"),
    "hides it from the first account": async ({ ec2, others, vpc }) => {
        const VpcId = await vpc("10.0.0.0/16", others);
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
        await refused(ec2.describeVpcs({ VpcIds: [VpcId] }), "InvalidVpcID.NotFound");
        await refused(ec2.deleteVpc({ VpcId }), "InvalidVpcID.NotFound");
    },
});

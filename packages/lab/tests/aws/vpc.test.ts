import { expect } from "vitest";
import { makeInterface } from "../../aws/ec2/interfaces.ts";
import { VPCS_PER_REGION } from "../../aws/ec2/vpc.ts";
import { IRELAND, keeps, refused, type World } from "./world.ts";

const attribute = async ({ ec2, vpc }: World, name: "DnsHostnames" | "DnsSupport" | "NetworkAddressUsageMetrics") => {
    const VpcId = await vpc();
    return (await ec2.describeVpcAttribute({ VpcId, Attribute: `enable${name}` }))[`Enable${name}`];
};

keeps("vpc", {
    "create 10.0.0.0/16": async ({ ec2, pass }) => {
        const { Vpc } = await ec2.createVpc({ CidrBlock: "10.0.0.0/16" });
        expect(Vpc).toMatchObject({ CidrBlock: "10.0.0.0/16", State: "pending", OwnerId: IRELAND.account, IsDefault: false });
        expect(Vpc.VpcId).toMatch(/^vpc-0[0-9a-f]{16}$/);
        expect(Vpc).not.toHaveProperty("attributes");
        pass(1_000);
        expect((await ec2.describeVpcs({ VpcIds: [Vpc.VpcId] })).Vpcs[0]?.State).toBe("available");
    },
    "create 10.1.0.0/16": async ({ ec2, vpc }) => {
        await vpc("10.0.0.0/16");
        await vpc("10.1.0.0/16");
        expect((await ec2.describeVpcs()).Vpcs.map(({ CidrBlock }) => CidrBlock)).toEqual(["10.0.0.0/16", "10.1.0.0/16"]);
    },
    "create overlapping 10.0.0.0/16": async ({ ec2, vpc }) => {
        expect(await vpc()).not.toBe(await vpc());
        expect((await ec2.describeVpcs()).Vpcs).toHaveLength(2);
    },
    "/8 refused": ({ ec2 }) => refused(ec2.createVpc({ CidrBlock: "10.0.0.0/8" }), "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."),
    "malformed cidr refused": async ({ ec2 }) => {
        for (const CidrBlock of ["10.0.0.0", "10.0.0.0/33", "10.0.0/16", "300.0.0.0/16", "x"])
            await refused(
                ec2.createVpc({ CidrBlock }),
                "InvalidParameterValue",
                `Value (${CidrBlock}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`,
            );
    },
    "host bits normalised": async ({ ec2 }) => {
        expect((await ec2.createVpc({ CidrBlock: "10.0.7.9/16" })).Vpc.CidrBlock).toBe("10.0.0.0/16");
    },
    DryRun: async ({ ec2 }) => {
        await refused(
            ec2.createVpc({ CidrBlock: "10.0.0.0/16", DryRun: true }),
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        );
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
    },
    "describe unknown id": ({ ec2 }) =>
        refused(ec2.describeVpcs({ VpcIds: ["vpc-1"] }), "InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist"),
    "describe by tag filter": async ({ ec2, vpc }) => {
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
    "DescribeVpcAttribute enableDnsHostnames": async (w) => expect(await attribute(w, "DnsHostnames")).toEqual({ Value: false }),
    "DescribeVpcAttribute enableDnsSupport": async (w) => expect(await attribute(w, "DnsSupport")).toEqual({ Value: true }),
    "DescribeVpcAttribute enableNetworkAddressUsageMetrics": async (w) =>
        expect(await attribute(w, "NetworkAddressUsageMetrics")).toEqual({ Value: false }),
    "ModifyVpcAttribute dnsHostnames": async ({ ec2, vpc }) => {
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
    "default nacl/rtb/sg exist": async ({ ec2, vpc }) => {
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
    "associate secondary CIDR": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        const { CidrBlockAssociation } = await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.0.0/16" });
        const [described] = (await ec2.describeVpcs()).Vpcs;
        expect(described?.CidrBlockAssociationSet.map(({ CidrBlock }) => CidrBlock)).toEqual(["10.0.0.0/16", "10.5.0.0/16"]);
        expect((await ec2.describeRouteTables()).RouteTables[0]?.Routes).toHaveLength(2);
        await ec2.createSubnet({ VpcId, CidrBlock: "10.5.1.0/24" });
        await refused(ec2.disassociateVpcCidrBlock({ AssociationId: CidrBlockAssociation.AssociationId }), "DependencyViolation");
    },
    "secondary CIDR overlap refused": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await refused(ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.0.128.0/17" }), "InvalidVpc.Range");
        await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.0.0/16" });
        await refused(ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.5.1.0/24" }), "InvalidVpc.Range");
    },
    "delete with subnets": async ({ ec2, vpc, subnet }) => {
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        await refused(ec2.deleteVpc({ VpcId }), "DependencyViolation", `The vpc '${VpcId}' has dependencies and cannot be deleted.`);
        await ec2.deleteSubnet({ SubnetId });
        await ec2.deleteVpc({ VpcId });
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
    },
    "delete with attached IGW": async ({ ec2, vpc, gateway }) => {
        const VpcId = await vpc();
        const InternetGatewayId = await gateway(VpcId);
        await refused(ec2.deleteVpc({ VpcId }), "DependencyViolation");
        await ec2.detachInternetGateway({ InternetGatewayId, VpcId });
        await ec2.deleteVpc({ VpcId });
    },
    "5 VPCs a region by default": async ({ aws, ec2, vpc, virginia }) => {
        for (const _ of Array(5)) await vpc();
        await refused(ec2.createVpc({ CidrBlock: "10.9.0.0/16" }), "VpcLimitExceeded", "The maximum number of VPCs has been reached.");
        await virginia.createVpc({ CidrBlock: "10.9.0.0/16" });
        aws.setQuota(IRELAND, VPCS_PER_REGION, 6);
        await vpc();
    },
});

keeps("subnet", {
    "create in range": async ({ ec2, vpc }) => {
        const { Subnet } = await ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.1.9/24", AvailabilityZone: "eu-west-1a" });
        expect(Subnet).toMatchObject({
            CidrBlock: "10.0.1.0/24",
            AvailabilityZoneId: "euw1-az1",
            AvailableIpAddressCount: 251,
            State: "available",
        });
    },
    "create second AZ": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await ec2.createSubnet({ VpcId, CidrBlock: "10.0.0.0/24", AvailabilityZone: "eu-west-1a" });
        await ec2.createSubnet({ VpcId, CidrBlock: "10.0.1.0/24", AvailabilityZone: "eu-west-1b" });
        const zones = (await ec2.describeAvailabilityZones({ Filters: [{ Name: "state", Values: ["available"] }] })).AvailabilityZones;
        expect(zones.map(({ ZoneName }) => ZoneName)).toEqual(["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
        expect((await ec2.describeSubnets()).Subnets.map((one) => one.AvailabilityZone)).toEqual(["eu-west-1a", "eu-west-1b"]);
    },
    "outside VPC CIDR": async ({ ec2, vpc }) =>
        refused(
            ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.1.0.0/24" }),
            "InvalidSubnet.Range",
            "The CIDR '10.1.0.0/24' is invalid.",
        ),
    overlap: async ({ ec2, vpc, subnet }) => {
        const VpcId = await vpc();
        await subnet(VpcId, "10.0.0.0/24");
        await refused(
            ec2.createSubnet({ VpcId, CidrBlock: "10.0.0.128/25" }),
            "InvalidSubnet.Conflict",
            "The CIDR '10.0.0.128/25' conflicts with another subnet",
        );
    },
    "/29 too small": async ({ ec2, vpc }) =>
        refused(ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.0.0/29" }), "InvalidSubnet.Range"),
    "bad AZ": async ({ ec2, vpc }) =>
        refused(
            ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.0.0/24", AvailabilityZone: "us-east-1a" }),
            "InvalidParameterValue",
            "Value (us-east-1a) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: eu-west-1a, eu-west-1b, eu-west-1c.",
        ),
    MapPublicIpOnLaunch: async ({ ec2, vpc, subnet }) => {
        const SubnetId = await subnet(await vpc());
        const shows = async () => (await ec2.describeSubnets({ SubnetIds: [SubnetId] })).Subnets[0]?.MapPublicIpOnLaunch;
        expect(await shows()).toBe(false);
        await ec2.modifySubnetAttribute({ SubnetId, MapPublicIpOnLaunch: { Value: true } });
        expect(await shows()).toBe(true);
    },
    "delete with NAT inside": async ({ ec2, vpc, subnet, gateway, minutes }) => {
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        await gateway(VpcId);
        const { AllocationId } = await ec2.allocateAddress();
        const { NatGatewayId } = (await ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway;
        const dependent = () =>
            refused(
                ec2.deleteSubnet({ SubnetId }),
                "DependencyViolation",
                `The subnet '${SubnetId}' has dependencies and cannot be deleted.`,
            );
        await dependent();
        await ec2.deleteNatGateway({ NatGatewayId });
        await dependent();
        minutes(1);
        await ec2.deleteSubnet({ SubnetId });
    },
    "delete with the interface of another service inside": async ({ aws, ec2, vpc, subnet }) => {
        const SubnetId = await subnet(await vpc());
        const { NetworkInterfaceId } = aws.edit(IRELAND, (scope) => makeInterface(scope, { SubnetId, RequesterId: "amazon-elb" }));
        await refused(ec2.deleteSubnet({ SubnetId }), "DependencyViolation");
        await refused(
            ec2.deleteNetworkInterface({ NetworkInterfaceId }),
            "InvalidParameterValue",
            `Network interface '${NetworkInterfaceId}' is currently in use.`,
        );
    },
    "CIDR reservation keeps addresses from being given out": async ({ ec2, vpc, subnet }) => {
        const SubnetId = await subnet(await vpc(), "10.0.0.0/26");
        await ec2.createSubnetCidrReservation({ SubnetId, Cidr: "10.0.0.0/28", ReservationType: "explicit" });
        await refused(
            ec2.createSubnetCidrReservation({ SubnetId, Cidr: "10.0.0.0/27", ReservationType: "explicit" }),
            "InvalidParameterValue",
        );
        await refused(
            ec2.createSubnetCidrReservation({ SubnetId, Cidr: "10.0.9.0/28", ReservationType: "explicit" }),
            "InvalidParameterValue",
        );
        const make = async (PrivateIpAddress?: string) =>
            (await ec2.createNetworkInterface({ SubnetId, ...(PrivateIpAddress && { PrivateIpAddress }) })).NetworkInterface
                .PrivateIpAddress;
        expect(await make()).toBe("10.0.0.16");
        expect(await make("10.0.0.7")).toBe("10.0.0.7");
        await refused(make("10.0.0.7"), "InvalidIPAddress.InUse");
        await refused(make("10.0.0.3"), "InvalidParameterValue");
        expect((await ec2.describeSubnets()).Subnets[0]?.AvailableIpAddressCount).toBe(64 - 5 - 2);
        const [reservation] = (await ec2.getSubnetCidrReservations({ SubnetId })).SubnetIpv4CidrReservations;
        await ec2.deleteSubnetCidrReservation({ SubnetCidrReservationId: reservation?.SubnetCidrReservationId ?? "" });
        expect(await make()).toBe("10.0.0.4");
    },
});

keeps("acct2", {
    "create VPC": async ({ others }) => expect((await others.createVpc({ CidrBlock: "10.0.0.0/16" })).Vpc.OwnerId).toBe("222222222222"),
    "invisible from account 1": async ({ ec2, others, vpc }) => {
        const VpcId = await vpc("10.0.0.0/16", others);
        expect((await ec2.describeVpcs()).Vpcs).toEqual([]);
        await refused(ec2.describeVpcs({ VpcIds: [VpcId] }), "InvalidVpcID.NotFound");
        await refused(ec2.deleteVpc({ VpcId }), "InvalidVpcID.NotFound");
    },
});

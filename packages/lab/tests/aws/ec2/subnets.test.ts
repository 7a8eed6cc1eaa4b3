import { expect } from "vitest";
import { createInterface } from "../../../aws/ec2/interfaces.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { keeps } from "../world.ts";

keeps("subnets", {
    "creates a subnet within the VPC's CIDR": async ({ ec2, vpc }) => {
        const { Subnet } = await ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.1.9/24", AvailabilityZone: "eu-west-1a" });
        expect(Subnet).toMatchObject({
            CidrBlock: "10.0.1.0/24",
            AvailabilityZoneId: "euw1-az1",
            AvailableIpAddressCount: 251,
            State: "available",
        });
    },
    "creates a subnet in a second Availability Zone": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await ec2.createSubnet({ VpcId, CidrBlock: "10.0.0.0/24", AvailabilityZone: "eu-west-1a" });
        await ec2.createSubnet({ VpcId, CidrBlock: "10.0.1.0/24", AvailabilityZone: "eu-west-1b" });
        const zones = (await ec2.describeAvailabilityZones({ Filters: [{ Name: "state", Values: ["available"] }] })).AvailabilityZones;
        expect(zones.map(({ ZoneName }) => ZoneName)).toEqual(["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
        expect((await ec2.describeSubnets()).Subnets.map(({ AvailabilityZone }) => AvailabilityZone)).toEqual(["eu-west-1a", "eu-west-1b"]);
    },
    "refuses a CIDR outside the VPC's": async ({ ec2, vpc }) =>
        refused(
            ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.1.0.0/24" }),
            "InvalidSubnet.Range",
            "The CIDR '10.1.0.0/24' is invalid.",
        ),
    "refuses a CIDR that overlaps another subnet": async ({ ec2, vpc, subnet }) => {
        const VpcId = await vpc();
        await subnet(VpcId, "10.0.0.0/24");
        await refused(
            ec2.createSubnet({ VpcId, CidrBlock: "10.0.0.128/25" }),
            "InvalidSubnet.Conflict",
            "The CIDR '10.0.0.128/25' conflicts with another subnet",
        );
    },
    "refuses a /29 as too small": async ({ ec2, vpc }) =>
        refused(ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.0.0/29" }), "InvalidSubnet.Range"),
    "refuses an Availability Zone of another region": async ({ ec2, vpc }) =>
        refused(
            ec2.createSubnet({ VpcId: await vpc(), CidrBlock: "10.0.0.0/24", AvailabilityZone: "us-east-1a" }),
            "InvalidParameterValue",
            "Value (us-east-1a) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: eu-west-1a, eu-west-1b, eu-west-1c.",
        ),
    "modifies MapPublicIpOnLaunch": async ({ ec2, vpc, subnet }) => {
        const SubnetId = await subnet(await vpc());
        const shows = async () => (await ec2.describeSubnets({ SubnetIds: [SubnetId] })).Subnets[0]?.MapPublicIpOnLaunch;
        expect(await shows()).toBe(false);
        await ec2.modifySubnetAttribute({ SubnetId, MapPublicIpOnLaunch: { Value: true } });
        expect(await shows()).toBe(true);
    },
    "refuses to delete a subnet with a NAT gateway": async ({ ec2, vpc, subnet, gateway, minutes }) => {
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
    "refuses to delete a subnet with an interface of another service": async ({ aws, ec2, vpc, subnet }) => {
        const SubnetId = await subnet(await vpc());
        const { NetworkInterfaceId } = aws.edit(IRELAND, (scope) => createInterface(scope, { SubnetId, RequesterId: "amazon-elb" }));
        await refused(ec2.deleteSubnet({ SubnetId }), "DependencyViolation");
        await refused(
            ec2.deleteNetworkInterface({ NetworkInterfaceId }),
            "InvalidParameterValue",
            `Network interface '${NetworkInterfaceId}' is currently in use.`,
        );
    },
    "does not assign addresses of a CIDR reservation": async ({ ec2, vpc, subnet }) => {
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

import type * as aws from "@pulumi/aws";
import type { Kind, Plain } from "../kind.ts";
import { byMark, ec2Tagging, tagged, tagMap } from "./common.ts";

export const subnet: Kind<Plain<aws.ec2.SubnetArgs>, Plain<aws.ec2.SubnetState>> = {
    noun: "EC2 Subnet",
    forceNew: ["vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"],
    defaults: { mapPublicIpOnLaunch: false },
    computed: ["arn", "availabilityZone", "availabilityZoneId", "ownerId", "privateDnsHostnameTypeOnLaunch"],
    tagging: ec2Tagging,
    find: {
        marked: async (context) =>
            (await context.api.ec2.describeSubnets({ Filters: byMark(context) })).Subnets.map(({ SubnetId }) => SubnetId),
    },
    make: async (context, inputs) => {
        const { Subnet } = await context.api.ec2.createSubnet({
            VpcId: inputs.vpcId,
            CidrBlock: inputs.cidrBlock,
            AvailabilityZone: inputs.availabilityZone,
            AvailabilityZoneId: inputs.availabilityZoneId,
            ...tagged(context, "subnet"),
        });
        return Subnet.SubnetId;
    },
    settle: async ({ api }, id, { mapPublicIpOnLaunch = false }) => {
        const { Subnets } = await api.ec2.describeSubnets({ SubnetIds: [id] });
        if (Subnets[0]?.MapPublicIpOnLaunch !== mapPublicIpOnLaunch)
            await api.ec2.modifySubnetAttribute({ SubnetId: id, MapPublicIpOnLaunch: { Value: mapPublicIpOnLaunch } });
    },
    read: async ({ api }, id) => {
        const { Subnets } = await api.ec2.describeSubnets({ SubnetIds: [id] });
        const [found] = Subnets;
        return (
            found && {
                arn: found.SubnetArn,
                vpcId: found.VpcId,
                cidrBlock: found.CidrBlock,
                availabilityZone: found.AvailabilityZone,
                availabilityZoneId: found.AvailabilityZoneId,
                mapPublicIpOnLaunch: found.MapPublicIpOnLaunch,
                ownerId: found.OwnerId,
                privateDnsHostnameTypeOnLaunch: found.PrivateDnsNameOptionsOnLaunch.HostnameType,
                tags: tagMap(found.Tags),
            }
        );
    },
    // Its one attribute is brought to what is wanted in `settle`.
    update: async () => undefined,
    remove: ({ api }, id) => api.ec2.deleteSubnet({ SubnetId: id }),
};

/** AWS tells reservations by their subnet only, so the id alone does not find one. The real provider knows no tags of it either. */
export const subnetCidrReservation: Kind<Plain<aws.ec2.SubnetCidrReservationArgs>, Plain<aws.ec2.SubnetCidrReservationState>> = {
    noun: "EC2 Subnet CIDR Reservation",
    forceNew: ["subnetId", "cidrBlock", "reservationType", "description"],
    computed: ["ownerId"],
    find: {
        marked: async ({ api, mark }, { subnetId }) => {
            const { SubnetIpv4CidrReservations } = await api.ec2.getSubnetCidrReservations({ SubnetId: subnetId });
            return SubnetIpv4CidrReservations.filter(({ Tags }) => tagMap(Tags)[mark.key] === mark.value).map(
                (one) => one.SubnetCidrReservationId,
            );
        },
    },
    make: async (context, { subnetId, cidrBlock, reservationType, description }) => {
        const { SubnetCidrReservation } = await context.api.ec2.createSubnetCidrReservation({
            SubnetId: subnetId,
            Cidr: cidrBlock,
            ReservationType: reservationType as "explicit" | "prefix",
            Description: description,
            ...tagged(context, "subnet-cidr-reservation"),
        });
        return SubnetCidrReservation.SubnetCidrReservationId;
    },
    read: async ({ api }, id, { subnetId }) => {
        const { SubnetIpv4CidrReservations } = await api.ec2.getSubnetCidrReservations({ SubnetId: subnetId });
        const found = SubnetIpv4CidrReservations.find((one) => one.SubnetCidrReservationId === id);
        return (
            found && {
                subnetId: found.SubnetId,
                cidrBlock: found.Cidr,
                reservationType: found.ReservationType,
                description: found.Description,
                ownerId: found.OwnerId,
            }
        );
    },
    remove: async ({ api }, id) => {
        await api.ec2.deleteSubnetCidrReservation({ SubnetCidrReservationId: id });
    },
};

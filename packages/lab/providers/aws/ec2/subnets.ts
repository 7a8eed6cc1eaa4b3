import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "../definition.ts";
import { ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

export const subnet: ResourceDefinition<Plain<aws.ec2.SubnetArgs>, Plain<aws.ec2.SubnetState>> = {
    noun: "EC2 Subnet",
    forceNew: ["vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"],
    defaults: { mapPublicIpOnLaunch: false },
    computed: ["arn", "availabilityZone", "availabilityZoneId", "ownerId", "privateDnsHostnameTypeOnLaunch"],
    tagging: ec2Tagging,
    find: {
        byMark: async (context) =>
            (await context.api.ec2.describeSubnets({ Filters: markFilter(context) })).Subnets.map(({ SubnetId }) => SubnetId),
    },
    create: async (context, inputs) => {
        const { Subnet } = await context.api.ec2.createSubnet({
            VpcId: inputs.vpcId,
            CidrBlock: inputs.cidrBlock,
            AvailabilityZone: inputs.availabilityZone,
            AvailabilityZoneId: inputs.availabilityZoneId,
            ...tagSpecifications(context, "subnet"),
        });
        return Subnet.SubnetId;
    },
    reconcile: async ({ api }, id, { mapPublicIpOnLaunch = false }) => {
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
    // `reconcile` sets mapPublicIpOnLaunch, the only attribute that can change.
    update: async () => undefined,
    delete: ({ api }, id) => api.ec2.deleteSubnet({ SubnetId: id }),
};

/** AWS lists reservations by subnet only, so the id alone does not find one. The real provider does not support tags on it either. */
export const subnetCidrReservation: ResourceDefinition<
    Plain<aws.ec2.SubnetCidrReservationArgs>,
    Plain<aws.ec2.SubnetCidrReservationState>
> = {
    noun: "EC2 Subnet CIDR Reservation",
    forceNew: ["subnetId", "cidrBlock", "reservationType", "description"],
    computed: ["ownerId"],
    find: {
        byMark: async ({ api, mark }, { subnetId }) => {
            const { SubnetIpv4CidrReservations } = await api.ec2.getSubnetCidrReservations({ SubnetId: subnetId });
            return SubnetIpv4CidrReservations.filter(({ Tags }) => tagMap(Tags)[mark.key] === mark.value).map(
                ({ SubnetCidrReservationId }) => SubnetCidrReservationId,
            );
        },
    },
    create: async (context, { subnetId, cidrBlock, reservationType, description }) => {
        const { SubnetCidrReservation } = await context.api.ec2.createSubnetCidrReservation({
            SubnetId: subnetId,
            Cidr: cidrBlock,
            ReservationType: reservationType as "explicit" | "prefix",
            Description: description,
            ...tagSpecifications(context, "subnet-cidr-reservation"),
        });
        return SubnetCidrReservation.SubnetCidrReservationId;
    },
    read: async ({ api }, id, { subnetId }) => {
        const { SubnetIpv4CidrReservations } = await api.ec2.getSubnetCidrReservations({ SubnetId: subnetId });
        const found = SubnetIpv4CidrReservations.find(({ SubnetCidrReservationId }) => SubnetCidrReservationId === id);
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
    delete: async ({ api }, id) => {
        await api.ec2.deleteSubnetCidrReservation({ SubnetCidrReservationId: id });
    },
};

import { contains, overlap } from "../../../../core/network/cidr.ts";
import { parseCidr, prefixOf, sizeOf } from "../cidr.ts";
import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { dependencies, invalidCidr, invalidValue, missing } from "./errors.ts";
import { usedAddresses } from "./subnet-addresses.ts";
import { cidrBlocksOf, interfaces, reservations, routeTables, type Subnet, shown, subnets, vpcs } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";
import { zonesOf } from "./zones.ts";

export const SUBNETS_PER_VPC: Quota = { code: "L-407747CB", default: 200 };

/** Number of addresses that AWS reserves in each subnet: the first four and the last. */
const RESERVED = 5;

/** The actions on subnets. */
export const subnetActions = (scope: Scope) => {
    const rows = subnets.in(scope);
    const need = (id: string) => rows.need(id, () => missing("subnet", id));
    const show = (subnet: Readonly<Subnet>) => ({
        ...shown(subnet, tagsOf(scope, subnet.SubnetId)),
        AvailableIpAddressCount: sizeOf(subnet.CidrBlock) - RESERVED - usedAddresses(scope, subnet.SubnetId).size,
    });

    return {
        createSubnet: (request: {
            VpcId: string;
            CidrBlock?: string;
            AvailabilityZone?: string;
            AvailabilityZoneId?: string;
            TagSpecifications?: TagSpecification[];
            DryRun?: boolean;
        }) => {
            const { VpcId } = request;
            const vpc = vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            const cidr = parseCidr(request.CidrBlock);
            if (!cidr) throw invalidCidr(request.CidrBlock, "cidrBlock");
            if (prefixOf(cidr) < 16 || prefixOf(cidr) > 28 || !cidrBlocksOf(vpc).some((block) => contains(block, cidr)))
                throw new AwsError("InvalidSubnet.Range", `The CIDR '${cidr}' is invalid.`);
            const siblings = rows.list().filter((sibling) => sibling.VpcId === VpcId);
            if (siblings.some((sibling) => overlap(sibling.CidrBlock, cidr)))
                throw new AwsError("InvalidSubnet.Conflict", `The CIDR '${cidr}' conflicts with another subnet`);
            if (siblings.length >= scope.quota(SUBNETS_PER_VPC))
                throw new AwsError("SubnetLimitExceeded", "The maximum number of subnets has been reached.");
            const zone = zoneFor(scope, request);
            const SubnetId = scope.id("subnet");
            const subnet = rows.put(SubnetId, {
                SubnetId,
                SubnetArn: scope.arn("ec2", `subnet/${SubnetId}`),
                VpcId,
                CidrBlock: cidr,
                AvailabilityZone: zone.ZoneName,
                AvailabilityZoneId: zone.ZoneId,
                State: "available",
                OwnerId: scope.account,
                MapPublicIpOnLaunch: false,
                AssignIpv6AddressOnCreation: false,
                DefaultForAz: false,
                EnableDns64: false,
                MapCustomerOwnedIpOnLaunch: false,
                Ipv6CidrBlockAssociationSet: [],
                PrivateDnsNameOptionsOnLaunch: {
                    HostnameType: "ip-name",
                    EnableResourceNameDnsARecord: false,
                    EnableResourceNameDnsAAAARecord: false,
                },
            });
            tagNew(scope, "subnet", SubnetId, request.TagSpecifications);
            return { Subnet: show(subnet) };
        },

        describeSubnets: ({ SubnetIds, Filters }: { SubnetIds?: string[]; Filters?: Filter[] } = {}) => ({
            Subnets: filtered((SubnetIds?.map(need) ?? rows.list()).map(show), Filters, {
                "subnet-id": ({ SubnetId }) => SubnetId,
                "vpc-id": ({ VpcId }) => VpcId,
                "cidr-block": ({ CidrBlock }) => CidrBlock,
                "availability-zone": ({ AvailabilityZone }) => AvailabilityZone,
                "availability-zone-id": ({ AvailabilityZoneId }) => AvailabilityZoneId,
                state: ({ State }) => State,
                "map-public-ip-on-launch": ({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch,
            }),
        }),

        modifySubnetAttribute: ({ SubnetId, MapPublicIpOnLaunch }: { SubnetId: string; MapPublicIpOnLaunch?: { Value: boolean } }) => {
            need(SubnetId);
            if (MapPublicIpOnLaunch) rows.update(SubnetId, { MapPublicIpOnLaunch: MapPublicIpOnLaunch.Value });
        },

        deleteSubnet: ({ SubnetId }: { SubnetId: string }) => {
            need(SubnetId);
            if (
                interfaces
                    .in(scope)
                    .list()
                    .some((eni) => eni.SubnetId === SubnetId)
            )
                throw dependencies("subnet", SubnetId);
            for (const { SubnetCidrReservationId } of reservations
                .in(scope)
                .list()
                .filter((reservation) => reservation.SubnetId === SubnetId))
                reservations.in(scope).delete(SubnetCidrReservationId);
            for (const table of routeTables.in(scope).list())
                if (table.Associations.some((association) => association.SubnetId === SubnetId))
                    routeTables.in(scope).update(table.RouteTableId, {
                        Associations: table.Associations.filter((association) => association.SubnetId !== SubnetId),
                    });
            rows.delete(SubnetId);
            deleteTagsOf(scope, SubnetId);
        },
    };
};

function zoneFor(scope: Scope, request: { AvailabilityZone?: string; AvailabilityZoneId?: string }) {
    const zones = zonesOf(scope.region);
    const { AvailabilityZone: name, AvailabilityZoneId: id } = request;
    const zone = zones.find(({ ZoneName, ZoneId }) => (name === undefined || name === ZoneName) && (id === undefined || id === ZoneId));
    if (!zone)
        throw invalidValue(
            `Value (${name ?? id}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: ${zones.map(({ ZoneName }) => ZoneName).join(", ")}.`,
        );
    return zone;
}

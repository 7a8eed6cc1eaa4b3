import { contains, overlap } from "../../../../core/network/cidr.ts";
import { parseCidr } from "../cidr.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { invalidCidr, invalidValue, missing } from "./errors.ts";
import { reservations, shown, subnets } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

/** The actions on CIDR reservations of subnets. */
export const cidrReservationActions = (scope: Scope) => {
    const rows = reservations.in(scope);
    const needSubnet = (id: string) => subnets.in(scope).need(id, () => missing("subnet", id));

    return {
        createSubnetCidrReservation: (request: {
            SubnetId: string;
            Cidr: string;
            ReservationType: "explicit" | "prefix";
            Description?: string;
            TagSpecifications?: TagSpecification[];
        }) => {
            const { SubnetId, ReservationType, Description } = request;
            const subnet = needSubnet(SubnetId);
            const cidr = parseCidr(request.Cidr);
            if (!cidr) throw invalidCidr(request.Cidr, "cidr");
            if (!contains(subnet.CidrBlock, cidr))
                throw invalidValue(`The CIDR '${cidr}' is not within the CIDR range of the subnet '${SubnetId}'`);
            const others = rows.list().filter((reservation) => reservation.SubnetId === SubnetId);
            if (others.some((reservation) => overlap(reservation.Cidr, cidr)))
                throw invalidValue(`The CIDR '${cidr}' overlaps with an existing CIDR reservation in the subnet '${SubnetId}'`);
            const SubnetCidrReservationId = scope.id("scr");
            const created = rows.put(SubnetCidrReservationId, {
                SubnetCidrReservationId,
                SubnetId,
                Cidr: cidr,
                ReservationType,
                OwnerId: scope.account,
                ...(Description !== undefined && { Description }),
            });
            tagNew(scope, "subnet-cidr-reservation", SubnetCidrReservationId, request.TagSpecifications);
            return { SubnetCidrReservation: shown(created, tagsOf(scope, SubnetCidrReservationId)) };
        },

        getSubnetCidrReservations: ({ SubnetId, Filters }: { SubnetId: string; Filters?: Filter[] }) => {
            needSubnet(SubnetId);
            const all = rows.list().filter((reservation) => reservation.SubnetId === SubnetId);
            const withTags = all.map((reservation) => shown(reservation, tagsOf(scope, reservation.SubnetCidrReservationId)));
            return {
                SubnetIpv4CidrReservations: filtered(withTags, Filters, { reservationType: ({ ReservationType }) => ReservationType }),
                SubnetIpv6CidrReservations: [],
            };
        },

        deleteSubnetCidrReservation: ({ SubnetCidrReservationId: id }: { SubnetCidrReservationId: string }) => {
            const deleted = rows.need(id, () => missing("reservation", id));
            rows.delete(id);
            deleteTagsOf(scope, id);
            return { DeletedSubnetCidrReservation: shown(deleted, []) };
        },
    };
};

import { addressAt } from "../../../../core/network/cidr.ts";
import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { missing } from "./errors.ts";
import { type Address, addresses, shown } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

export const ADDRESSES_PER_REGION: Quota = { code: "L-0263D0A3", default: 5 };

/** Public addresses come from the range that RFC 2544 reserves for benchmarks: none of them is routed on the internet. */
const PUBLIC_RANGE = "198.18.0.0/15";

/** The actions on Elastic IP addresses. */
export const elasticIpActions = (scope: Scope) => {
    const rows = addresses.in(scope);
    const need = (id: string) => rows.need(id, () => missing("allocation", id));
    const show = (row: Readonly<Address>) => shown(row, tagsOf(scope, row.AllocationId));

    return {
        allocateAddress: ({ TagSpecifications }: { Domain?: "vpc"; TagSpecifications?: TagSpecification[] } = {}) => {
            if (rows.list().length >= scope.quota(ADDRESSES_PER_REGION))
                throw new AwsError("AddressLimitExceeded", "The maximum number of addresses has been reached.");
            const AllocationId = scope.id("eipalloc");
            const created = rows.put(AllocationId, {
                AllocationId,
                // The counter grows with every ID, so addresses are unique.
                PublicIp: addressAt(PUBLIC_RANGE, scope.memory.state.counter % 2 ** 17),
                Domain: "vpc",
                PublicIpv4Pool: "amazon",
                NetworkBorderGroup: scope.region,
            });
            tagNew(scope, "elastic-ip", AllocationId, TagSpecifications);
            return show(created);
        },

        describeAddresses: ({
            AllocationIds,
            PublicIps,
            Filters,
        }: {
            AllocationIds?: string[];
            PublicIps?: string[];
            Filters?: Filter[];
        } = {}) => ({
            Addresses: filtered(
                (AllocationIds?.map(need) ?? rows.list()).filter((address) => !PublicIps || PublicIps.includes(address.PublicIp)).map(show),
                Filters,
                {
                    "allocation-id": (address) => address.AllocationId,
                    "association-id": (address) => address.AssociationId,
                    "public-ip": (address) => address.PublicIp,
                    "network-interface-id": (address) => address.NetworkInterfaceId,
                    domain: (address) => address.Domain,
                },
            ),
        }),

        disassociateAddress: ({ AssociationId }: { AssociationId: string }) => {
            const address = rows.list().find((candidate) => candidate.AssociationId === AssociationId);
            if (!address) throw missing("association", AssociationId);
            // Only NAT gateways and load balancers have addresses here, and these keep their addresses for life.
            throw new AwsError("AuthFailure", "You do not have permission to access the specified resource.");
        },

        releaseAddress: ({ AllocationId }: { AllocationId: string }) => {
            const { PublicIp, AssociationId } = need(AllocationId);
            if (AssociationId) throw new AwsError("InvalidIPAddress.InUse", `Address ${PublicIp} is in use.`);
            rows.delete(AllocationId);
            deleteTagsOf(scope, AllocationId);
        },
    };
};

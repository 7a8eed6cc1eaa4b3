import { addressAt } from "../../../../core/network/cidr.ts";
import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { dependencies, invalidValue, missing } from "./errors.ts";
import { type Address, addresses, type InternetGateway, interfaces, internetGateways, shown, vpcs } from "./tables.ts";
import { forgetTags, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

export const INTERNET_GATEWAYS_PER_REGION: Quota = { code: "L-A4707A72", default: 5 };
export const ADDRESSES_PER_REGION: Quota = { code: "L-0263D0A3", default: 5 };

/** Public addresses are taken from the range that RFC 2544 sets aside: none of them leads anywhere real. */
const PUBLIC_RANGE = "198.18.0.0/15";

/** Internet gateways. */
export const internetGatewayActions = (scope: Scope) => {
    const rows = internetGateways.in(scope);
    const need = (id: string) => rows.need(id, () => missing("internetGateway", id));
    const show = (row: Readonly<InternetGateway>) => shown(row, tagsOf(scope, row.InternetGatewayId));

    return {
        createInternetGateway: ({ TagSpecifications }: { TagSpecifications?: TagSpecification[] } = {}) => {
            if (rows.list().length >= scope.quota(INTERNET_GATEWAYS_PER_REGION))
                throw new AwsError("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.");
            const InternetGatewayId = scope.id("igw");
            const made = rows.put(InternetGatewayId, { InternetGatewayId, OwnerId: scope.account, Attachments: [] });
            tagNew(scope, "internet-gateway", InternetGatewayId, TagSpecifications);
            return { InternetGateway: show(made) };
        },

        describeInternetGateways: ({ InternetGatewayIds, Filters }: { InternetGatewayIds?: string[]; Filters?: Filter[] } = {}) => ({
            InternetGateways: filtered((InternetGatewayIds?.map(need) ?? rows.list()).map(show), Filters, {
                "internet-gateway-id": (one) => one.InternetGatewayId,
                "attachment.vpc-id": ({ Attachments }) => Attachments.map(({ VpcId }) => VpcId),
                "attachment.state": ({ Attachments }) => Attachments.map(({ State }) => State),
            }),
        }),

        attachInternetGateway: ({ InternetGatewayId: id, VpcId }: { InternetGatewayId: string; VpcId: string }) => {
            const [attached] = need(id).Attachments;
            vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            if (attached)
                throw new AwsError("Resource.AlreadyAssociated", `resource ${id} is already attached to network ${attached.VpcId}`);
            if (rows.list().some(({ Attachments }) => Attachments.some((one) => one.VpcId === VpcId)))
                throw invalidValue(`Network ${VpcId} already has an internet gateway attached`);
            rows.update(id, { Attachments: [{ State: "available", VpcId }] });
        },

        detachInternetGateway: ({ InternetGatewayId: id, VpcId }: { InternetGatewayId: string; VpcId: string }) => {
            if (!need(id).Attachments.some((one) => one.VpcId === VpcId))
                throw new AwsError("Gateway.NotAttached", `resource ${id} is not attached to network ${VpcId}`);
            if (
                interfaces
                    .in(scope)
                    .list()
                    .some((one) => one.VpcId === VpcId && one.Association)
            )
                throw new AwsError(
                    "DependencyViolation",
                    `Network ${VpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
                );
            rows.update(id, { Attachments: [] });
        },

        deleteInternetGateway: ({ InternetGatewayId: id }: { InternetGatewayId: string }) => {
            if (need(id).Attachments.length > 0) throw dependencies("internetGateway", id);
            rows.delete(id);
            forgetTags(scope, id);
        },
    };
};

/** Elastic IP addresses. */
export const addressActions = (scope: Scope) => {
    const rows = addresses.in(scope);
    const need = (id: string) => rows.need(id, () => missing("allocation", id));
    const show = (row: Readonly<Address>) => shown(row, tagsOf(scope, row.AllocationId));

    return {
        allocateAddress: ({ TagSpecifications }: { Domain?: "vpc"; TagSpecifications?: TagSpecification[] } = {}) => {
            if (rows.list().length >= scope.quota(ADDRESSES_PER_REGION))
                throw new AwsError("AddressLimitExceeded", "The maximum number of addresses has been reached.");
            const AllocationId = scope.id("eipalloc");
            const made = rows.put(AllocationId, {
                AllocationId,
                // No two ids have the same number, so that no two addresses are the same.
                PublicIp: addressAt(PUBLIC_RANGE, scope.memory.state.counter % 2 ** 17),
                Domain: "vpc",
                PublicIpv4Pool: "amazon",
                NetworkBorderGroup: scope.region,
            });
            tagNew(scope, "elastic-ip", AllocationId, TagSpecifications);
            return show(made);
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
                (AllocationIds?.map(need) ?? rows.list()).filter((one) => !PublicIps || PublicIps.includes(one.PublicIp)).map(show),
                Filters,
                {
                    "allocation-id": (one) => one.AllocationId,
                    "association-id": (one) => one.AssociationId,
                    "public-ip": (one) => one.PublicIp,
                    "network-interface-id": (one) => one.NetworkInterfaceId,
                    domain: (one) => one.Domain,
                },
            ),
        }),

        disassociateAddress: ({ AssociationId }: { AssociationId: string }) => {
            const address = rows.list().find((one) => one.AssociationId === AssociationId);
            if (!address) throw missing("association", AssociationId);
            // All that have addresses here are gateways and load balancers, whose addresses are theirs while they live.
            throw new AwsError("AuthFailure", "You do not have permission to access the specified resource.");
        },

        releaseAddress: ({ AllocationId }: { AllocationId: string }) => {
            const { PublicIp, AssociationId } = need(AllocationId);
            if (AssociationId) throw new AwsError("InvalidIPAddress.InUse", `Address ${PublicIp} is in use.`);
            rows.delete(AllocationId);
            forgetTags(scope, AllocationId);
        },
    };
};

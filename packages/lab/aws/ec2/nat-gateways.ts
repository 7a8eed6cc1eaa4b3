import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { missing } from "./errors.ts";
import { createInterface } from "./interfaces.ts";
import {
    type Address,
    addresses,
    interfaces,
    internetGateways,
    type NatGateway,
    type NetworkInterface,
    natGateways,
    shown,
    subnets,
} from "./tables.ts";
import { type TagSpecification, tagNew, tagsOf } from "./tags.ts";

export const NAT_GATEWAYS_PER_ZONE: Quota = { code: "L-FE5A380F", default: 5 };

/** The actions on NAT gateways. */
export const natGatewayActions = (scope: Scope) => {
    const rows = natGateways.in(scope);
    const need = (id: string) => rows.need(id, () => missing("natGateway", id));
    const show = (row: Readonly<NatGateway>) => shown(row, tagsOf(scope, row.NatGatewayId));
    /** AWS shows a deleted NAT gateway for an hour. */
    const forget = { after: 3_600_000, fixed: true, set: null };

    return {
        createNatGateway: (request: {
            SubnetId: string;
            AllocationId?: string;
            ConnectivityType?: NatGateway["ConnectivityType"];
            PrivateIpAddress?: string;
            TagSpecifications?: TagSpecification[];
        }) => {
            const { SubnetId, AllocationId, ConnectivityType = "public", PrivateIpAddress } = request;
            const { VpcId, AvailabilityZone } = subnets.in(scope).need(SubnetId, () => missing("subnet", SubnetId));
            if (ConnectivityType === "public" && !AllocationId)
                throw new AwsError(
                    "MissingParameter",
                    "The request must include the AllocationId parameter. Add the required parameter and retry the request.",
                );
            const address = AllocationId ? addresses.in(scope).need(AllocationId, () => missing("allocation", AllocationId)) : undefined;
            const zoneOf = (id: string) => subnets.in(scope).get(id)?.AvailabilityZone;
            const live = rows.list().filter((gateway) => !natGateways.gone(gateway) && zoneOf(gateway.SubnetId) === AvailabilityZone);
            if (live.length >= scope.quota(NAT_GATEWAYS_PER_ZONE))
                throw new AwsError("NatGatewayLimitExceeded", "The maximum number of NAT Gateways has been reached.");

            const NatGatewayId = scope.id("nat");
            const CreateTime = scope.now.toISOString();
            const nat = { NatGatewayId, SubnetId, VpcId, State: "pending" as const, ConnectivityType, CreateTime };
            tagNew(scope, "natgateway", NatGatewayId, request.TagSpecifications);
            const failure = failureOf(address, ConnectivityType === "public" && !hasInternet(scope, VpcId) ? VpcId : undefined);
            if (failure) {
                scope.schedule(natGateways, NatGatewayId, [{ after: 10_000, set: { State: "failed", ...failure } }, forget]);
                return { NatGateway: show(rows.put(NatGatewayId, { ...nat, NatGatewayAddresses: [] })) };
            }
            const eni = createInterface(scope, {
                SubnetId,
                PrivateIpAddress,
                Description: `Interface for NAT Gateway ${NatGatewayId}`,
                InterfaceType: "nat_gateway",
                RequesterId: "amazon-nat-gateway",
            });
            const AssociationId = address && associateAddress(scope, address, eni);
            const created = rows.put(NatGatewayId, {
                ...nat,
                NatGatewayAddresses: [
                    {
                        ...(address && { AllocationId, AssociationId, PublicIp: address.PublicIp }),
                        NetworkInterfaceId: eni.NetworkInterfaceId,
                        PrivateIp: eni.PrivateIpAddress,
                        IsPrimary: true,
                        Status: "succeeded",
                    },
                ],
            });
            scope.schedule(natGateways, NatGatewayId, [{ after: 100_000, set: { State: "available" } }]);
            return { NatGateway: show(created) };
        },

        describeNatGateways: ({ NatGatewayIds, Filter }: { NatGatewayIds?: string[]; Filter?: Filter[] } = {}) => ({
            NatGateways: filtered((NatGatewayIds?.map(need) ?? rows.list()).map(show), Filter, {
                "nat-gateway-id": (nat) => nat.NatGatewayId,
                "subnet-id": (nat) => nat.SubnetId,
                "vpc-id": (nat) => nat.VpcId,
                state: (nat) => nat.State,
            }),
        }),

        /** The interface and the address stay in use until the NAT gateway is deleted. */
        deleteNatGateway: ({ NatGatewayId: id }: { NatGatewayId: string }) => {
            const nat = need(id);
            if (nat.State === "deleting" || nat.State === "deleted") return { NatGatewayId: id };
            const gone = { after: 45_000 };
            const DeleteTime = scope.now.toISOString();
            rows.update(id, { State: "deleting", DeleteTime });
            scope.schedule(natGateways, id, [{ ...gone, set: { State: "deleted" } }, forget]);
            for (const { NetworkInterfaceId, AllocationId } of nat.NatGatewayAddresses) {
                scope.schedule(interfaces, NetworkInterfaceId, [{ ...gone, set: null }]);
                if (AllocationId)
                    scope.schedule(addresses, AllocationId, [
                        {
                            ...gone,
                            set: { AssociationId: null, NetworkInterfaceId: null, NetworkInterfaceOwnerId: null, PrivateIpAddress: null },
                        },
                    ]);
            }
            return { NatGatewayId: id };
        },
    };
};

/** Associates an Elastic IP with an interface. Returns the ID of the association. */
function associateAddress(scope: Scope, { AllocationId, PublicIp }: Readonly<Address>, eni: Readonly<NetworkInterface>): string {
    const { NetworkInterfaceId, PrivateIpAddress } = eni;
    const AssociationId = scope.id("eipassoc");
    const Association = { PublicIp, AllocationId, AssociationId, IpOwnerId: scope.account };
    interfaces.in(scope).update(NetworkInterfaceId, { Association });
    const association = { AssociationId, NetworkInterfaceId, NetworkInterfaceOwnerId: scope.account, PrivateIpAddress };
    addresses.in(scope).update(AllocationId, association);
    return AssociationId;
}

/** Failures that AWS only reports after the call has succeeded. */
function failureOf(address: Readonly<Address> | undefined, vpcWithoutInternet: string | undefined) {
    if (vpcWithoutInternet)
        return { FailureCode: "Gateway.NotAttached", FailureMessage: `Network ${vpcWithoutInternet} has no Internet gateway attached` };
    if (address?.AssociationId)
        return {
            FailureCode: "Resource.AlreadyAssociated",
            FailureMessage: `Elastic IP address [${address.AllocationId}] is already associated`,
        };
    return undefined;
}

function hasInternet(scope: Scope, vpcId: string): boolean {
    return internetGateways
        .in(scope)
        .list()
        .some(({ Attachments }) => Attachments.some(({ VpcId }) => VpcId === vpcId));
}

import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { invalidValue, missing } from "./errors.ts";
import { freeAddress } from "./subnet-addresses.ts";
import { addresses, interfaces, type NetworkInterface, securityGroups, shown, subnets } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

const GROUPS_PER_INTERFACE: Quota = { code: "L-2AFB9258", default: 5 };

interface InterfaceArgs {
    SubnetId: string;
    Groups?: string[];
    Description?: string;
    PrivateIpAddress?: string | undefined;
    InterfaceType?: string;
    /** Set by services that create their own interfaces: load balancers, EKS, NAT gateways. Only they can delete these. */
    RequesterId?: string;
    Status?: NetworkInterface["Status"];
}

/** Creates an interface, for EC2's callers and for other services. */
export function createInterface(scope: Scope, args: InterfaceArgs): Readonly<NetworkInterface> {
    const subnet = subnets.in(scope).need(args.SubnetId, () => missing("subnet", args.SubnetId));
    if ((args.Groups ?? []).length > scope.quota(GROUPS_PER_INTERFACE))
        throw new AwsError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        );
    const Groups = groupsFor(scope, subnet, args.Groups ?? []);
    const NetworkInterfaceId = scope.id("eni");
    const PrivateIpAddress = freeAddress(scope, subnet, args.PrivateIpAddress);
    return interfaces.in(scope).put(NetworkInterfaceId, {
        NetworkInterfaceId,
        SubnetId: args.SubnetId,
        VpcId: subnet.VpcId,
        AvailabilityZone: subnet.AvailabilityZone,
        Description: args.Description ?? "",
        OwnerId: scope.account,
        ...(args.RequesterId && { RequesterId: args.RequesterId }),
        RequesterManaged: args.RequesterId !== undefined,
        InterfaceType: args.InterfaceType ?? "interface",
        Status: args.Status ?? (args.RequesterId ? "in-use" : "available"),
        MacAddress: `02:${scope.hex(10).replace(/..(?!$)/g, "$&:")}`,
        PrivateIpAddress,
        PrivateDnsName: `ip-${PrivateIpAddress.replaceAll(".", "-")}.${scope.region === "us-east-1" ? "ec2" : `${scope.region}.compute`}.internal`,
        SourceDestCheck: args.RequesterId === undefined,
        PrivateIpAddresses: [{ Primary: true, PrivateIpAddress }],
        Ipv4Prefixes: [],
        Groups,
    });
}

/** Deletes an interface, even one of another service, and frees its addresses. */
export function deleteInterface(scope: Scope, id: string): void {
    for (const { AllocationId, NetworkInterfaceId } of addresses.in(scope).list())
        if (NetworkInterfaceId === id)
            addresses.in(scope).update(AllocationId, {
                AssociationId: undefined,
                NetworkInterfaceId: undefined,
                NetworkInterfaceOwnerId: undefined,
                PrivateIpAddress: undefined,
            });
    interfaces.in(scope).delete(id);
    deleteTagsOf(scope, id);
}

function groupsFor(scope: Scope, subnet: { SubnetId: string; VpcId: string }, ids: readonly string[]): NetworkInterface["Groups"] {
    return ids.map((id) => {
        const { GroupId, GroupName, VpcId } = securityGroups.in(scope).need(id, () => missing("securityGroup", id));
        if (VpcId !== subnet.VpcId)
            throw new AwsError("InvalidParameter", `Security group ${id} and subnet ${subnet.SubnetId} belong to different networks.`);
        return { GroupId, GroupName };
    });
}

/** The actions on network interfaces. */
export const interfaceActions = (scope: Scope) => {
    const rows = interfaces.in(scope);
    const need = (id: string) => rows.need(id, () => missing("interface", id));
    const show = (row: Readonly<NetworkInterface>) => {
        const { Tags, ...fields } = shown(row, tagsOf(scope, row.NetworkInterfaceId));
        return { ...fields, Tags, TagSet: Tags };
    };

    return {
        createNetworkInterface: (request: Omit<InterfaceArgs, "RequesterId" | "Status"> & { TagSpecifications?: TagSpecification[] }) => {
            const { SubnetId, Groups, Description, PrivateIpAddress } = request;
            const { VpcId } = subnets.in(scope).need(SubnetId, () => missing("subnet", SubnetId));
            const defaultGroups = securityGroups
                .in(scope)
                .list()
                .filter((group) => group.VpcId === VpcId && group.GroupName === "default");
            const created = createInterface(scope, {
                SubnetId,
                Groups: Groups ?? defaultGroups.map(({ GroupId }) => GroupId),
                ...(Description !== undefined && { Description }),
                PrivateIpAddress,
            });
            tagNew(scope, "network-interface", created.NetworkInterfaceId, request.TagSpecifications);
            return { NetworkInterface: show(created) };
        },

        describeNetworkInterfaces: ({ NetworkInterfaceIds, Filters }: { NetworkInterfaceIds?: string[]; Filters?: Filter[] } = {}) => ({
            NetworkInterfaces: filtered((NetworkInterfaceIds?.map(need) ?? rows.list()).map(show), Filters, {
                "network-interface-id": (eni) => eni.NetworkInterfaceId,
                "subnet-id": (eni) => eni.SubnetId,
                "vpc-id": (eni) => eni.VpcId,
                "group-id": (eni) => eni.Groups.map(({ GroupId }) => GroupId),
                "private-ip-address": (eni) => eni.PrivateIpAddress,
                "addresses.private-ip-address": (eni) => eni.PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress),
                "requester-id": (eni) => eni.RequesterId,
                "interface-type": (eni) => eni.InterfaceType,
                "attachment.instance-id": (eni) => eni.Attachment?.InstanceId,
                "attachment.instance-owner-id": (eni) => eni.Attachment?.InstanceOwnerId,
                description: (eni) => eni.Description,
                status: (eni) => eni.Status,
            }),
        }),

        modifyNetworkInterfaceAttribute: (request: {
            NetworkInterfaceId: string;
            Groups?: string[];
            SourceDestCheck?: { Value: boolean };
        }) => {
            const row = need(request.NetworkInterfaceId);
            if (request.Groups) rows.update(row.NetworkInterfaceId, { Groups: groupsFor(scope, row, request.Groups) });
            if (request.SourceDestCheck) rows.update(row.NetworkInterfaceId, { SourceDestCheck: request.SourceDestCheck.Value });
        },

        deleteNetworkInterface: ({ NetworkInterfaceId: id }: { NetworkInterfaceId: string }) => {
            if (need(id).Status === "in-use") throw invalidValue(`Network interface '${id}' is currently in use.`);
            deleteInterface(scope, id);
        },
    };
};

import { sizeOf } from "../cidr.ts";
import { createInterface } from "../ec2/interfaces.ts";
import { usedAddresses } from "../ec2/subnet-addresses.ts";
import { interfaces, internetGateways, type Subnet, securityGroups, subnets } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { orphan } from "./orphans.ts";
import {
    attributeList,
    checkName,
    invalid,
    invalidConfiguration,
    type LoadBalancer,
    listeners,
    loadBalancers,
    NETWORK_LOAD_BALANCERS,
    noBalancer,
    withAttributes,
} from "./tables.ts";

interface Placement {
    subnet: Readonly<Subnet>;
    address: string | undefined;
}

interface SubnetMapping {
    SubnetId: string;
    PrivateIPv4Address?: string;
}

const ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "load_balancing.cross_zone.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "zonal_shift.config.enabled": "false",
    "ipv6.deny_all_igw_traffic": "false",
};

/** The actions on network load balancers. */
export const loadBalancerActions = (scope: Scope) => {
    const rows = loadBalancers.in(scope);
    const need = (arn: string) => rows.need(arn, noBalancer);

    return {
        createLoadBalancer: (request: {
            Name: string;
            Type?: string;
            Scheme?: LoadBalancer["Scheme"];
            Subnets?: string[];
            SubnetMappings?: SubnetMapping[];
            SecurityGroups?: string[];
            IpAddressType?: string;
            Tags?: Tag[];
        }) => {
            const { Name, Scheme = "internet-facing", SecurityGroups = [], IpAddressType = "ipv4", Tags = [] } = request;
            checkName("The load balancer name", Name);
            if (request.Type !== "network")
                throw invalid(`The simulated ELB only supports load balancers of type 'network'; got '${request.Type}'`);
            if (request.Subnets && request.SubnetMappings) throw invalid("Only one of subnets or subnet mappings can be specified");
            const mappings = request.SubnetMappings ?? request.Subnets?.map((SubnetId): SubnetMapping => ({ SubnetId })) ?? [];
            const placements = placementsOf(scope, mappings, Scheme);
            const VpcId = placements[0]?.subnet.VpcId ?? "";
            for (const id of SecurityGroups)
                if (securityGroups.in(scope).get(id)?.VpcId !== VpcId)
                    throw new AwsError("InvalidSecurityGroup", `One or more security groups are invalid: '${id}'`);

            const settings = JSON.stringify([Scheme, mappings.toSorted(bySubnet), SecurityGroups.toSorted(), IpAddressType]);
            const same = rows.list().find((candidate) => candidate.LoadBalancerName === Name);
            if (same && same.request !== settings)
                throw new AwsError(
                    "DuplicateLoadBalancerName",
                    `A load balancer with the same name '${Name}' exists, but with different settings`,
                );
            if (same) return { LoadBalancers: [show(same)] };
            if (rows.list().length >= scope.quota(NETWORK_LOAD_BALANCERS))
                throw new AwsError("TooManyLoadBalancers", "The maximum number of load balancers has been reached");

            const balancer = putBalancer(scope, placements, { Name, Scheme, SecurityGroups, IpAddressType, tags: Tags, request: settings });
            return { LoadBalancers: [show(balancer)] };
        },

        describeLoadBalancers: ({ LoadBalancerArns, Names }: { LoadBalancerArns?: string[]; Names?: string[] } = {}) => {
            const named = Names?.map((name) => rows.list().find((balancer) => balancer.LoadBalancerName === name) ?? notFound());
            return { LoadBalancers: (LoadBalancerArns?.map(need) ?? named ?? rows.list()).map(show) };
        },

        /** Idempotent: a load balancer that does not exist is not an error. */
        deleteLoadBalancer: ({ LoadBalancerArn }: { LoadBalancerArn: string }) => {
            const balancer = rows.get(LoadBalancerArn);
            if (!balancer) return;
            if (balancer.attributes["deletion_protection.enabled"] === "true")
                throw new AwsError(
                    "OperationNotPermitted",
                    `Load balancer '${LoadBalancerArn}' cannot be deleted because deletion protection is enabled`,
                );
            for (const listener of listeners.in(scope).list())
                if (listener.LoadBalancerArn === LoadBalancerArn) listeners.in(scope).delete(listener.ListenerArn);
            rows.delete(LoadBalancerArn);
            orphan(scope, LoadBalancerArn, balancer.interfaces);
        },

        describeLoadBalancerAttributes: ({ LoadBalancerArn }: { LoadBalancerArn: string }) => ({
            Attributes: attributeList(need(LoadBalancerArn).attributes),
        }),
        modifyLoadBalancerAttributes: (request: { LoadBalancerArn: string; Attributes: { Key: string; Value: string }[] }) => {
            const { attributes, LoadBalancerArn } = need(request.LoadBalancerArn);
            const changed = withAttributes(attributes, request.Attributes, "Load balancer");
            rows.update(LoadBalancerArn, { attributes: changed });
            return { Attributes: attributeList(changed) };
        },

        setSecurityGroups: ({ LoadBalancerArn, SecurityGroups }: { LoadBalancerArn: string; SecurityGroups: string[] }) => {
            const balancer = need(LoadBalancerArn);
            if (balancer.SecurityGroups.length === 0)
                throw invalidConfiguration("You cannot add security groups to a load balancer that was created without security groups");
            const Groups = SecurityGroups.map((id) => {
                const group = securityGroups.in(scope).get(id);
                if (group?.VpcId !== balancer.VpcId)
                    throw new AwsError("InvalidSecurityGroup", `One or more security groups are invalid: '${id}'`);
                return { GroupId: id, GroupName: group.GroupName };
            });
            for (const id of balancer.interfaces) interfaces.in(scope).update(id, { Groups });
            rows.update(LoadBalancerArn, { SecurityGroups });
            return { SecurityGroupIds: SecurityGroups };
        },
    };
};

function bySubnet(a: SubnetMapping, b: SubnetMapping): number {
    return a.SubnetId.localeCompare(b.SubnetId);
}

/** The subnets of a load balancer, one per zone, and the address requested in each. */
function placementsOf(scope: Scope, mappings: readonly SubnetMapping[], scheme: LoadBalancer["Scheme"]): Placement[] {
    if (mappings.length === 0) throw invalid("At least one subnet must be specified");
    const placements = mappings.map(({ SubnetId, PrivateIPv4Address: address }) => ({
        subnet: subnets.in(scope).need(SubnetId, () => new AwsError("SubnetNotFound", `The subnet ID '${SubnetId}' does not exist`)),
        address,
    }));
    if (new Set(placements.map(({ subnet }) => subnet.VpcId)).size > 1)
        throw invalidConfiguration("All subnets must belong to the same VPC");
    if (new Set(placements.map(({ subnet }) => subnet.AvailabilityZone)).size < placements.length)
        throw invalidConfiguration("A load balancer cannot be attached to multiple subnets in the same Availability Zone");
    const [first] = placements;
    if (scheme === "internet-facing") {
        if (placements.some(({ address }) => address !== undefined))
            throw invalidConfiguration("Private IPv4 addresses can only be specified for internal load balancers");
        const gateways = internetGateways.in(scope).list();
        if (!gateways.some(({ Attachments }) => Attachments.some(({ VpcId }) => VpcId === first?.subnet.VpcId)))
            throw new AwsError("InvalidSubnet", `VPC ${first?.subnet.VpcId} has no internet gateway`);
    }
    for (const { subnet } of placements)
        if (sizeOf(subnet.CidrBlock) - 5 - usedAddresses(scope, subnet.SubnetId).size < 8)
            throw new AwsError(
                "InvalidSubnet",
                `Not enough IP space available in ${subnet.SubnetId}. ELB requires at least 8 free IP addresses in each subnet.`,
            );
    return placements;
}

/** Creates a load balancer, with an interface in each subnet. */
function putBalancer(
    scope: Scope,
    placements: readonly Placement[],
    { Name, ...settings }: { Name: string } & Pick<LoadBalancer, "Scheme" | "SecurityGroups" | "IpAddressType" | "tags" | "request">,
): Readonly<LoadBalancer> {
    const id = scope.hex(16);
    const created = placements.map(({ subnet, address }) => ({
        subnet,
        eni: createBalancerInterface(scope, subnet, address, `${Name}/${id}`, settings.SecurityGroups),
    }));
    const LoadBalancerArn = scope.arn("elasticloadbalancing", `loadbalancer/net/${Name}/${id}`);
    scope.schedule(loadBalancers, LoadBalancerArn, [{ after: 120_000, set: { State: { Code: "active" } } }]);
    return loadBalancers.in(scope).put(LoadBalancerArn, {
        LoadBalancerArn,
        LoadBalancerName: Name,
        DNSName: `${Name}-${id}.elb.${scope.region}.amazonaws.com`,
        CanonicalHostedZoneId: "Z3F0SRJ5LGBH90",
        CreatedTime: scope.now.toISOString(),
        VpcId: placements[0]?.subnet.VpcId ?? "",
        State: { Code: "provisioning" },
        Type: "network",
        AvailabilityZones: created.map(({ subnet, eni }) => ({
            ZoneName: subnet.AvailabilityZone,
            SubnetId: subnet.SubnetId,
            LoadBalancerAddresses: [{ PrivateIPv4Address: eni.PrivateIpAddress }],
        })),
        attributes: ATTRIBUTES,
        interfaces: created.map(({ eni }) => eni.NetworkInterfaceId),
        ...settings,
    });
}

function createBalancerInterface(
    scope: Scope,
    { SubnetId }: Readonly<Subnet>,
    address: string | undefined,
    name: string,
    Groups: string[],
) {
    try {
        return createInterface(scope, {
            SubnetId,
            Groups,
            PrivateIpAddress: address,
            Description: `ELB net/${name}`,
            InterfaceType: "network_load_balancer",
            RequesterId: "amazon-elb",
        });
    } catch (error) {
        // ELB reports EC2's errors about an address with its own error code.
        if (address !== undefined && error instanceof AwsError) throw invalidConfiguration(error.message);
        throw error;
    }
}

function show({ attributes: _, tags: __, interfaces: ___, request: ____, ...balancer }: Readonly<LoadBalancer>) {
    return balancer;
}

function notFound(): never {
    throw noBalancer();
}

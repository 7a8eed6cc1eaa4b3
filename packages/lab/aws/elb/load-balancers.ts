import { sizeOf } from "../cidr.ts";
import { makeInterface } from "../ec2/interfaces.ts";
import { takenIn } from "../ec2/subnet-addresses.ts";
import { interfaces, internetGateways, type Subnet, securityGroups, subnets } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import { type Tag, withTags } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { listenerActions } from "./listeners.ts";
import { orphan, settleOrphans } from "./orphans.ts";
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
    noTargetGroup,
    targetGroups,
    withAttributes,
} from "./tables.ts";
import { targetGroupActions } from "./target-groups.ts";

export interface SubnetMapping {
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

const actions = (scope: Scope) => {
    const rows = loadBalancers.in(scope);
    const need = (arn: string) => rows.need(arn, noBalancer);

    return {
        ...targetGroupActions(scope),
        ...listenerActions(scope),

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
                throw invalid(`The simulated ELB has only load balancers of type 'network', not '${request.Type}'`);
            if (request.Subnets && request.SubnetMappings) throw invalid("Only one of subnets or subnet mappings can be specified");
            const mappings = request.SubnetMappings ?? request.Subnets?.map((SubnetId): SubnetMapping => ({ SubnetId })) ?? [];
            const places = placesOf(scope, mappings, Scheme);
            const VpcId = places[0]?.subnet.VpcId ?? "";
            for (const id of SecurityGroups)
                if (securityGroups.in(scope).get(id)?.VpcId !== VpcId)
                    throw new AwsError("InvalidSecurityGroup", `One or more security groups are invalid: '${id}'`);

            const asked = JSON.stringify([Scheme, mappings.toSorted(bySubnet), SecurityGroups.toSorted(), IpAddressType]);
            const same = rows.list().find((one) => one.LoadBalancerName === Name);
            if (same && same.asked !== asked)
                throw new AwsError(
                    "DuplicateLoadBalancerName",
                    `A load balancer with the same name '${Name}' exists, but with different settings`,
                );
            if (same) return { LoadBalancers: [show(same)] };
            if (rows.list().length >= scope.quota(NETWORK_LOAD_BALANCERS))
                throw new AwsError("TooManyLoadBalancers", "The maximum number of load balancers has been reached");

            const id = scope.hex(16);
            const made = places.map(({ subnet, address }) => ({
                subnet,
                eni: balancerInterface(scope, subnet, address, `${Name}/${id}`, SecurityGroups),
            }));
            const LoadBalancerArn = scope.arn("elasticloadbalancing", `loadbalancer/net/${Name}/${id}`);
            const balancer = rows.put(LoadBalancerArn, {
                LoadBalancerArn,
                LoadBalancerName: Name,
                DNSName: `${Name}-${id}.elb.${scope.region}.amazonaws.com`,
                CanonicalHostedZoneId: "Z3F0SRJ5LGBH90",
                CreatedTime: scope.now.toISOString(),
                Scheme,
                VpcId,
                State: { Code: "provisioning" },
                Type: "network",
                AvailabilityZones: made.map(({ subnet, eni }) => ({
                    ZoneName: subnet.AvailabilityZone,
                    SubnetId: subnet.SubnetId,
                    LoadBalancerAddresses: [{ PrivateIPv4Address: eni.PrivateIpAddress }],
                })),
                SecurityGroups,
                IpAddressType,
                attributes: ATTRIBUTES,
                tags: Tags,
                interfaces: made.map(({ eni }) => eni.NetworkInterfaceId),
                asked,
            });
            scope.schedule(loadBalancers, LoadBalancerArn, [{ after: 120_000, set: { State: { Code: "active" } } }]);
            return { LoadBalancers: [show(balancer)] };
        },

        describeLoadBalancers: ({ LoadBalancerArns, Names }: { LoadBalancerArns?: string[]; Names?: string[] } = {}) => {
            const named = Names?.map((name) => rows.list().find((one) => one.LoadBalancerName === name) ?? notFound());
            return { LoadBalancers: (LoadBalancerArns?.map(need) ?? named ?? rows.list()).map(show) };
        },

        /** Deleting one that is not there is no error. */
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

        addTags: ({ ResourceArns, Tags }: { ResourceArns: string[]; Tags: Tag[] }) => {
            for (const arn of ResourceArns) setTags(scope, arn, withTags(tagsOf(scope, arn), Tags));
        },
        removeTags: ({ ResourceArns, TagKeys }: { ResourceArns: string[]; TagKeys: string[] }) => {
            for (const arn of ResourceArns)
                setTags(
                    scope,
                    arn,
                    tagsOf(scope, arn).filter(({ Key }) => !TagKeys.includes(Key)),
                );
        },
        describeTags: ({ ResourceArns }: { ResourceArns: string[] }) => ({
            TagDescriptions: ResourceArns.map((ResourceArn) => ({ ResourceArn, Tags: tagsOf(scope, ResourceArn) })),
        }),
    };
};

/** Network load balancers with their listeners and target groups. */
export const elb = Object.assign(actions, { settle: settleOrphans });

function bySubnet(a: SubnetMapping, b: SubnetMapping): number {
    return a.SubnetId.localeCompare(b.SubnetId);
}

/** The subnets of a balancer, one in each zone, and the addresses asked for there. */
function placesOf(scope: Scope, mappings: readonly SubnetMapping[], scheme: LoadBalancer["Scheme"]) {
    if (mappings.length === 0) throw invalid("At least one subnet must be specified");
    const places = mappings.map(({ SubnetId, PrivateIPv4Address: address }) => ({
        subnet: subnets.in(scope).need(SubnetId, () => new AwsError("SubnetNotFound", `The subnet ID '${SubnetId}' does not exist`)),
        address,
    }));
    if (new Set(places.map(({ subnet }) => subnet.VpcId)).size > 1) throw invalidConfiguration("All subnets must belong to the same VPC");
    if (new Set(places.map(({ subnet }) => subnet.AvailabilityZone)).size < places.length)
        throw invalidConfiguration("A load balancer cannot be attached to multiple subnets in the same Availability Zone");
    const [first] = places;
    if (scheme === "internet-facing") {
        if (places.some(({ address }) => address !== undefined))
            throw invalidConfiguration("Private IPv4 addresses can only be specified for internal load balancers");
        const gateways = internetGateways.in(scope).list();
        if (!gateways.some(({ Attachments }) => Attachments.some(({ VpcId }) => VpcId === first?.subnet.VpcId)))
            throw new AwsError("InvalidSubnet", `VPC ${first?.subnet.VpcId} has no internet gateway`);
    }
    for (const { subnet } of places)
        if (sizeOf(subnet.CidrBlock) - 5 - takenIn(scope, subnet.SubnetId).size < 8)
            throw new AwsError(
                "InvalidSubnet",
                `Not enough IP space available in ${subnet.SubnetId}. ELB requires at least 8 free IP addresses in each subnet.`,
            );
    return places;
}

function balancerInterface(scope: Scope, { SubnetId }: Readonly<Subnet>, address: string | undefined, name: string, Groups: string[]) {
    try {
        return makeInterface(scope, {
            SubnetId,
            Groups,
            PrivateIpAddress: address,
            Description: `ELB net/${name}`,
            InterfaceType: "network_load_balancer",
            RequesterId: "amazon-elb",
        });
    } catch (error) {
        // ELB tells EC2's refusals of an address in its own code.
        if (address !== undefined && error instanceof AwsError) throw invalidConfiguration(error.message);
        throw error;
    }
}

function tagsOf(scope: Scope, arn: string): Tag[] {
    return tagged(scope, arn).tags;
}

function setTags(scope: Scope, arn: string, tags: Tag[]): void {
    tagged(scope, arn).rows.update(arn, { tags });
}

function tagged(scope: Scope, arn: string) {
    const [rows, missing] = arn.includes(":targetgroup/")
        ? ([targetGroups.in(scope), noTargetGroup] as const)
        : arn.includes(":listener/")
          ? ([listeners.in(scope), () => new AwsError("ListenerNotFound", "One or more listeners not found")] as const)
          : ([loadBalancers.in(scope), noBalancer] as const);
    return { rows, tags: rows.need(arn, missing).tags };
}

function show({ attributes: _, tags: __, interfaces: ___, asked: ____, ...balancer }: Readonly<LoadBalancer>) {
    return balancer;
}

function notFound(): never {
    throw noBalancer();
}

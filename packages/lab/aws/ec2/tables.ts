import type { Tag } from "../filters.ts";
import { Table } from "../table.ts";

/** Rows have the fields that AWS shows. Fields in camelCase belong to the simulation and are never shown. Times are ISO strings. */
export interface Vpc {
    VpcId: string;
    CidrBlock: string;
    State: "pending" | "available";
    OwnerId: string;
    IsDefault: boolean;
    InstanceTenancy: string;
    DhcpOptionsId: string;
    CidrBlockAssociationSet: { AssociationId: string; CidrBlock: string; CidrBlockState: { State: string } }[];
    attributes: Record<VpcAttribute, boolean>;
}
export type VpcAttribute = "enableDnsSupport" | "enableDnsHostnames" | "enableNetworkAddressUsageMetrics";
export const vpcs = new Table<Vpc>("ec2/vpc");

/** All CIDR blocks of a VPC, the primary one first. */
export function cidrBlocksOf({ CidrBlockAssociationSet }: Readonly<Vpc>): string[] {
    return CidrBlockAssociationSet.filter(({ CidrBlockState }) => CidrBlockState.State === "associated").map(({ CidrBlock }) => CidrBlock);
}

interface NetworkAcl {
    NetworkAclId: string;
    VpcId: string;
    OwnerId: string;
    IsDefault: boolean;
    Entries: { CidrBlock: string; Egress: boolean; Protocol: string; RuleAction: "allow" | "deny"; RuleNumber: number }[];
}
export const networkAcls = new Table<NetworkAcl>("ec2/network-acl");

export interface Subnet {
    SubnetId: string;
    SubnetArn: string;
    VpcId: string;
    CidrBlock: string;
    AvailabilityZone: string;
    AvailabilityZoneId: string;
    State: "available";
    OwnerId: string;
    MapPublicIpOnLaunch: boolean;
    AssignIpv6AddressOnCreation: boolean;
    DefaultForAz: boolean;
    EnableDns64: boolean;
    MapCustomerOwnedIpOnLaunch: boolean;
    Ipv6CidrBlockAssociationSet: never[];
    PrivateDnsNameOptionsOnLaunch: {
        HostnameType: string;
        EnableResourceNameDnsARecord: boolean;
        EnableResourceNameDnsAAAARecord: boolean;
    };
}
export const subnets = new Table<Subnet>("ec2/subnet");

interface SubnetCidrReservation {
    SubnetCidrReservationId: string;
    SubnetId: string;
    Cidr: string;
    ReservationType: "explicit" | "prefix";
    OwnerId: string;
    Description?: string | undefined;
}
export const reservations = new Table<SubnetCidrReservation>("ec2/subnet-cidr-reservation");

export interface InternetGateway {
    InternetGatewayId: string;
    OwnerId: string;
    Attachments: { State: string; VpcId: string }[];
}
export const internetGateways = new Table<InternetGateway>("ec2/internet-gateway");

export interface Address {
    AllocationId: string;
    PublicIp: string;
    Domain: "vpc";
    PublicIpv4Pool: string;
    NetworkBorderGroup: string;
    AssociationId?: string | undefined;
    NetworkInterfaceId?: string | undefined;
    NetworkInterfaceOwnerId?: string | undefined;
    PrivateIpAddress?: string | undefined;
}
export const addresses = new Table<Address>("ec2/elastic-ip");

export interface NatGateway {
    NatGatewayId: string;
    SubnetId: string;
    VpcId: string;
    State: "pending" | "failed" | "available" | "deleting" | "deleted";
    ConnectivityType: "public" | "private";
    CreateTime: string;
    DeleteTime?: string;
    FailureCode?: string;
    FailureMessage?: string;
    NatGatewayAddresses: {
        AllocationId?: string | undefined;
        AssociationId?: string | undefined;
        NetworkInterfaceId: string;
        PrivateIp: string;
        PublicIp?: string | undefined;
        IsPrimary: boolean;
        Status: string;
    }[];
}
export const natGateways = new Table<NatGateway>("ec2/natgateway", { gone: ({ State }) => State === "deleted" || State === "failed" });

/** The target of a route: exactly one of these. */
export interface RouteTarget {
    GatewayId?: string | undefined;
    NatGatewayId?: string | undefined;
    VpcPeeringConnectionId?: string | undefined;
    TransitGatewayId?: string | undefined;
    NetworkInterfaceId?: string | undefined;
}
export interface Route extends RouteTarget {
    DestinationCidrBlock: string;
    Origin: "CreateRouteTable" | "CreateRoute";
}
export interface RouteTable {
    RouteTableId: string;
    VpcId: string;
    OwnerId: string;
    PropagatingVgws: never[];
    Associations: {
        RouteTableAssociationId: string;
        RouteTableId: string;
        SubnetId?: string;
        Main: boolean;
        AssociationState: { State: string };
    }[];
    Routes: Route[];
}
export const routeTables = new Table<RouteTable>("ec2/route-table");

export interface SecurityGroup {
    GroupId: string;
    GroupName: string;
    Description: string;
    VpcId: string;
    OwnerId: string;
    SecurityGroupArn: string;
}
export const securityGroups = new Table<SecurityGroup>("ec2/security-group");

export interface SecurityGroupRule {
    SecurityGroupRuleId: string;
    SecurityGroupRuleArn: string;
    GroupId: string;
    GroupOwnerId: string;
    IsEgress: boolean;
    IpProtocol: string;
    FromPort: number;
    ToPort: number;
    CidrIpv4?: string | undefined;
    CidrIpv6?: string | undefined;
    ReferencedGroupInfo?: { GroupId: string; UserId: string; VpcId?: string; VpcPeeringConnectionId?: string } | undefined;
    Description?: string | undefined;
}
export const securityGroupRules = new Table<SecurityGroupRule>("ec2/security-group-rule");

export interface NetworkInterface {
    NetworkInterfaceId: string;
    SubnetId: string;
    VpcId: string;
    AvailabilityZone: string;
    Description: string;
    OwnerId: string;
    /** The service that created the interface; only this service may delete it. */
    RequesterId?: string | undefined;
    RequesterManaged: boolean;
    InterfaceType: string;
    Status: "available" | "in-use";
    MacAddress: string;
    PrivateIpAddress: string;
    PrivateDnsName: string;
    SourceDestCheck: boolean;
    PrivateIpAddresses: { Primary: boolean; PrivateIpAddress: string }[];
    /** Blocks of 16 pod addresses (/28). */
    Ipv4Prefixes: { Ipv4Prefix: string }[];
    Groups: { GroupId: string; GroupName: string }[];
    Association?:
        | { PublicIp: string; AllocationId?: string | undefined; AssociationId?: string | undefined; IpOwnerId: string }
        | undefined;
    Attachment?: { AttachmentId: string; InstanceId?: string; InstanceOwnerId: string; DeviceIndex: number; Status: string } | undefined;
}
export const interfaces = new Table<NetworkInterface>("ec2/network-interface");

/** The fields that AWS shows. */
type Shown<T> = { [K in keyof T as K extends Capitalize<K & string> ? K : never]: T[K] };

/** A row as AWS shows it, with its tags. */
export function shown<T extends object>(row: T, Tags: Tag[]): Shown<T> & { Tags: Tag[] } {
    const fields = Object.entries(row).filter(([name]) => /^[A-Z]/.test(name));
    return { ...(Object.fromEntries(fields) as Shown<T>), Tags };
}

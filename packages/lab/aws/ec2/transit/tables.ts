import { AwsError } from "../../error.ts";
import { isSharedWith } from "../../ram.ts";
import type { Scope } from "../../scope.ts";
import { Table } from "../../table.ts";
import { missing } from "../errors.ts";

type Switch = "enable" | "disable";
/** A gateway belongs to one region of its owner, and is seen by the accounts that it is shared with. */
export interface TransitGateway {
    TransitGatewayId: string;
    TransitGatewayArn: string;
    State: "pending" | "available" | "deleting" | "deleted";
    OwnerId: string;
    Description: string;
    CreationTime: string;
    Options: {
        AmazonSideAsn: number;
        AutoAcceptSharedAttachments: Switch;
        DefaultRouteTableAssociation: Switch;
        AssociationDefaultRouteTableId?: string;
        DefaultRouteTablePropagation: Switch;
        PropagationDefaultRouteTableId?: string;
        DnsSupport: Switch;
        MulticastSupport: Switch;
        SecurityGroupReferencingSupport: Switch;
        VpnEcmpSupport: Switch;
    };
    region: string;
}
export type AttachmentState =
    | "initiatingRequest"
    | "pendingAcceptance"
    | "pending"
    | "available"
    | "rejected"
    | "failed"
    | "deleting"
    | "deleted";
export interface VpcAttachment {
    TransitGatewayAttachmentId: string;
    TransitGatewayId: string;
    VpcId: string;
    VpcOwnerId: string;
    State: AttachmentState;
    SubnetIds: string[];
    CreationTime: string;
    Options: { DnsSupport: Switch; SecurityGroupReferencingSupport: Switch; Ipv6Support: Switch; ApplianceModeSupport: Switch };
    region: string;
    interfaceIds: string[];
}
export interface PeeringAttachment {
    TransitGatewayAttachmentId: string;
    RequesterTgwInfo: { TransitGatewayId: string; OwnerId: string; Region: string };
    AccepterTgwInfo: { TransitGatewayId: string; OwnerId: string; Region: string };
    State: AttachmentState;
    Status: { Code: string; Message: string };
    CreationTime: string;
}
export interface TransitRouteTable {
    TransitGatewayRouteTableId: string;
    TransitGatewayId: string;
    State: "pending" | "available" | "deleting" | "deleted";
    DefaultAssociationRouteTable: boolean;
    DefaultPropagationRouteTable: boolean;
    CreationTime: string;
    /** Attachments whose packets are routed by this table. */
    associations: string[];
    /** Attachments whose VPC's blocks are in this table. */
    propagations: string[];
    routes: { DestinationCidrBlock: string; attachmentId?: string | undefined }[];
}

const gone = ({ State }: { State: string }) => State === "deleted" || State === "failed" || State === "rejected";
export const transitGateways = new Table<TransitGateway>("ec2/transit-gateway", { shared: "world", gone });
export const vpcAttachments = new Table<VpcAttachment>("ec2/transit-gateway-vpc-attachment", { shared: "world", gone });
export const peeringAttachments = new Table<PeeringAttachment>("ec2/transit-gateway-peering-attachment", { shared: "world", gone });
export const transitRouteTables = new Table<TransitRouteTable>("ec2/transit-gateway-route-table", { shared: "world", gone });

/** The live attachment of a VPC to a gateway. */
export function attachmentOf(scope: Scope, gatewayId: string, vpcId: string): Readonly<VpcAttachment> | undefined {
    return vpcAttachments
        .in(scope)
        .list()
        .find((one) => one.TransitGatewayId === gatewayId && one.VpcId === vpcId && !gone(one));
}

/** The gateways that a scope's account and region see. */
export function gatewaysOf(scope: Scope): Readonly<TransitGateway>[] {
    return transitGateways
        .in(scope)
        .list()
        .filter((one) => one.region === scope.region && (one.OwnerId === scope.account || isSharedWith(scope, one.TransitGatewayArn)));
}

/** A gateway that can take attachments. */
export function usableGateway(scope: Scope, id: string): Readonly<TransitGateway> {
    const gateway = gatewaysOf(scope).find((one) => one.TransitGatewayId === id);
    if (!gateway || gone(gateway)) throw missing("transitGateway", id);
    if (gateway.State !== "available") throw invalidState(id);
    return gateway;
}

export function invalidState(id: string): AwsError {
    return new AwsError("IncorrectState", `${id} is in invalid state`);
}

import { AwsError } from "../../error.ts";
import { isSharedWith } from "../../ram.ts";
import type { Scope } from "../../scope.ts";
import { Table } from "../../table.ts";
import { missing } from "../errors.ts";

type Switch = "enable" | "disable";
/** A transit gateway belongs to one region of its owner. The accounts that it is shared with also see it. */
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
type AttachmentState = "initiatingRequest" | "pendingAcceptance" | "pending" | "available" | "rejected" | "failed" | "deleting" | "deleted";
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
    /** Attachments whose packets this table routes. */
    associations: string[];
    /** Attachments that propagate the CIDRs of their VPC to this table. */
    propagations: string[];
    routes: { DestinationCidrBlock: string; attachmentId?: string | undefined }[];
}

/** AWS shows a deleted gateway or attachment for an hour. */
export const FORGET_DELETED = { after: 3_600_000, fixed: true, set: null };

const gone = ({ State }: { State: string }) => State === "deleted" || State === "failed" || State === "rejected";
export const transitGateways = new Table<TransitGateway>("ec2/transit-gateway", { shared: "world", gone });
export const vpcAttachments = new Table<VpcAttachment>("ec2/transit-gateway-vpc-attachment", { shared: "world", gone });
export const peeringAttachments = new Table<PeeringAttachment>("ec2/transit-gateway-peering-attachment", { shared: "world", gone });
export const transitRouteTables = new Table<TransitRouteTable>("ec2/transit-gateway-route-table", { shared: "world", gone });

/** The attachment of a VPC to a transit gateway, unless it has been deleted. */
export function attachmentOf(scope: Scope, gatewayId: string, vpcId: string): Readonly<VpcAttachment> | undefined {
    return vpcAttachments
        .in(scope)
        .list()
        .find((attachment) => attachment.TransitGatewayId === gatewayId && attachment.VpcId === vpcId && !gone(attachment));
}

/** The transit gateways that the scope's account and region see. */
export function gatewaysOf(scope: Scope): Readonly<TransitGateway>[] {
    return transitGateways
        .in(scope)
        .list()
        .filter(
            (gateway) =>
                gateway.region === scope.region && (gateway.OwnerId === scope.account || isSharedWith(scope, gateway.TransitGatewayArn)),
        );
}

/**
 * Returns a transit gateway that is available for new attachments and route tables.
 *
 * @throws AwsError if it does not exist or is not available
 */
export function usableGateway(scope: Scope, id: string): Readonly<TransitGateway> {
    const gateway = gatewaysOf(scope).find((gateway) => gateway.TransitGatewayId === id);
    if (!gateway || gone(gateway)) throw missing("transitGateway", id);
    if (gateway.State !== "available") throw invalidState(id);
    return gateway;
}

export function invalidState(id: string): AwsError {
    return new AwsError("IncorrectState", `${id} is in invalid state`);
}

import type { Scope } from "../../scope.ts";
import { Table } from "../../table.ts";

export interface PeeringOptions {
    AllowDnsResolutionFromRemoteVpc: boolean;
}
export interface PeeringSide {
    OwnerId: string;
    VpcId: string;
    Region: string;
    /** The accepter's CIDRs are unknown until it has accepted. */
    CidrBlock?: string | undefined;
    CidrBlockSet?: { CidrBlock: string }[] | undefined;
    PeeringOptions?: PeeringOptions | undefined;
}
export interface Peering {
    VpcPeeringConnectionId: string;
    RequesterVpcInfo: PeeringSide;
    AccepterVpcInfo: PeeringSide;
    Status: { Code: string; Message: string };
    ExpirationTime?: string | undefined;
}
const ENDED = ["failed", "expired", "rejected", "deleted"];
export const peerings = new Table<Peering>("ec2/vpc-peering-connection", {
    shared: "world",
    gone: ({ Status }) => ENDED.includes(Status.Code),
});

/** The connections that the scope's account and region see: those with a side there. */
export function peeringsOf(scope: Scope): Readonly<Peering>[] {
    return peerings
        .in(scope)
        .list()
        .filter((peering) => [peering.RequesterVpcInfo, peering.AccepterVpcInfo].some((side) => isHere(scope, side)));
}

/** ID of the active connection between two VPCs in the scope's region, one of which belongs to the scope's account. */
export function findPeeringBetween(scope: Scope, a: string, b: string): string | undefined {
    return peeringsOf(scope).find(({ Status, RequesterVpcInfo, AccepterVpcInfo }) => {
        const both = [RequesterVpcInfo, AccepterVpcInfo];
        return Status.Code === "active" && both.every(({ VpcId, Region }) => [a, b].includes(VpcId) && Region === scope.region);
    })?.VpcPeeringConnectionId;
}

/** Whether a side belongs to the scope's account and region. */
export function isHere({ account, region }: Scope, { OwnerId, Region }: PeeringSide): boolean {
    return account === OwnerId && region === Region;
}

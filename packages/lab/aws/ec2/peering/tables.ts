import type { Scope } from "../../scope.ts";
import { Table } from "../../table.ts";

export interface PeeringOptions {
    AllowDnsResolutionFromRemoteVpc: boolean;
}
export interface PeeringSide {
    OwnerId: string;
    VpcId: string;
    Region: string;
    /** The accepter's blocks are known once it has accepted. */
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
const OVER = ["failed", "expired", "rejected", "deleted"];
export const peerings = new Table<Peering>("ec2/vpc-peering-connection", {
    shared: "world",
    gone: ({ Status }) => OVER.includes(Status.Code),
});

/** The connections that a scope's account and region see: those that have a side there. */
export function peeringsOf(scope: Scope): Readonly<Peering>[] {
    return peerings
        .in(scope)
        .list()
        .filter((one) => [one.RequesterVpcInfo, one.AccepterVpcInfo].some((side) => isHere(scope, side)));
}

/** The active connection between two VPCs of which one is the scope's own, both of its region. */
export function findPeeringBetween(scope: Scope, a: string, b: string): string | undefined {
    return peeringsOf(scope).find(({ Status, RequesterVpcInfo, AccepterVpcInfo }) => {
        const both = [RequesterVpcInfo, AccepterVpcInfo];
        return Status.Code === "active" && both.every(({ VpcId, Region }) => [a, b].includes(VpcId) && Region === scope.region);
    })?.VpcPeeringConnectionId;
}

/** Whether a side is the scope's own. */
export function isHere({ account, region }: Scope, { OwnerId, Region }: PeeringSide): boolean {
    return account === OwnerId && region === Region;
}

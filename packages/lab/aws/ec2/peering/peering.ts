import { overlap } from "../../../../../core/network/cidr.ts";
import { AwsError } from "../../error.ts";
import { type Filter, filtered } from "../../filters.ts";
import type { Quota, Scope } from "../../scope.ts";
import { missing } from "../errors.ts";
import { cidrBlocksOf, shown, vpcs } from "../tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "../tags.ts";
import { isHere, type Peering, type PeeringOptions, type PeeringSide, peerings, peeringsOf } from "./tables.ts";

export const ACTIVE_PEERINGS_PER_VPC: Quota = { code: "L-7E9ECCDB", default: 50, max: 125 };
export const OUTSTANDING_PEERINGS: Quota = { code: "L-DC9F7029", default: 25 };

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The actions on VPC peering connections. */
export const peeringActions = (scope: Scope) => {
    const rows = peerings.in(scope);
    const need = (id: string) => {
        const row = peeringsOf(scope).find((peering) => peering.VpcPeeringConnectionId === id);
        if (!row) throw missing("peering", id);
        return row;
    };
    const show = (row: Readonly<Peering>) => shown(row, tagsOf(scope, row.VpcPeeringConnectionId));

    return {
        createVpcPeeringConnection: (request: {
            VpcId: string;
            PeerVpcId: string;
            PeerOwnerId?: string;
            PeerRegion?: string;
            TagSpecifications?: TagSpecification[];
        }) => {
            const requester = sideOf(scope, request.VpcId);
            if (!requester) throw missing("vpc", request.VpcId);
            const peer = { account: request.PeerOwnerId ?? scope.account, region: request.PeerRegion ?? scope.region };
            const accepterRef = { OwnerId: peer.account, VpcId: request.PeerVpcId, Region: peer.region };
            if (request.VpcId === request.PeerVpcId)
                throw new AwsError("InvalidParameterValue", `The requester VPC and the accepter VPC must differ: ${request.VpcId}`);
            const accepter = sideOf(scope.at(peer), request.PeerVpcId);
            if (!accepter && isHere(scope, accepterRef)) throw missing("vpc", request.PeerVpcId);
            const existing = rows
                .list()
                .find(
                    (peering) =>
                        !peerings.gone(peering) && peering.Status.Code !== "deleting" && isBetween(peering, requester, accepterRef),
                );
            // As on AWS, repeating a request returns the existing connection; the provider's documentation warns of it.
            if (existing) return { VpcPeeringConnection: show(existing) };
            refuseOverQuota(scope);

            const id = scope.id("pcx");
            const created = rows.put(id, {
                VpcPeeringConnectionId: id,
                RequesterVpcInfo: requester,
                AccepterVpcInfo: accepterRef,
                Status: { Code: "initiating-request", Message: `Initiating Request to ${peer.account}` },
                ExpirationTime: new Date(scope.now.getTime() + 7 * DAY).toISOString(),
            });
            tagNew(scope, "vpc-peering-connection", id, request.TagSpecifications);
            scheduleRequest(scope, id, accepter !== undefined && !overlapping(requester, accepter), peer.account);
            return { VpcPeeringConnection: show(created) };
        },

        acceptVpcPeeringConnection: ({ VpcPeeringConnectionId: id }: { VpcPeeringConnectionId: string }) => {
            const row = need(id);
            mustBeAccepter(scope, row, "accept", "accepted");
            if (row.Status.Code !== "pending-acceptance") throw invalidTransition(row, "provisioning");
            const [requester, accepter] = [row.RequesterVpcInfo, row.AccepterVpcInfo].map((side) =>
                sideOf(scope.at({ account: side.OwnerId, region: side.Region }), side.VpcId),
            );
            if (!requester || !accepter || overlapping(requester, accepter)) throw invalidTransition(row, "failed");
            const active = (side: PeeringSide) =>
                rows
                    .list()
                    .filter(
                        (peering) =>
                            peering.Status.Code === "active" &&
                            [peering.RequesterVpcInfo, peering.AccepterVpcInfo].some(({ VpcId }) => VpcId === side.VpcId),
                    );
            if (active(requester).some((peering) => isBetween(peering, accepter, requester) || isBetween(peering, requester, accepter)))
                throw new AwsError("VpcPeeringConnectionAlreadyExists", `The vpc peering connection identified by ${id} already exists.`);
            for (const side of [requester, accepter])
                if (active(side).length >= scope.at({ account: side.OwnerId, region: side.Region }).quota(ACTIVE_PEERINGS_PER_VPC))
                    throw new AwsError(
                        "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
                        "You've reached the limit on the number of active VPC peering connections you can have for the specified VPC.",
                    );
            const PeeringOptions = { AllowDnsResolutionFromRemoteVpc: false };
            const accepted = rows.update(id, {
                Status: { Code: "provisioning", Message: "Provisioning" },
                RequesterVpcInfo: { ...requester, PeeringOptions },
                AccepterVpcInfo: { ...accepter, PeeringOptions },
                ExpirationTime: undefined,
            });
            scope.schedule(peerings, id, [{ after: 1_000, set: { Status: { Code: "active", Message: "Active" } } }]);
            return { VpcPeeringConnection: show(accepted) };
        },

        rejectVpcPeeringConnection: ({ VpcPeeringConnectionId: id }: { VpcPeeringConnectionId: string }) => {
            const row = need(id);
            mustBeAccepter(scope, row, "reject", "accepted or rejected");
            if (row.Status.Code !== "pending-acceptance") throw invalidTransition(row, "rejected");
            rows.update(id, { Status: { Code: "rejected", Message: "Rejected" } });
            scope.schedule(peerings, id, [{ after: 2 * DAY, fixed: true, set: null }]);
            return { Return: true };
        },

        describeVpcPeeringConnections: ({
            VpcPeeringConnectionIds,
            Filters,
        }: {
            VpcPeeringConnectionIds?: string[];
            Filters?: Filter[];
        } = {}) => ({
            VpcPeeringConnections: filtered((VpcPeeringConnectionIds?.map(need) ?? peeringsOf(scope)).map(show), Filters, {
                "vpc-peering-connection-id": (peering) => peering.VpcPeeringConnectionId,
                "status-code": ({ Status }) => Status.Code,
                "requester-vpc-info.vpc-id": ({ RequesterVpcInfo }) => RequesterVpcInfo.VpcId,
                "requester-vpc-info.owner-id": ({ RequesterVpcInfo }) => RequesterVpcInfo.OwnerId,
                "accepter-vpc-info.vpc-id": ({ AccepterVpcInfo }) => AccepterVpcInfo.VpcId,
                "accepter-vpc-info.owner-id": ({ AccepterVpcInfo }) => AccepterVpcInfo.OwnerId,
            }),
        }),

        modifyVpcPeeringConnectionOptions: (request: {
            VpcPeeringConnectionId: string;
            RequesterPeeringConnectionOptions?: Partial<PeeringOptions>;
            AccepterPeeringConnectionOptions?: Partial<PeeringOptions>;
        }) => {
            const id = request.VpcPeeringConnectionId;
            const row = need(id);
            if (row.Status.Code !== "active")
                throw new AwsError(
                    "OperationNotPermitted",
                    `Peering ${id} is not active. Peering options can be added only to active peerings.`,
                );
            const changed = (who: "Requester" | "Accepter", side: PeeringSide, options: Partial<PeeringOptions> | undefined) => {
                if (!options) return side;
                if (side.OwnerId !== scope.account)
                    throw new AwsError(
                        "OperationNotPermitted",
                        `User ${scope.account} cannot modify ${who.toLowerCase()} options of peering ${id}`,
                    );
                if (side.Region !== scope.region)
                    throw new AwsError(
                        "OperationNotPermitted",
                        `${who}'s VPC Peering connection options cannot be modified for a different region`,
                    );
                return { ...side, PeeringOptions: { AllowDnsResolutionFromRemoteVpc: false, ...side.PeeringOptions, ...options } };
            };
            const RequesterVpcInfo = changed("Requester", row.RequesterVpcInfo, request.RequesterPeeringConnectionOptions);
            const AccepterVpcInfo = changed("Accepter", row.AccepterVpcInfo, request.AccepterPeeringConnectionOptions);
            rows.update(id, { RequesterVpcInfo, AccepterVpcInfo });
            return {
                RequesterPeeringConnectionOptions: RequesterVpcInfo.PeeringOptions,
                AccepterPeeringConnectionOptions: AccepterVpcInfo.PeeringOptions,
            };
        },

        deleteVpcPeeringConnection: ({ VpcPeeringConnectionId: id }: { VpcPeeringConnectionId: string }) => {
            const row = need(id);
            if (!["active", "pending-acceptance"].includes(row.Status.Code)) throw invalidTransition(row, "deleting");
            rows.update(id, { Status: { Code: "deleting", Message: "Deleting" } });
            scope.schedule(peerings, id, [
                { after: 1_000, set: { Status: { Code: "deleted", Message: `Deleted by ${scope.account}` } } },
                { after: 2 * HOUR, fixed: true, set: null },
            ]);
            for (const { OwnerId, Region } of [row.RequesterVpcInfo, row.AccepterVpcInfo])
                deleteTagsOf(scope.at({ account: OwnerId, region: Region }), id);
            return { Return: true };
        },
    };
};

const FAILED = { Code: "failed", Message: "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range" };

function refuseOverQuota(scope: Scope): void {
    const outstanding = peerings
        .in(scope)
        .list()
        .filter(
            (peering) =>
                peering.RequesterVpcInfo.OwnerId === scope.account &&
                ["initiating-request", "pending-acceptance"].includes(peering.Status.Code),
        );
    if (outstanding.length >= scope.quota(OUTSTANDING_PEERINGS))
        throw new AwsError(
            "OutstandingVpcPeeringConnectionLimitExceeded",
            "You've reached the limit on the number of VPC peering connection requests that you can create for the specified VPC.",
        );
}

/** A valid request waits 7 days for its acceptance and is shown for 2 more days. An invalid one fails and is shown for 2 hours. */
function scheduleRequest(scope: Scope, id: string, isValid: boolean, accepterAccount: string): void {
    const pending = { Code: "pending-acceptance", Message: `Pending Acceptance by ${accepterAccount}` };
    const valid = [
        { after: 1_000, set: { Status: pending } },
        { after: 7 * DAY, fixed: true, set: { Status: { Code: "expired", Message: "Expired" } } },
        { after: 9 * DAY, fixed: true, set: null },
    ];
    const invalid = [
        { after: 1_000, set: { Status: FAILED, ExpirationTime: null } },
        { after: 2 * HOUR, fixed: true, set: null },
    ];
    scope.schedule(peerings, id, isValid ? valid : invalid);
}

/** Deletes the connections of a VPC that is being deleted. */
export function deletePeeringsOf(scope: Scope, vpcId: string): void {
    for (const peering of peeringsOf(scope)) {
        const id = peering.VpcPeeringConnectionId;
        if (peerings.gone(peering) || ![peering.RequesterVpcInfo.VpcId, peering.AccepterVpcInfo.VpcId].includes(vpcId)) continue;
        peerings.in(scope).update(id, { Status: { Code: "deleted", Message: `Deleted by ${scope.account}` } });
        scope.schedule(peerings, id, [{ after: 2 * HOUR, fixed: true, set: null }]);
    }
}

/** One side of a connection: a VPC of the scope, or undefined if it does not exist. */
function sideOf(scope: Scope, VpcId: string): PeeringSide | undefined {
    const vpc = vpcs.in(scope).get(VpcId);
    return (
        vpc && {
            OwnerId: scope.account,
            VpcId,
            Region: scope.region,
            CidrBlock: vpc.CidrBlock,
            CidrBlockSet: cidrBlocksOf(vpc).map((CidrBlock) => ({ CidrBlock })),
        }
    );
}

function overlapping(a: PeeringSide, b: PeeringSide): boolean {
    return (a.CidrBlockSet ?? []).some((x) => (b.CidrBlockSet ?? []).some((y) => overlap(x.CidrBlock, y.CidrBlock)));
}

/** Whether a connection is from this requester to this accepter. */
function isBetween({ RequesterVpcInfo, AccepterVpcInfo }: Readonly<Peering>, requester: PeeringSide, accepter: PeeringSide): boolean {
    return RequesterVpcInfo.VpcId === requester.VpcId && AccepterVpcInfo.VpcId === accepter.VpcId;
}

function mustBeAccepter(scope: Scope, { AccepterVpcInfo, VpcPeeringConnectionId }: Readonly<Peering>, verb: string, done: string): void {
    if (AccepterVpcInfo.OwnerId !== scope.account)
        throw new AwsError("OperationNotPermitted", `User ${scope.account} cannot ${verb} peering ${VpcPeeringConnectionId}`);
    if (AccepterVpcInfo.Region !== scope.region)
        throw new AwsError(
            "OperationNotPermitted",
            `Incorrect region (${scope.region}) specified for this request. VPC peering connection ${VpcPeeringConnectionId} must be ${done} in region ${AccepterVpcInfo.Region}`,
        );
}

function invalidTransition({ VpcPeeringConnectionId, Status }: Readonly<Peering>, to: string): AwsError {
    return new AwsError(
        "InvalidStateTransition",
        `Invalid state transition for ${VpcPeeringConnectionId}, attempted to transition from ${Status.Code} to ${to}`,
    );
}

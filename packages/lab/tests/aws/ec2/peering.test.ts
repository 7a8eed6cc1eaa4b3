import { describe, expect, test } from "vitest";
import { ACTIVE_PEERINGS_PER_VPC, OUTSTANDING_PEERINGS } from "../../../aws/ec2/peering/peering.ts";
import { VPCS_PER_REGION } from "../../../aws/ec2/vpc.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND, OTHER_IRELAND, VIRGINIA } from "../places.ts";
import { createWorld, keeps, type World } from "../world.ts";

const DNS = { AllowDnsResolutionFromRemoteVpc: true };

/** Requests a connection between two VPCs, which is then pending-acceptance. */
async function requestPeering(w: World, to: { ec2: World["ec2"]; account: string; region: string } = { ec2: w.ec2, ...IRELAND }) {
    const [VpcId, PeerVpcId] = [await w.vpc("10.0.0.0/16"), await w.vpc("10.1.0.0/16", to.ec2)];
    const request = { VpcId, PeerVpcId, PeerOwnerId: to.account, PeerRegion: to.region };
    const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection(request);
    w.pass(1_000);
    return { ...request, VpcPeeringConnection, id: { VpcPeeringConnectionId: VpcPeeringConnection.VpcPeeringConnectionId } };
}

async function acceptPeering(w: World) {
    const created = await requestPeering(w);
    await w.ec2.acceptVpcPeeringConnection(created.id);
    w.pass(1_000);
    return created;
}

const described = async (ec2: World["ec2"], { VpcPeeringConnectionId }: { VpcPeeringConnectionId: string }) =>
    (await ec2.describeVpcPeeringConnections({ VpcPeeringConnectionIds: [VpcPeeringConnectionId] })).VpcPeeringConnections[0];
const code = async (ec2: World["ec2"], id: { VpcPeeringConnectionId: string }) => (await described(ec2, id))?.Status.Code;

async function requestOverlapping(w: World) {
    const VpcPeeringConnection = (await w.ec2.createVpcPeeringConnection({ VpcId: await w.vpc(), PeerVpcId: await w.vpc() }))
        .VpcPeeringConnection;
    w.pass(1_000);
    return VpcPeeringConnection;
}

const peers = (w: World) => ({ virginia: { ec2: w.virginia, ...VIRGINIA }, others: { ec2: w.others, ...OTHER_IRELAND } });

keeps("peering connections", {
    "fails if the CIDRs overlap": async (w) => {
        const created = await requestOverlapping(w);
        expect(created.Status.Code).toBe("initiating-request");
        expect((await described(w.ec2, created))?.Status).toEqual({
            Code: "failed",
            Message: "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
        });
    },
    "fails if a secondary CIDR overlaps": async (w) => {
        const [VpcId, PeerVpcId] = [await w.vpc("10.0.0.0/16"), await w.vpc("10.1.0.0/16")];
        await w.ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.1.128.0/17" }).then(() => w.pass(1));
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId });
        w.pass(1_000);
        expect(await code(w.ec2, VpcPeeringConnection)).toBe("failed");
    },
    "refuses to accept a failed connection": async (w) => {
        const created = await requestOverlapping(w);
        await refused(
            w.ec2.acceptVpcPeeringConnection(created),
            "InvalidStateTransition",
            `Invalid state transition for ${created.VpcPeeringConnectionId}, attempted to transition from failed to provisioning`,
        );
        await refused(w.ec2.deleteVpcPeeringConnection(created), "InvalidStateTransition");
    },
    "creates a connection, which is initiating-request": async (w) => {
        const { VpcPeeringConnection } = await requestPeering(w);
        expect(VpcPeeringConnection.Status).toEqual({ Code: "initiating-request", Message: "Initiating Request to 111111111111" });
        expect(VpcPeeringConnection.VpcPeeringConnectionId).toMatch(/^pcx-0[0-9a-f]{16}$/);
    },
    "keeps the tags of the request": async ({ ec2, vpc, pass }) => {
        const Tags = [{ Key: "Name", Value: "a.b" }];
        const TagSpecifications = [{ ResourceType: "vpc-peering-connection", Tags }];
        const request = { VpcId: await vpc("10.0.0.0/16"), PeerVpcId: await vpc("10.1.0.0/16"), TagSpecifications };
        await ec2.createVpcPeeringConnection(request);
        pass(1_000);
        const Filters = [{ Name: "tag:Name", Values: ["a.b"] }];
        expect((await ec2.describeVpcPeeringConnections({ Filters })).VpcPeeringConnections[0]?.Tags).toEqual(Tags);
    },
    "becomes pending-acceptance": async (w) => expect(await code(w.ec2, (await requestPeering(w)).id)).toBe("pending-acceptance"),
    "returns the existing connection for a repeated request": async (w) => {
        const { id, VpcId, PeerVpcId } = await requestPeering(w);
        const again = async () =>
            (await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId })).VpcPeeringConnection.VpcPeeringConnectionId;
        expect(await again()).toBe(id.VpcPeeringConnectionId);
        await w.ec2.acceptVpcPeeringConnection(id);
        w.pass(1_000);
        expect(await again()).toBe(id.VpcPeeringConnectionId);
        const turned = (await w.ec2.createVpcPeeringConnection({ VpcId: PeerVpcId, PeerVpcId: VpcId })).VpcPeeringConnection;
        expect(turned.VpcPeeringConnectionId).not.toBe(id.VpcPeeringConnectionId);
        w.pass(1_000);
        await refused(
            w.ec2.acceptVpcPeeringConnection(turned),
            "VpcPeeringConnectionAlreadyExists",
            `The vpc peering connection identified by ${turned.VpcPeeringConnectionId} already exists.`,
        );
    },
    "refuses options before it is active": async (w) => {
        const { id } = await requestPeering(w);
        await refused(
            w.ec2.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS }),
            "OperationNotPermitted",
            `Peering ${id.VpcPeeringConnectionId} is not active. Peering options can be added only to active peerings.`,
        );
    },
    "accepts a connection, which is provisioning": async (w) => {
        const { id } = await requestPeering(w);
        expect((await w.ec2.acceptVpcPeeringConnection(id)).VpcPeeringConnection.Status.Code).toBe("provisioning");
    },
    "becomes active": async (w) => expect(await code(w.ec2, (await acceptPeering(w)).id)).toBe("active"),
    "describes CIDRs, owner and region of both sides": async (w) => {
        const { id, VpcId, PeerVpcId } = await requestPeering(w);
        expect((await described(w.ec2, id))?.AccepterVpcInfo).toEqual({
            OwnerId: IRELAND.account,
            Region: IRELAND.region,
            VpcId: PeerVpcId,
        });
        await w.ec2.acceptVpcPeeringConnection(id);
        const side = (vpc: string, CidrBlock: string) => ({
            OwnerId: IRELAND.account,
            Region: IRELAND.region,
            VpcId: vpc,
            CidrBlock,
            CidrBlockSet: [{ CidrBlock }],
        });
        expect(await described(w.ec2, id)).toMatchObject({
            RequesterVpcInfo: side(VpcId, "10.0.0.0/16"),
            AccepterVpcInfo: side(PeerVpcId, "10.1.0.0/16"),
        });
    },
    "refuses to accept twice": async (w) => {
        const { id } = await acceptPeering(w);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "InvalidStateTransition",
            `Invalid state transition for ${id.VpcPeeringConnectionId}, attempted to transition from active to provisioning`,
        );
    },
    "keeps options once it is active": async (w) => {
        const { id } = await acceptPeering(w);
        await w.ec2.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS });
        expect(await described(w.ec2, id)).toMatchObject({
            RequesterVpcInfo: { PeeringOptions: { AllowDnsResolutionFromRemoteVpc: true } },
            AccepterVpcInfo: { PeeringOptions: { AllowDnsResolutionFromRemoteVpc: false } },
        });
    },
    "refuses a VPC as its own peer": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await refused(ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: VpcId }), "InvalidParameterValue");
    },
    "refuses an unknown requester VPC": async ({ ec2, vpc }) =>
        refused(ec2.createVpcPeeringConnection({ VpcId: "vpc-1", PeerVpcId: await vpc() }), "InvalidVpcID.NotFound"),
    "refuses an unknown peer VPC of the same account, and fails for one of another account": async (w) => {
        const VpcId = await w.vpc();
        await refused(w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: "vpc-1" }), "InvalidVpcID.NotFound");
        const request = { VpcId, PeerVpcId: "vpc-1", PeerOwnerId: OTHER_IRELAND.account };
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection(request);
        w.pass(1_000);
        expect(await code(w.ec2, VpcPeeringConnection)).toBe("failed");
    },
    "deletes a connection, whose routes become blackholes": async (w) => {
        const { id, VpcId } = await acceptPeering(w);
        const RouteTableId = await w.table(VpcId);
        await w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.1.0.0/16", ...id });
        const route = async () => (await w.ec2.describeRouteTables({ RouteTableIds: [RouteTableId] })).RouteTables[0]?.Routes[1]?.State;
        expect(await route()).toBe("active");
        await w.ec2.deleteVpcPeeringConnection(id);
        w.pass(1_000);
        expect(await code(w.ec2, id)).toBe("deleted");
        expect(await route()).toBe("blackhole");
        await refused(
            w.ec2.deleteVpcPeeringConnection(id),
            "InvalidStateTransition",
            `Invalid state transition for ${id.VpcPeeringConnectionId}, attempted to transition from deleted to deleting`,
        );
        await refused(
            w.ec2.createRoute({ RouteTableId, DestinationCidrBlock: "10.8.0.0/16", ...id }),
            "InvalidVpcPeeringConnectionID.NotFound",
        );
        w.minutes(120);
        await refused(described(w.ec2, id), "InvalidVpcPeeringConnectionID.NotFound");
    },
    "creates a connection across regions": async (w) =>
        expect((await requestPeering(w, peers(w).virginia)).VpcPeeringConnection.AccepterVpcInfo.Region).toBe("us-east-1"),
    "shows a connection across regions in the peer region": async (w) => {
        const { id } = await requestPeering(w, peers(w).virginia);
        expect(await code(w.virginia, id)).toBe("pending-acceptance");
        await refused(described(w.others, id), "InvalidVpcPeeringConnectionID.NotFound");
        await refused(described(w.aws.in({ ...IRELAND, region: "eu-west-2" }).ec2, id), "InvalidVpcPeeringConnectionID.NotFound");
    },
    "refuses to accept it in the requester's region": async (w) => {
        const { id } = await requestPeering(w, peers(w).virginia);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "OperationNotPermitted",
            `Incorrect region (eu-west-1) specified for this request. VPC peering connection ${id.VpcPeeringConnectionId} must be accepted in region us-east-1`,
        );
    },
    "is active in both regions once accepted in the peer region": async (w) => {
        const { id } = await requestPeering(w, peers(w).virginia);
        await w.virginia.acceptVpcPeeringConnection(id);
        w.pass(1_000);
        expect([await code(w.ec2, id), await code(w.virginia, id)]).toEqual(["active", "active"]);
        await w.ec2.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS });
        await refused(
            w.virginia.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS }),
            "OperationNotPermitted",
            "Requester's VPC Peering connection options cannot be modified for a different region",
        );
    },
    "creates a connection across accounts": async (w) =>
        expect((await requestPeering(w, peers(w).others)).VpcPeeringConnection).toMatchObject({
            AccepterVpcInfo: { OwnerId: OTHER_IRELAND.account },
            Status: { Message: "Initiating Request to 222222222222" },
        }),
    "refuses to let the requester accept it across accounts": async (w) => {
        const { id } = await requestPeering(w, peers(w).others);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "OperationNotPermitted",
            `User 111111111111 cannot accept peering ${id.VpcPeeringConnectionId}`,
        );
    },
    "is active in both accounts once the accepter has accepted it": async (w) => {
        const { id } = await requestPeering(w, peers(w).others);
        await w.others.acceptVpcPeeringConnection(id);
        w.pass(1_000);
        expect([await code(w.ec2, id), await code(w.others, id)]).toEqual(["active", "active"]);
        const Tags = [{ Key: "Name", Value: "other" }];
        await w.others.createTags({ Resources: [id.VpcPeeringConnectionId], Tags });
        expect([(await described(w.ec2, id))?.Tags, (await described(w.others, id))?.Tags]).toEqual([[], Tags]);
        await refused(
            w.others.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS }),
            "OperationNotPermitted",
        );
    },
    "expires after 7 days": async (w) => {
        const { id } = await requestPeering(w);
        w.minutes(7 * 24 * 60);
        expect(await code(w.ec2, id)).toBe("expired");
        await refused(w.ec2.acceptVpcPeeringConnection(id), "InvalidStateTransition");
    },
    "allows 50 active peerings per VPC by default, and at most 125": async (w) => {
        expect(ACTIVE_PEERINGS_PER_VPC).toMatchObject({ default: 50, max: 125 });
        expect(() => w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 126)).toThrow("125");
        w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 1);
        const { VpcId } = await acceptPeering(w);
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: await w.vpc("10.2.0.0/16") });
        w.pass(1_000);
        await refused(w.ec2.acceptVpcPeeringConnection(VpcPeeringConnection), "ActiveVpcPeeringConnectionPerVpcLimitExceeded");
        w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 2);
        await w.ec2.acceptVpcPeeringConnection(VpcPeeringConnection);
    },
    "allows 25 outstanding requests by default": async (w) => {
        expect(OUTSTANDING_PEERINGS.default).toBe(25);
        w.aws.setQuota(IRELAND, VPCS_PER_REGION, 100);
        const VpcId = await w.vpc("10.0.0.0/16");
        const ask = async (i: number) => w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: await w.vpc(`10.${i}.0.0/16`) });
        for (let i = 1; i <= 25; i++) await ask(i);
        await refused(ask(26), "OutstandingVpcPeeringConnectionLimitExceeded");
        w.pass(1_000);
        const [first] = (await w.ec2.describeVpcPeeringConnections()).VpcPeeringConnections;
        if (first) await w.ec2.acceptVpcPeeringConnection(first);
        await ask(27);
    },
});

describe("peering connections: further checks", () => {
    test("refuses to accept when CIDRs overlap since the request", async () => {
        const { ec2, vpc, pass } = createWorld();
        const [VpcId, PeerVpcId] = [await vpc("10.0.0.0/16"), await vpc("10.1.0.0/16")];
        const { VpcPeeringConnection } = await ec2.createVpcPeeringConnection({ VpcId, PeerVpcId });
        pass(1_000);
        await ec2.associateVpcCidrBlock({ VpcId: PeerVpcId, CidrBlock: "10.2.0.0/16" });
        await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.2.0.0/16" });
        await refused(ec2.acceptVpcPeeringConnection(VpcPeeringConnection), "InvalidStateTransition");
    });

    test("keeps a rejected connection rejected", async () => {
        const { ec2, vpc, pass } = createWorld();
        const request = { VpcId: await vpc("10.0.0.0/16"), PeerVpcId: await vpc("10.1.0.0/16") };
        const { VpcPeeringConnection } = await ec2.createVpcPeeringConnection(request);
        pass(1_000);
        await ec2.rejectVpcPeeringConnection(VpcPeeringConnection);
        for (const again of [ec2.rejectVpcPeeringConnection, ec2.acceptVpcPeeringConnection, ec2.deleteVpcPeeringConnection])
            await refused(again(VpcPeeringConnection), "InvalidStateTransition");
    });
});

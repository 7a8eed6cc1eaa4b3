import { expect } from "vitest";
import { ACTIVE_PEERINGS_PER_VPC, OUTSTANDING_PEERINGS } from "../../aws/ec2/peering/peering.ts";
import { VPCS_PER_REGION } from "../../aws/ec2/vpc.ts";
import { IRELAND, keeps, OTHERS, refused, VIRGINIA, type World } from "./world.ts";

const DNS = { AllowDnsResolutionFromRemoteVpc: true };

/** A request between two VPCs, settled. */
async function requested(w: World, to: { ec2: World["ec2"]; account: string; region: string } = { ec2: w.ec2, ...IRELAND }) {
    const [VpcId, PeerVpcId] = [await w.vpc("10.0.0.0/16"), await w.vpc("10.1.0.0/16", to.ec2)];
    const request = { VpcId, PeerVpcId, PeerOwnerId: to.account, PeerRegion: to.region };
    const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection(request);
    w.pass(1_000);
    return { ...request, VpcPeeringConnection, id: { VpcPeeringConnectionId: VpcPeeringConnection.VpcPeeringConnectionId } };
}

async function accepted(w: World) {
    const made = await requested(w);
    await w.ec2.acceptVpcPeeringConnection(made.id);
    w.pass(1_000);
    return made;
}

const described = async (ec2: World["ec2"], { VpcPeeringConnectionId }: { VpcPeeringConnectionId: string }) =>
    (await ec2.describeVpcPeeringConnections({ VpcPeeringConnectionIds: [VpcPeeringConnectionId] })).VpcPeeringConnections[0];
const code = async (ec2: World["ec2"], id: { VpcPeeringConnectionId: string }) => (await described(ec2, id))?.Status.Code;

async function overlapping(w: World) {
    const VpcPeeringConnection = (await w.ec2.createVpcPeeringConnection({ VpcId: await w.vpc(), PeerVpcId: await w.vpc() }))
        .VpcPeeringConnection;
    w.pass(1_000);
    return VpcPeeringConnection;
}

const elsewhere = (w: World) => ({ virginia: { ec2: w.virginia, ...VIRGINIA }, others: { ec2: w.others, ...OTHERS } });

keeps("peering", {
    "create on overlapping CIDRs → ends failed": async (w) => {
        const made = await overlapping(w);
        expect(made.Status.Code).toBe("initiating-request");
        expect((await described(w.ec2, made))?.Status).toEqual({
            Code: "failed",
            Message: "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
        });
    },
    "secondary CIDRs count as overlap": async (w) => {
        const [VpcId, PeerVpcId] = [await w.vpc("10.0.0.0/16"), await w.vpc("10.1.0.0/16")];
        await w.ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.1.128.0/17" }).then(() => w.pass(1));
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId });
        w.pass(1_000);
        expect(await code(w.ec2, VpcPeeringConnection)).toBe("failed");
    },
    "accept failed one refused": async (w) => {
        const made = await overlapping(w);
        await refused(
            w.ec2.acceptVpcPeeringConnection(made),
            "InvalidStateTransition",
            `Invalid state transition for ${made.VpcPeeringConnectionId}, attempted to transition from failed to provisioning`,
        );
        await refused(w.ec2.deleteVpcPeeringConnection(made), "InvalidStateTransition");
    },
    "create (initiating-request)": async (w) => {
        const { VpcPeeringConnection } = await requested(w);
        expect(VpcPeeringConnection.Status).toEqual({ Code: "initiating-request", Message: "Initiating Request to 111111111111" });
        expect(VpcPeeringConnection.VpcPeeringConnectionId).toMatch(/^pcx-0[0-9a-f]{16}$/);
    },
    "tags at create are kept": async ({ ec2, vpc, pass }) => {
        const Tags = [{ Key: "Name", Value: "a.b" }];
        const TagSpecifications = [{ ResourceType: "vpc-peering-connection", Tags }];
        const request = { VpcId: await vpc("10.0.0.0/16"), PeerVpcId: await vpc("10.1.0.0/16"), TagSpecifications };
        await ec2.createVpcPeeringConnection(request);
        pass(1_000);
        const Filters = [{ Name: "tag:Name", Values: ["a.b"] }];
        expect((await ec2.describeVpcPeeringConnections({ Filters })).VpcPeeringConnections[0]?.Tags).toEqual(Tags);
    },
    "describe → pending-acceptance": async (w) => expect(await code(w.ec2, (await requested(w)).id)).toBe("pending-acceptance"),
    "duplicate pair": async (w) => {
        const { id, VpcId, PeerVpcId } = await requested(w);
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
    "options before active refused": async (w) => {
        const { id } = await requested(w);
        await refused(
            w.ec2.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS }),
            "OperationNotPermitted",
            `Peering ${id.VpcPeeringConnectionId} is not active. Peering options can be added only to active peerings.`,
        );
    },
    accept: async (w) => {
        const { id } = await requested(w);
        expect((await w.ec2.acceptVpcPeeringConnection(id)).VpcPeeringConnection.Status.Code).toBe("provisioning");
    },
    "describe → active": async (w) => expect(await code(w.ec2, (await accepted(w)).id)).toBe("active"),
    "describe has both CIDRs + owner + region": async (w) => {
        const { id, VpcId, PeerVpcId } = await requested(w);
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
    "accept twice refused": async (w) => {
        const { id } = await accepted(w);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "InvalidStateTransition",
            `Invalid state transition for ${id.VpcPeeringConnectionId}, attempted to transition from active to provisioning`,
        );
    },
    "options after active kept": async (w) => {
        const { id } = await accepted(w);
        await w.ec2.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS });
        expect(await described(w.ec2, id)).toMatchObject({
            RequesterVpcInfo: { PeeringOptions: { AllowDnsResolutionFromRemoteVpc: true } },
            AccepterVpcInfo: { PeeringOptions: { AllowDnsResolutionFromRemoteVpc: false } },
        });
    },
    "same VPC refused": async ({ ec2, vpc }) => {
        const VpcId = await vpc();
        await refused(ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: VpcId }), "InvalidParameterValue");
    },
    "unknown requester vpc": async ({ ec2, vpc }) =>
        refused(ec2.createVpcPeeringConnection({ VpcId: "vpc-1", PeerVpcId: await vpc() }), "InvalidVpcID.NotFound"),
    "peer vpc unknown → failed or NotFound": async (w) => {
        const VpcId = await w.vpc();
        await refused(w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: "vpc-1" }), "InvalidVpcID.NotFound");
        const request = { VpcId, PeerVpcId: "vpc-1", PeerOwnerId: OTHERS.account };
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection(request);
        w.pass(1_000);
        expect(await code(w.ec2, VpcPeeringConnection)).toBe("failed");
    },
    "delete → deleted, route blackhole": async (w) => {
        const { id, VpcId } = await accepted(w);
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
    "cross-region create": async (w) =>
        expect((await requested(w, elsewhere(w).virginia)).VpcPeeringConnection.AccepterVpcInfo.Region).toBe("us-east-1"),
    "cross-region visible in peer region": async (w) => {
        const { id } = await requested(w, elsewhere(w).virginia);
        expect(await code(w.virginia, id)).toBe("pending-acceptance");
        await refused(described(w.others, id), "InvalidVpcPeeringConnectionID.NotFound");
        await refused(described(w.aws.in({ ...IRELAND, region: "eu-west-2" }).ec2, id), "InvalidVpcPeeringConnectionID.NotFound");
    },
    "cross-region accept from requester region refused": async (w) => {
        const { id } = await requested(w, elsewhere(w).virginia);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "OperationNotPermitted",
            `Incorrect region (eu-west-1) specified for this request. VPC peering connection ${id.VpcPeeringConnectionId} must be accepted in region us-east-1`,
        );
    },
    "cross-region accept in peer region → active both": async (w) => {
        const { id } = await requested(w, elsewhere(w).virginia);
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
    "cross-account create": async (w) =>
        expect((await requested(w, elsewhere(w).others)).VpcPeeringConnection).toMatchObject({
            AccepterVpcInfo: { OwnerId: OTHERS.account },
            Status: { Message: "Initiating Request to 222222222222" },
        }),
    "cross-account accept by requester refused": async (w) => {
        const { id } = await requested(w, elsewhere(w).others);
        await refused(
            w.ec2.acceptVpcPeeringConnection(id),
            "OperationNotPermitted",
            `User 111111111111 cannot accept peering ${id.VpcPeeringConnectionId}`,
        );
    },
    "cross-account accept by accepter": async (w) => {
        const { id } = await requested(w, elsewhere(w).others);
        await w.others.acceptVpcPeeringConnection(id);
        w.pass(1_000);
        expect([await code(w.ec2, id), await code(w.others, id)]).toEqual(["active", "active"]);
        const Tags = [{ Key: "Name", Value: "theirs" }];
        await w.others.createTags({ Resources: [id.VpcPeeringConnectionId], Tags });
        expect([(await described(w.ec2, id))?.Tags, (await described(w.others, id))?.Tags]).toEqual([[], Tags]);
        await refused(
            w.others.modifyVpcPeeringConnectionOptions({ ...id, RequesterPeeringConnectionOptions: DNS }),
            "OperationNotPermitted",
        );
    },
    "expires after 7 days": async (w) => {
        const { id } = await requested(w);
        w.minutes(7 * 24 * 60);
        expect(await code(w.ec2, id)).toBe("expired");
        await refused(w.ec2.acceptVpcPeeringConnection(id), "InvalidStateTransition");
    },
    "50 active peerings a VPC by default, 125 at most": async (w) => {
        expect(ACTIVE_PEERINGS_PER_VPC).toMatchObject({ default: 50, max: 125 });
        expect(() => w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 126)).toThrow("125");
        w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 1);
        const { VpcId } = await accepted(w);
        const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: await w.vpc("10.2.0.0/16") });
        w.pass(1_000);
        await refused(w.ec2.acceptVpcPeeringConnection(VpcPeeringConnection), "ActiveVpcPeeringConnectionPerVpcLimitExceeded");
        w.aws.setQuota(IRELAND, ACTIVE_PEERINGS_PER_VPC, 2);
        await w.ec2.acceptVpcPeeringConnection(VpcPeeringConnection);
    },
    "25 outstanding requests by default": async (w) => {
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

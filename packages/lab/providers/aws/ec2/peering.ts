import type * as aws from "@pulumi/aws";
import { awaited, type Context, type Kind, type Plain, untilGone } from "../kind.ts";
import { byMark, ec2Tagging, tagged, tagMap } from "./common.ts";

/** What ends a connection. AWS tells of it for hours after. */
const OVER = ["deleting", "deleted", "rejected", "expired", "failed"];

async function find({ api }: Context, id: string) {
    const { VpcPeeringConnections } = await api.ec2.describeVpcPeeringConnections({ VpcPeeringConnectionIds: [id] });
    return VpcPeeringConnections[0];
}

type Found = NonNullable<Awaited<ReturnType<typeof find>>>;

function ready(context: Context, id: string, wanted: readonly string[]): Promise<void> {
    return context.until(`EC2 VPC Peering Connection (${id})`, wanted[0] ?? "", async () => {
        const found = await find(context, id);
        return awaited(found?.Status.Code, wanted, ["initiating-request", "provisioning", "pending-acceptance"], found?.Status.Message);
    });
}

/** Accepts a connection that waits for it, and waits until it is active. One that is active already stays as it is. */
async function accept(context: Context, id: string): Promise<void> {
    if ((await find(context, id))?.Status.Code === "pending-acceptance")
        await context.api.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: id });
    await ready(context, id, ["active"]);
}

function shownOptions(side: Found["RequesterVpcInfo"]) {
    return { allowRemoteVpcDnsResolution: side.PeeringOptions?.AllowDnsResolutionFromRemoteVpc ?? false };
}

type PeeringArgs = Plain<aws.ec2.VpcPeeringConnectionArgs>;

export const vpcPeeringConnection: Kind<PeeringArgs, Plain<aws.ec2.VpcPeeringConnectionState>> = {
    noun: "EC2 VPC Peering Connection",
    forceNew: ["vpcId", "peerVpcId", "peerOwnerId", "peerRegion"],
    unreadable: ["autoAccept"],
    computed: ["acceptStatus", "peerOwnerId", "peerRegion", "accepter", "requester"],
    tagging: ec2Tagging,
    minutes: 1,
    find: {
        marked: async (context) => {
            const { VpcPeeringConnections } = await context.api.ec2.describeVpcPeeringConnections({ Filters: byMark(context) });
            return VpcPeeringConnections.filter(({ Status }) => !OVER.includes(Status.Code)).map((one) => one.VpcPeeringConnectionId);
        },
    },
    make: async (context, { vpcId, peerVpcId, peerOwnerId, peerRegion }) => {
        const { VpcPeeringConnection } = await context.api.ec2.createVpcPeeringConnection({
            VpcId: vpcId,
            PeerVpcId: peerVpcId,
            PeerOwnerId: peerOwnerId,
            PeerRegion: peerRegion,
            ...tagged(context, "vpc-peering-connection"),
        });
        return VpcPeeringConnection.VpcPeeringConnectionId;
    },
    settle: async (context, id, { autoAccept }) => {
        await ready(context, id, ["pending-acceptance", "active"]);
        if (autoAccept) await accept(context, id);
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || OVER.includes(found.Status.Code)) return undefined;
        const { RequesterVpcInfo: requester, AccepterVpcInfo: accepter } = found;
        return {
            acceptStatus: found.Status.Code,
            vpcId: requester.VpcId,
            peerVpcId: accepter.VpcId,
            peerOwnerId: accepter.OwnerId,
            peerRegion: accepter.Region,
            requester: shownOptions(requester),
            accepter: shownOptions(accepter),
            tags: tagMap(found.Tags),
        };
    },
    // `autoAccept` is seen to in `settle`.
    update: async () => undefined,
    remove: async (context, id) => {
        const code = (await find(context, id))?.Status.Code ?? "deleted";
        if (OVER.includes(code) && code !== "deleting") return;
        if (code !== "deleting") await context.api.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: id });
        const over = ["deleted", "rejected", "expired", "failed"];
        await untilGone(context, `EC2 VPC Peering Connection (${id})`, over, async () => (await find(context, id))?.Status.Code);
    },
};

/** The other side of a connection: deleting it leaves the connection to its requester. */
export const vpcPeeringConnectionAccepter: Kind<
    Plain<aws.ec2.VpcPeeringConnectionAccepterArgs>,
    Plain<aws.ec2.VpcPeeringConnectionAccepterState>
> = {
    noun: "EC2 VPC Peering Connection Accepter",
    forceNew: ["vpcPeeringConnectionId"],
    unreadable: ["autoAccept"],
    computed: ["acceptStatus", "peerOwnerId", "peerRegion", "peerVpcId", "vpcId", "accepter", "requester"],
    tagging: ec2Tagging,
    minutes: 1,
    make: async (context, { vpcPeeringConnectionId: id }) => {
        await ready(context, id, ["pending-acceptance", "active"]);
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    settle: async (context, id, { autoAccept }) => {
        if (autoAccept) await accept(context, id);
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || OVER.includes(found.Status.Code)) return undefined;
        const { RequesterVpcInfo: requester, AccepterVpcInfo: accepter } = found;
        return {
            vpcPeeringConnectionId: id,
            acceptStatus: found.Status.Code,
            // Seen from the accepter: the peer is who asked.
            vpcId: accepter.VpcId,
            peerVpcId: requester.VpcId,
            peerOwnerId: requester.OwnerId,
            peerRegion: requester.Region,
            requester: shownOptions(requester),
            accepter: shownOptions(accepter),
            tags: tagMap(found.Tags),
        };
    },
    // `autoAccept` is seen to in `settle`.
    update: async () => undefined,
};

type OptionsArgs = Plain<aws.ec2.PeeringConnectionOptionsArgs>;

/** Options of one's own side. They end with the connection, and deleting them changes nothing. */
export const peeringConnectionOptions: Kind<OptionsArgs, Plain<aws.ec2.PeeringConnectionOptionsState>> = {
    noun: "EC2 VPC Peering Connection Options",
    forceNew: ["vpcPeeringConnectionId"],
    computed: ["accepter", "requester"],
    make: async (context, inputs) => {
        await setOptions(context, inputs);
        return inputs.vpcPeeringConnectionId;
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || OVER.includes(found.Status.Code)) return undefined;
        return {
            vpcPeeringConnectionId: id,
            requester: shownOptions(found.RequesterVpcInfo),
            accepter: shownOptions(found.AccepterVpcInfo),
        };
    },
    update: (context, _id, { inputs }) => setOptions(context, inputs),
};

async function setOptions({ api }: Context, { vpcPeeringConnectionId, requester, accepter }: OptionsArgs): Promise<void> {
    const options = (side: { allowRemoteVpcDnsResolution?: boolean } | undefined) =>
        side && { AllowDnsResolutionFromRemoteVpc: side.allowRemoteVpcDnsResolution ?? false };
    await api.ec2.modifyVpcPeeringConnectionOptions({
        VpcPeeringConnectionId: vpcPeeringConnectionId,
        RequesterPeeringConnectionOptions: options(requester),
        AccepterPeeringConnectionOptions: options(accepter),
    });
}

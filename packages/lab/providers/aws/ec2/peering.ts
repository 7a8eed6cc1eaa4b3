import type * as aws from "@pulumi/aws";
import { type Context, type Plain, pendingState, type ResourceDefinition, waitForDeletion } from "../definition.ts";
import { ec2Tagging, markFilter, tagMap, tagSpecifications } from "./tags.ts";

/** States of a connection that has ended. AWS keeps listing it for hours. */
const ENDED = ["deleting", "deleted", "rejected", "expired", "failed"];

async function find({ api }: Context, id: string) {
    const { VpcPeeringConnections } = await api.ec2.describeVpcPeeringConnections({ VpcPeeringConnectionIds: [id] });
    return VpcPeeringConnections[0];
}

type Found = NonNullable<Awaited<ReturnType<typeof find>>>;

function ready(context: Context, id: string, wanted: readonly string[]): Promise<void> {
    return context.waitFor(`EC2 VPC Peering Connection (${id})`, wanted[0] ?? "", async () => {
        const found = await find(context, id);
        return pendingState(
            found?.Status.Code,
            wanted,
            ["initiating-request", "provisioning", "pending-acceptance"],
            found?.Status.Message,
        );
    });
}

/** Accepts a pending connection and waits until it is active. Idempotent. */
async function accept(context: Context, id: string): Promise<void> {
    if ((await find(context, id))?.Status.Code === "pending-acceptance")
        await context.api.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId: id });
    await ready(context, id, ["active"]);
}

function optionsOf(side: Found["RequesterVpcInfo"]) {
    return { allowRemoteVpcDnsResolution: side.PeeringOptions?.AllowDnsResolutionFromRemoteVpc ?? false };
}

type PeeringArgs = Plain<aws.ec2.VpcPeeringConnectionArgs>;

export const vpcPeeringConnection: ResourceDefinition<PeeringArgs, Plain<aws.ec2.VpcPeeringConnectionState>> = {
    noun: "EC2 VPC Peering Connection",
    forceNew: ["vpcId", "peerVpcId", "peerOwnerId", "peerRegion"],
    unreadable: ["autoAccept"],
    computed: ["acceptStatus", "peerOwnerId", "peerRegion", "accepter", "requester"],
    tagging: ec2Tagging,
    timeoutMinutes: 1,
    find: {
        byMark: async (context) => {
            const { VpcPeeringConnections } = await context.api.ec2.describeVpcPeeringConnections({ Filters: markFilter(context) });
            return VpcPeeringConnections.filter(({ Status }) => !ENDED.includes(Status.Code)).map(
                ({ VpcPeeringConnectionId }) => VpcPeeringConnectionId,
            );
        },
    },
    create: async (context, { vpcId, peerVpcId, peerOwnerId, peerRegion }) => {
        const { VpcPeeringConnection } = await context.api.ec2.createVpcPeeringConnection({
            VpcId: vpcId,
            PeerVpcId: peerVpcId,
            PeerOwnerId: peerOwnerId,
            PeerRegion: peerRegion,
            ...tagSpecifications(context, "vpc-peering-connection"),
        });
        return VpcPeeringConnection.VpcPeeringConnectionId;
    },
    reconcile: async (context, id, { autoAccept }) => {
        await ready(context, id, ["pending-acceptance", "active"]);
        if (autoAccept) await accept(context, id);
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || ENDED.includes(found.Status.Code)) return undefined;
        const { RequesterVpcInfo: requester, AccepterVpcInfo: accepter } = found;
        return {
            acceptStatus: found.Status.Code,
            vpcId: requester.VpcId,
            peerVpcId: accepter.VpcId,
            peerOwnerId: accepter.OwnerId,
            peerRegion: accepter.Region,
            requester: optionsOf(requester),
            accepter: optionsOf(accepter),
            tags: tagMap(found.Tags),
        };
    },
    // `reconcile` applies autoAccept.
    update: async () => undefined,
    delete: async (context, id) => {
        const code = (await find(context, id))?.Status.Code ?? "deleted";
        if (ENDED.includes(code) && code !== "deleting") return;
        if (code !== "deleting") await context.api.ec2.deleteVpcPeeringConnection({ VpcPeeringConnectionId: id });
        const final = ["deleted", "rejected", "expired", "failed"];
        await waitForDeletion(context, `EC2 VPC Peering Connection (${id})`, final, async () => (await find(context, id))?.Status.Code);
    },
};

/** The accepter's side of a connection. Deleting it leaves the connection to its requester. */
export const vpcPeeringConnectionAccepter: ResourceDefinition<
    Plain<aws.ec2.VpcPeeringConnectionAccepterArgs>,
    Plain<aws.ec2.VpcPeeringConnectionAccepterState>
> = {
    noun: "EC2 VPC Peering Connection Accepter",
    forceNew: ["vpcPeeringConnectionId"],
    unreadable: ["autoAccept"],
    computed: ["acceptStatus", "peerOwnerId", "peerRegion", "peerVpcId", "vpcId", "accepter", "requester"],
    tagging: ec2Tagging,
    timeoutMinutes: 1,
    create: async (context, { vpcPeeringConnectionId: id }) => {
        await ready(context, id, ["pending-acceptance", "active"]);
        await ec2Tagging.set(context, id, context.tags, {});
        return id;
    },
    reconcile: async (context, id, { autoAccept }) => {
        if (autoAccept) await accept(context, id);
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || ENDED.includes(found.Status.Code)) return undefined;
        const { RequesterVpcInfo: requester, AccepterVpcInfo: accepter } = found;
        return {
            vpcPeeringConnectionId: id,
            acceptStatus: found.Status.Code,
            // From the accepter's point of view the requester is the peer.
            vpcId: accepter.VpcId,
            peerVpcId: requester.VpcId,
            peerOwnerId: requester.OwnerId,
            peerRegion: requester.Region,
            requester: optionsOf(requester),
            accepter: optionsOf(accepter),
            tags: tagMap(found.Tags),
        };
    },
    // `reconcile` applies autoAccept.
    update: async () => undefined,
};

type OptionsArgs = Plain<aws.ec2.PeeringConnectionOptionsArgs>;

/** Options of the caller's own side. They end with the connection; deleting them changes nothing. */
export const peeringConnectionOptions: ResourceDefinition<OptionsArgs, Plain<aws.ec2.PeeringConnectionOptionsState>> = {
    noun: "EC2 VPC Peering Connection Options",
    forceNew: ["vpcPeeringConnectionId"],
    computed: ["accepter", "requester"],
    create: async (context, inputs) => {
        await setOptions(context, inputs);
        return inputs.vpcPeeringConnectionId;
    },
    read: async (context, id) => {
        const found = await find(context, id);
        if (!found || ENDED.includes(found.Status.Code)) return undefined;
        return {
            vpcPeeringConnectionId: id,
            requester: optionsOf(found.RequesterVpcInfo),
            accepter: optionsOf(found.AccepterVpcInfo),
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

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { routesTo } from "../core/network/mesh.ts";

/** One end of a connection, with the provider of its account and region. */
interface PeeringSide {
    facts: ClusterFacts;
    provider: aws.Provider;
}

export interface PeeringArgs {
    requester: PeeringSide;
    accepter: PeeringSide;
}

/**
 * A VPC peering connection with routes in both directions. The four steps are the same within one account and region and across them; only the providers
 * differ.
 */
export class Peering extends pulumi.ComponentResource {
    readonly connectionId: pulumi.Output<string>;

    constructor(name: string, { requester, accepter }: PeeringArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Peering", name, {}, opts);
        const optionsOf = (side: PeeringSide) => ({ parent: this, provider: side.provider });
        const tags = { Name: name };

        const request = new aws.ec2.VpcPeeringConnection(
            name,
            {
                vpcId: requester.facts.vpcId,
                peerVpcId: accepter.facts.vpcId,
                peerOwnerId: accepter.facts.accountId,
                peerRegion: accepter.facts.region,
                tags,
            },
            optionsOf(requester),
        );
        const acceptance = new aws.ec2.VpcPeeringConnectionAccepter(
            name,
            { vpcPeeringConnectionId: request.id, autoAccept: true, tags },
            optionsOf(accepter),
        );

        // Everything below depends on the acceptance, not on the request: before it AWS refuses options, and routes would be black holes.
        const connectionId = acceptance.id;
        const dns = { allowRemoteVpcDnsResolution: true };
        new aws.ec2.PeeringConnectionOptions(
            `${name}-requester`,
            { vpcPeeringConnectionId: connectionId, requester: dns },
            optionsOf(requester),
        );
        new aws.ec2.PeeringConnectionOptions(
            `${name}-accepter`,
            { vpcPeeringConnectionId: connectionId, accepter: dns },
            optionsOf(accepter),
        );

        for (const { from, to } of [
            { from: requester, to: accepter },
            { from: accepter, to: requester },
        ]) {
            for (const { routeTableId, destination } of routesTo(from.facts, to.facts)) {
                new aws.ec2.Route(
                    `${from.facts.name}.${to.facts.name}.${routeTableId}.${destination}`,
                    { routeTableId, destinationCidrBlock: destination, vpcPeeringConnectionId: connectionId },
                    optionsOf(from),
                );
            }
        }

        this.connectionId = connectionId;
        this.registerOutputs({ connectionId });
    }
}

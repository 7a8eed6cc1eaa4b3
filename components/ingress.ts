import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { ingressFrom } from "../core/network/mesh.ts";
import { describeTraffic, type IngressPolicy } from "../core/network/traffic.ts";

export interface IngressArgs {
    self: ClusterFacts;
    peers: readonly ClusterFacts[];
    policy: IngressPolicy;
    /** The provider of a member's account and region. */
    provider: (member: ClusterFacts) => aws.Provider;
}

/**
 * The security group rules with which the peers admit a cluster to their etcds, nodes and pods. They name address blocks, because a rule cannot reference a
 * security group of another region.
 */
export class Ingress extends pulumi.ComponentResource {
    constructor(name: string, { self, peers, policy, provider }: IngressArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Ingress", name, {}, opts);
        for (const peer of peers) {
            for (const { securityGroupId, source, description, ...traffic } of ingressFrom(self, peer, policy)) {
                new aws.vpc.SecurityGroupIngressRule(
                    `${self.name}.${peer.name}.${securityGroupId}.${describeTraffic(traffic)}.${source}`,
                    {
                        securityGroupId,
                        cidrIpv4: source,
                        ipProtocol: traffic.protocol,
                        fromPort: traffic.fromPort,
                        toPort: traffic.toPort,
                        description,
                    },
                    { parent: this, provider: provider(peer) },
                );
            }
        }
        this.registerOutputs({});
    }
}

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts } from "../contract.ts";
import { describeTraffic, type IngressPolicy, ingressFrom } from "../core/mesh.ts";

export interface IngressArgs {
    self: ClusterFacts;
    peers: readonly ClusterFacts[];
    policy: IngressPolicy;
}

/** The rules by which a cluster admits its peers: to its etcd, its nodes and its pods. By address block, since groups of other regions cannot be named. */
export class Ingress extends pulumi.ComponentResource {
    constructor(name: string, { self, peers, policy }: IngressArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Ingress", name, {}, opts);
        for (const peer of peers) {
            for (const { securityGroupId, source, description, ...traffic } of ingressFrom(peer, self, policy)) {
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
                    { parent: this },
                );
            }
        }
        this.registerOutputs({});
    }
}

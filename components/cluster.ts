import type * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts, EtcdClient } from "../core/facts/schema.ts";

/** A cluster of the mesh: plain facts, and the secrets still wrapped. */
export interface Cluster extends ClusterFacts {
    kubeconfig: pulumi.Output<string>;
    etcdClient: pulumi.Output<EtcdClient>;
}

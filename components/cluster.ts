import type * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts, EtcdClient } from "../core/facts/schema.ts";

/** A cluster of the mesh: its facts as plain values, its secrets as outputs. */
export interface Cluster extends ClusterFacts {
    kubeconfig: pulumi.Output<string>;
    etcdClient: pulumi.Output<EtcdClient>;
}

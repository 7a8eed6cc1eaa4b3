import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { HelmValues } from "../core/cilium/helm-values.ts";

/** Seconds that Helm waits for the agents of all nodes, which may still be starting. */
const TIMEOUT_SECONDS = 1200;

export interface CiliumArgs {
    version: string;
    /** A repository (https://), an OCI reference (oci://), or a folder or .tgz on disk. */
    chart: string;
    values: HelmValues;
    /** The Secrets that the chart mounts: without them pods never start, and Helm would time out. */
    secrets: pulumi.Resource[];
}

/** The Cilium release, chained to the AWS VPC CNI. */
export class Cilium extends pulumi.ComponentResource {
    readonly release: kubernetes.helm.v3.Release;

    constructor(name: string, args: CiliumArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Cilium", name, {}, opts);

        // clustermesh-apiserver mounts it whenever authMode is not legacy. Empty: all peers are user "remote", because every cluster has a CA of its own.
        const users = new kubernetes.core.v1.ConfigMap(
            `${name}-remote-users`,
            { metadata: { name: "clustermesh-remote-users", namespace: "kube-system" }, data: { "users.yaml": "users: []\n" } },
            { parent: this },
        );
        this.release = new kubernetes.helm.v3.Release(
            name,
            {
                name: "cilium",
                namespace: "kube-system",
                ...(args.chart.startsWith("https://") || args.chart.startsWith("http://")
                    ? { chart: "cilium", repositoryOpts: { repo: args.chart } }
                    : { chart: args.chart }),
                version: args.version,
                values: args.values,
                timeout: TIMEOUT_SECONDS,
            },
            { parent: this, dependsOn: [users, ...args.secrets] },
        );
        this.registerOutputs({});
    }
}

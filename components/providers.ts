import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

export interface AwsAccess {
    region: string;
    /** Role to assume; none: the credentials of whoever runs Pulumi. */
    assumeRole?: string | undefined;
}

/** A provider for one account and region. Each is a process of its own, so share it among all that live there. */
export function awsProvider(name: string, { region, assumeRole }: AwsAccess, tags: Record<string, string>): aws.Provider {
    return new aws.Provider(name, {
        region,
        ...(assumeRole && { assumeRoles: [{ roleArn: assumeRole, sessionName: "clustermesh" }] }),
        defaultTags: { tags },
    });
}

/** A provider for the API server of one cluster. */
export function kubernetesProvider(
    name: string,
    access: { kubeconfig: pulumi.Input<string>; clusterArn: pulumi.Input<string> },
): kubernetes.Provider {
    return new kubernetes.Provider(name, {
        kubeconfig: access.kubeconfig,
        // Otherwise a changed kubeconfig would look like another cluster, and everything in it be replaced.
        clusterIdentifier: access.clusterArn,
        // Otherwise changed data would delete the Secret and make it anew: agents would lose all peers in between.
        enableSecretMutable: true,
        enableConfigMapMutable: true,
    });
}

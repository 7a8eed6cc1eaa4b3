import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

export interface AwsAccess {
    region: string;
    /** Role to assume. Default: the credentials that run Pulumi. */
    assumeRole?: string | undefined;
}

/** A provider for one account and region. Each provider is a process of its own, so share it among all resources there. */
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
        // Otherwise a changed kubeconfig would look like another cluster, and all its resources would be replaced.
        clusterIdentifier: access.clusterArn,
        // Otherwise changed data would delete the Secret and create it again: agents would lose all peers in between.
        enableSecretMutable: true,
        enableConfigMapMutable: true,
    });
}

/**
 * Awaits a query to AWS without whose result the program cannot go on.
 *
 * @param what the queried value, for the error
 * @param stackFile the file whose settings decide region and role
 * @throws RunError with AWS's own message: wrong credentials, or a role that cannot be assumed, are not bugs and show no stack trace
 */
export async function queryAws<T>(what: string, { region, assumeRole }: AwsAccess, stackFile: string, query: Promise<T>): Promise<T> {
    try {
        return await query;
    } catch (error) {
        const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("returned an error: ").slice(-1);
        const credentials = assumeRole ? `role ${assumeRole}` : "the credentials that run Pulumi";
        throw new pulumi.RunError(
            `cannot query ${what} from AWS in ${region}; check ${credentials} (assumeRole in ${stackFile}): ${reason.trim()}`,
        );
    }
}

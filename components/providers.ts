import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

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

/**
 * What AWS answers to a question without whose answer nothing can be planned.
 *
 * @param stackFile the file whose settings say whom to ask, and as whom
 * @throws RunError with AWS's own words: wrong credentials or a role that cannot be assumed are no bugs, and show no stack
 */
export async function answered<T>(question: string, { region, assumeRole }: AwsAccess, stackFile: string, answer: Promise<T>): Promise<T> {
    try {
        return await answer;
    } catch (error) {
        const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("returned an error: ").slice(-1);
        const who = assumeRole ? `role ${assumeRole}` : "the credentials of whoever runs Pulumi";
        throw new pulumi.RunError(
            `AWS does not tell ${question} in ${region}; check ${who} (assumeRole in ${stackFile}): ${reason.trim()}`,
        );
    }
}

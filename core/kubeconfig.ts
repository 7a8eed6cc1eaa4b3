/** How to reach an EKS cluster. */
export interface EksAccess {
    clusterName: string;
    endpoint: string;
    /** PEM in base64, as EKS returns it. */
    certificateAuthority: string;
    region: string;
    /** Role to assume first. */
    roleArn?: string | undefined;
}

/**
 * A kubeconfig, as JSON, that gets its token from `aws eks get-token` each time. It contains no credentials and nothing specific to the machine that writes it,
 * such as a profile name: otherwise every other machine would show a diff. Requires the AWS CLI where it is used.
 */
export function eksKubeconfig({ clusterName, endpoint, certificateAuthority, region, roleArn }: EksAccess): string {
    const args = [
        "--region",
        region,
        "eks",
        "get-token",
        "--cluster-name",
        clusterName,
        "--output",
        "json",
        ...(roleArn ? ["--role-arn", roleArn] : []),
    ];
    return JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": clusterName,
        clusters: [{ name: clusterName, cluster: { server: endpoint, "certificate-authority-data": certificateAuthority } }],
        contexts: [{ name: clusterName, context: { cluster: clusterName, user: clusterName } }],
        users: [{ name: clusterName, user: { exec: { apiVersion: "client.authentication.k8s.io/v1beta1", command: "aws", args } } }],
    });
}

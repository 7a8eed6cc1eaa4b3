/** What reaches an EKS cluster. */
export interface EksAccess {
    clusterName: string;
    endpoint: string;
    /** Base64 of PEM, as EKS gives it. */
    certificateAuthority: string;
    region: string;
    /** Role to assume first. */
    roleArn?: string | undefined;
}

/**
 * A kubeconfig, as JSON, that gets its token from `aws eks get-token` each time. It holds no credential, and nothing of the machine that wrote it (such
 * as a profile's name): another runner must not see it changed. Needs the AWS command line where it is used.
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

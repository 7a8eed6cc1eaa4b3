import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

export interface ForcedSecretArgs {
    /** Name of the Secret in kube-system. */
    secretName: string;
    type?: string;
    /** Plain text by key. */
    files: Record<string, pulumi.Input<string>>;
}

/**
 * A Secret in kube-system that belongs to this stack alone. Without `patchForce`, a manual change with kubectl would be a conflict at the next `up` instead of
 * being reverted.
 */
export function forcedSecret(
    name: string,
    { secretName, type, files }: ForcedSecretArgs,
    opts: pulumi.CustomResourceOptions,
): kubernetes.core.v1.Secret {
    return new kubernetes.core.v1.Secret(
        name,
        {
            metadata: { name: secretName, namespace: "kube-system", annotations: { "pulumi.com/patchForce": "true" } },
            ...(type !== undefined && { type }),
            // data, not stringData: a key that is removed from stringData stays in the Secret.
            data: Object.fromEntries(Object.entries(files).map(([key, text]) => [key, base64(text)])),
        },
        opts,
    );
}

function base64(text: pulumi.Input<string>): pulumi.Output<string> {
    return pulumi.secret(pulumi.output(text).apply((plain) => Buffer.from(plain).toString("base64")));
}

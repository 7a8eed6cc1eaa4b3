/** Errors of the engine, AWS and Helm that stop an operation, and what to do. Reproduced in the lab where possible; comments name the source of the others. */
const REMEDIES: readonly { error: RegExp; remedy: (found: RegExpExecArray) => string }[] = [
    {
        // pulumi/pulumi pkg/backend/diy/lock.go
        error: /the stack is currently locked by \d+ lock/,
        remedy: () =>
            "another run uses the stack, or a killed run has left its lock: make sure that no other run is in progress, then run `pulumi cancel -s <stack>`",
    },
    {
        // Pulumi Cloud: pulumi/pulumi issue 7096
        error: /\[409\] Conflict: Another update is currently in progress/,
        remedy: () =>
            "another run uses the stack: wait for it, or look it up in Pulumi Cloud; after a killed run, run `pulumi cancel -s <stack>`",
    },
    {
        error: /with (\d+) pending operations?/,
        remedy: () => 'a killed run has left resources in doubt: see "After a killed run" in docs/operations.md',
    },
    {
        error: /cannot re-use a name that is still in use/,
        remedy: () =>
            "a killed run has left a partial Helm release: run `helm uninstall cilium -n kube-system` with that cluster's kubeconfig, then repeat the command",
    },
    {
        error: /failed to load checkpoint: EOF/,
        remedy: () =>
            "a killed run has left a partial <stack>.json.attrs next to the state: delete that file; with `?metadata=skip` after the backend's URL no such file is written",
    },
    {
        error: /passphrase must be set with PULUMI_CONFIG_PASSPHRASE|unable to find either `PULUMI_CONFIG_PASSPHRASE`/,
        remedy: () => "set PULUMI_CONFIG_PASSPHRASE, or set PULUMI_CONFIG_PASSPHRASE_FILE to the path of a file with the passphrase",
    },
    {
        error: /incorrect passphrase/,
        remedy: () => "the stacks' secrets are encrypted with a different passphrase: set PULUMI_CONFIG_PASSPHRASE to that one",
    },
    {
        error: /PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions/,
        remedy: () => "run `pulumi login`, or set PULUMI_BACKEND_URL (s3://<bucket>, file://<folder>) or PULUMI_ACCESS_TOKEN",
    },
    {
        // AWS's common errors, as the SDKs print them
        error: /ExpiredToken(Exception)?\b|\bRequestExpired\b|token included in the request is expired|SSO session (has expired|associated with this profile)/,
        remedy: () => "the AWS credentials have expired: renew them (for example with `aws sso login`), then repeat the command",
    },
    {
        error: /[Nn]o valid credential sources|Unable to locate credentials|failed to refresh cached credentials/,
        remedy: () =>
            "no AWS credentials found: set AWS_PROFILE or configure credentials as for the AWS CLI; `aws sts get-caller-identity` shows the current ones",
    },
    {
        error: /is not authorized to perform: ([\w:*]+)/,
        remedy: ([, action]) => `the AWS credentials lack the permission ${action}`,
    },
    {
        error: /no resource plugin 'pulumi-resource-([\w-]+)' found|could not find.*plugin for provider.*?'(\w+)'/s,
        remedy: ([, missing, unfound]) => `install the plugin: \`pulumi plugin install resource ${missing ?? unfound}\``,
    },
    {
        error: /(\w+LimitExceeded|(?:Vpc|Address|NatGateway)\w*Exceeded)/,
        remedy: ([, code]) =>
            `an AWS quota is exhausted (${code}): \`clustermesh plan\` lists what the stacks need; request an increase, then repeat the command`,
    },
];

/** What to do about each known error in a text, once: "→ run ...". */
export function remedies(text: string): string[] {
    return REMEDIES.flatMap(({ error, remedy }) => {
        const found = error.exec(text);
        return found ? [`→ ${remedy(found)}`] : [];
    });
}

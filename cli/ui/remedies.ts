/** What the engine, AWS or Helm says when an operation cannot go on, and what mends it. Tried in the lab where it can be had there; each error's source stands beside it. */
const REMEDIES: readonly { says: RegExp; remedy: (found: RegExpExecArray) => string }[] = [
    {
        // pulumi/pulumi pkg/backend/diy/lock.go
        says: /the stack is currently locked by \d+ lock/,
        remedy: () =>
            "somebody else works on the stack, or a killed run has left its lock: make sure that nobody does, then `pulumi cancel -s <stack>`",
    },
    {
        // Pulumi Cloud: pulumi/pulumi issue 7096
        says: /\[409\] Conflict: Another update is currently in progress/,
        remedy: () =>
            "somebody else works on the stack: wait, or see who does in Pulumi Cloud; after a killed run `pulumi cancel -s <stack>`",
    },
    {
        says: /with (\d+) pending operations?/,
        remedy: () => 'a killed run has left resources in doubt: docs/operations.md, "After a killed run", says how to look for them',
    },
    {
        says: /cannot re-use a name that is still in use/,
        remedy: () =>
            "a killed run has left half a Helm release: `helm uninstall cilium -n kube-system` with that cluster's kubeconfig, then the same command again",
    },
    {
        says: /failed to load checkpoint: EOF/,
        remedy: () =>
            "a killed run has left <stack>.json.attrs half written beside the state: remove that file; `?metadata=skip` behind the backend's URL writes none",
    },
    {
        says: /passphrase must be set with PULUMI_CONFIG_PASSPHRASE|unable to find either `PULUMI_CONFIG_PASSPHRASE`/,
        remedy: () => "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that has it",
    },
    {
        says: /incorrect passphrase/,
        remedy: () => "the stacks' secrets were encrypted with another passphrase: set PULUMI_CONFIG_PASSPHRASE to that one",
    },
    {
        says: /PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions/,
        remedy: () => "run `pulumi login`, or set PULUMI_BACKEND_URL (s3://<bucket>, file://<folder>) or PULUMI_ACCESS_TOKEN",
    },
    {
        // AWS's common errors, as the SDKs print them
        says: /ExpiredToken(Exception)?\b|\bRequestExpired\b|token included in the request is expired|SSO session (has expired|associated with this profile)/,
        remedy: () => "AWS credentials have expired: renew them (`aws sso login`, say), then the same command again",
    },
    {
        says: /[Nn]o valid credential sources|Unable to locate credentials|failed to refresh cached credentials/,
        remedy: () =>
            "there are no AWS credentials: set AWS_PROFILE, or what else the AWS CLI takes; `aws sts get-caller-identity` shows whose they are",
    },
    {
        says: /is not authorized to perform: ([\w:*]+)/,
        remedy: ([, action]) => `these AWS credentials lack the right ${action}`,
    },
    {
        says: /no resource plugin 'pulumi-resource-([\w-]+)' found|could not find.*plugin for provider.*?'(\w+)'/s,
        remedy: ([, one, other]) => `install the plugin: \`pulumi plugin install resource ${one ?? other}\``,
    },
    {
        says: /(\w+LimitExceeded|(?:Vpc|Address|NatGateway)\w*Exceeded)/,
        remedy: ([, code]) =>
            `an AWS quota is reached (${code}): \`clustermesh plan\` lists what is needed; raise it with AWS, then the same command again`,
    },
];

/** "→ what to do" for each known failure in a text, once. */
export function remedies(text: string): string[] {
    return REMEDIES.flatMap(({ says, remedy }) => {
        const found = says.exec(text);
        return found ? [`→ ${remedy(found)}`] : [];
    });
}

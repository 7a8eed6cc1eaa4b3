import { expect, test } from "vitest";
import { remedies } from "../../../cli/ui/remedies.ts";

/** Errors as the engine, AWS's provider and Helm print them. */
const ERRORS: [text: string, remedy: RegExp][] = [
    [
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
        /pulumi cancel -s <stack>/,
    ],
    ["error: [409] Conflict: Another update is currently in progress.", /another run uses the stack/],
    ["warning: Attempting to deploy or update resources with 2 pending operations from previous deployment.", /docs\/operations\.md/],
    ["Helm release: cannot re-use a name that is still in use", /helm uninstall cilium -n kube-system/],
    ["error: failed to load checkpoint: EOF", /attrs/],
    [
        'error: constructing secrets manager of type "passphrase": unable to find either `PULUMI_CONFIG_PASSPHRASE` or `PULUMI_CONFIG_PASSPHRASE_FILE` when trying to access the Passphrase Secrets Provider',
        /set PULUMI_CONFIG_PASSPHRASE/,
    ],
    ["error: getting secrets manager: incorrect passphrase", /a different passphrase/],
    ["error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", /pulumi login/],
    ["operation error EC2: DescribeVpcs, api error ExpiredToken: The security token included in the request is expired", /have expired/],
    ["error: unable to validate AWS credentials. No valid credential sources found", /AWS_PROFILE/],
    [
        "api error AccessDenied: User: arn:aws:iam::1:user/ci is not authorized to perform: eks:CreateCluster on resource: x",
        /lack the permission eks:CreateCluster/,
    ],
    ["error: no resource plugin 'pulumi-resource-eks' found in the workspace at version v4.3.0", /pulumi plugin install resource eks/],
    ["creating EC2 VPC: VpcLimitExceeded: The maximum number of VPCs has been reached.", /quota is exhausted \(VpcLimitExceeded\)/],
];

test.each(ERRORS)("%s", (text, remedy) => {
    const found = remedies(`stack cluster1 failed:\n${text}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(remedy);
});

test("gives no advice for an unknown error", () => {
    expect(remedies("these clusters cannot be one mesh:\n✖ both have id 1")).toEqual([]);
});

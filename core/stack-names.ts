/** The short name of a stack: `cluster1` for `organization/clustermesh/cluster1`. */
export function shortStackName(stack: string): string {
    return stack.slice(stack.lastIndexOf("/") + 1);
}

/**
 * The full name of a stack: `organization/clustermesh/cluster1` for `cluster1`. A full name is returned unchanged.
 *
 * @param project "<organization>/<project>"
 */
export function fullStackName(stack: string, project: string): string {
    return stack.includes("/") ? stack : `${project}/${stack}`;
}

/** The settings file of a stack, such as `Pulumi.cluster1.yaml`. Accepts the short or the full name of the stack. */
export function stackFile(stack: string): string {
    return `Pulumi.${shortStackName(stack)}.yaml`;
}

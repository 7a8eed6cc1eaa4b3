/** The short name of a stack: `cluster1` of `organization/clustermesh/cluster1`. */
export function shortStackName(stack: string): string {
    return stack.slice(stack.lastIndexOf("/") + 1);
}

/**
 * The full name of a stack: `organization/clustermesh/cluster1` of `cluster1`. A full name stays as it is.
 *
 * @param project "<organization>/<project>"
 */
export function fullStackName(stack: string, project: string): string {
    return stack.includes("/") ? stack : `${project}/${stack}`;
}

/** The file that holds a stack's settings: `Pulumi.cluster1.yaml`. Takes the short or the full name of the stack. */
export function stackFile(stack: string): string {
    return `Pulumi.${shortStackName(stack)}.yaml`;
}

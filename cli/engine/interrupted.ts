import { z } from "zod";

/** Operations in a state whose end was never recorded, because the engine was killed. */
const Pending = z.object({
    pending_operations: z
        .array(
            z.object({
                type: z.string(),
                resource: z.object({
                    urn: z.string(),
                    type: z.string(),
                    inputs: z
                        .looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }).optional() })
                        .default({}),
                }),
            }),
        )
        .nullish(),
});

/** A resource whose creation was interrupted. The state does not show whether it exists. */
export interface InterruptedCreation {
    urn: string;
    /** The provider's id, if it follows from the program: a refresh can then look for the resource. */
    id?: string;
}

/**
 * Resources that a killed run was creating. The id of a Kubernetes object is known; without it the next run would create the object again and fail because it
 * already exists. A patch can be applied again and has no such id. A Helm release gets none, since a partial release must not pass for a complete one.
 *
 * @param deployment the deployment of an exported stack
 */
export function interruptedCreations(deployment: unknown): InterruptedCreation[] {
    const { pending_operations } = Pending.parse(deployment ?? {});
    return (pending_operations ?? [])
        .filter(({ type }) => type === "creating")
        .map(({ resource: { urn, type, inputs } }) => {
            const isObject = type.startsWith("kubernetes:") && !type.startsWith("kubernetes:helm") && !type.endsWith("Patch");
            const { name, namespace } = inputs.metadata ?? {};
            return isObject && name ? { urn, id: namespace ? `${namespace}/${name}` : name } : { urn };
        });
}

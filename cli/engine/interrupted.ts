import { z } from "zod";

/** What a state says of operations whose end it has not been told: the engine was killed in between. */
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

/** A resource whose making was interrupted. It may be there or not; the state does not know. */
export interface InterruptedCreation {
    urn: string;
    /** The provider's id for it, where that follows from the program: then a refresh can look for it. */
    id?: string;
}

/**
 * Resources that a killed run was making. Of Kubernetes objects the id is known; without it the next run would try to make them again, and be refused because
 * they exist. A patch may be applied again, and has no such id; nor has a Helm release, which half made must not pass for whole.
 *
 * @param deployment of a stack's export
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

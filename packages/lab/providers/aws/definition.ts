import type { Unwrap } from "@pulumi/pulumi";
import { type AwsApi, isNotFound } from "./api.ts";

/** Arguments or state of an SDK resource, as plain values. */
export type Plain<T> = Unwrap<T>;

export type Tags = Record<string, string>;

/** How the provider manages one resource type through the simulated API. `resource.ts` turns it into the resource type that the engine calls. */
export interface ResourceDefinition<Args extends object, State extends object> {
    /** The real provider's name for it in error messages: `EC2 VPC`. */
    noun: string;
    /** Paths of inputs that cannot be updated in place. */
    forceNew: readonly string[];
    /** Delete the old resource before the replacement is created, because both cannot exist at once. */
    deleteBeforeReplace?: boolean;
    /** Values of inputs that the program leaves out. */
    defaults?: Partial<Args>;
    /** The input that gets a generated name if the program sets none. */
    autoName?: keyof Args & string;
    /** Policy documents: the program may pass objects, AWS stores text. */
    documents?: readonly (keyof Args & string)[];
    /** Inputs that AWS never returns. A read keeps their last known values. */
    unreadable?: readonly (keyof Args & string)[];
    /** Paths of outputs that are known only after the create; unknown in a preview. */
    computed: readonly string[];
    /** Outputs that every update in place recomputes. */
    recomputed?: readonly (keyof State & string)[];
    /** How to change tags in place. Left out: the resource has no tags. */
    tagging?: Tagging;
    /** How long the real provider waits for the resource, in minutes. Default: 10. */
    timeoutMinutes?: number;
    /**
     * Ids of existing resources that may be this one although the engine does not know them: an interrupted run created it, or a response was lost.
     *
     * `byMark` finds everything that carries the resource's mark. It belongs to this resource in any case, so if it differs from the inputs it is updated or
     * deleted. `byKey` finds what has the same natural key. It is adopted only if it equals the inputs; otherwise the program gets AWS's "already exists" error.
     */
    find?:
        | { byMark: (context: Context, inputs: Args) => Promise<string[]> }
        | { byKey: (context: Context, inputs: Args) => Promise<string[]> };
    /**
     * Creates the resource with `context.tags`, in one call if possible.
     *
     * @returns its id
     */
    create(context: Context, inputs: Args): Promise<string>;
    /** Runs after every create and update: remaining steps, which must be idempotent, and waiting until the resource is ready. */
    reconcile?(context: Context, id: string, inputs: Args): Promise<void>;
    /**
     * Reads the current state; `tags` holds all tags that AWS has.
     *
     * @returns undefined if the resource does not exist; a "not found" error from AWS means the same
     */
    read(context: Context, id: string, olds: State & Args): Promise<State | undefined>;
    /** Updates everything except tags. Left out: only tags can be updated in place. */
    update?(context: Context, id: string, update: UpdateArgs<Args, State>): Promise<void>;
    /** Deletes the resource and waits until it is gone. Left out: the resource is only removed from the state. */
    delete?(context: Context, id: string, olds: State & Args): Promise<void>;
}

export interface UpdateArgs<Args, State> {
    inputs: Args;
    olds: State & Args;
    /** Whether any of these inputs, or a property below them, differs. */
    changed(...keys: (keyof Args & string)[]): boolean;
}

/** How a service changes tags. */
export interface Tagging {
    set(context: Context, id: string, tags: Tags, olds: { arn?: string }): Promise<unknown>;
    unset(context: Context, id: string, keys: string[], olds: { arn?: string }): Promise<unknown>;
}

/** What a definition can use while it works on one resource. */
export interface Context {
    api: AwsApi;
    account: string;
    region: string;
    partition: string;
    /** Tags to create the resource with: the requested tags and the mark. */
    tags: Tags;
    /** The tag that identifies a resource as created for this URN. */
    mark: { key: string; value: string };
    /** The resource's name in the program. */
    name: string;
    /** Hexadecimal digits that are stable across retries of a create and different for a replacement. */
    unique(digits: number): string;
    /**
     * Polls until `fetchState` returns undefined.
     *
     * @param fetchState returns the state that it still waits on, or undefined when done
     * @throws Error after the resource's timeout
     */
    waitFor(what: string, target: string, fetchState: () => Promise<string | undefined>): Promise<void>;
}

/** The resource is in a state that it cannot leave, such as a NAT gateway that failed. What was created is deleted. */
export class UnexpectedStateError extends Error {}

/**
 * For `waitFor`: the state that it still waits on, or undefined once it is one of `target`.
 *
 * @throws UnexpectedStateError for a state that is neither in `target` nor in `pending`
 */
export function pendingState(
    state: string | undefined,
    target: readonly string[],
    pending: readonly string[],
    reason?: string,
): string | undefined {
    if (state === undefined) return "not found";
    if (target.includes(state)) return undefined;
    if (pending.includes(state)) return state;
    throw new UnexpectedStateError(`unexpected state '${state}', wanted target '${target.join(", ")}'. last error: ${reason ?? "none"}`);
}

/** Waits until AWS no longer finds the resource or reports one of the `final` states. */
export function waitForDeletion(
    context: Context,
    what: string,
    final: readonly string[],
    fetchState: () => Promise<string | undefined>,
): Promise<void> {
    return context.waitFor(what, "deleted", async () => {
        try {
            const state = await fetchState();
            return state === undefined || final.includes(state) ? undefined : state;
        } catch (error) {
            if (isNotFound(error)) return undefined;
            throw error;
        }
    });
}

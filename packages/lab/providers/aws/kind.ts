import type { Unwrap } from "@pulumi/pulumi";
import { type AwsApi, isAbsent } from "./api.ts";

/** Arguments or state of a resource of the SDK, as plain values. */
export type Plain<T> = Unwrap<T>;

export type Tags = Record<string, string>;

/** A type of resource of the real provider, over the simulated API. `resource.ts` makes of it what the engine talks to. */
export interface Kind<Args extends object, State extends object> {
    /** As the real provider calls it in errors: `EC2 VPC`. */
    noun: string;
    /** Paths of inputs that cannot change on the living resource. */
    forceNew: readonly string[];
    /** The old one goes before the new one comes: both cannot be there at once. */
    deleteBeforeReplace?: boolean;
    /** Inputs that the provider fills in. */
    defaults?: Partial<Args>;
    /** The input that gets a name of its own when the program gives none. */
    autoName?: keyof Args & string;
    /** Policies: the program may give them as objects, AWS has them as text. */
    documents?: readonly (keyof Args & string)[];
    /** Inputs that AWS never tells again: taken to be as they were. */
    unreadable?: readonly (keyof Args & string)[];
    /** Paths of outputs that only making the resource tells: unknown in a preview. */
    computed: readonly string[];
    /** Outputs that any change in place makes anew. */
    recomputed?: readonly (keyof State & string)[];
    /** How tags change on the living resource; none: it has no tags. */
    tagging?: Tagging;
    /** What takes minutes at AWS, and how many the real provider waits for it. */
    minutes?: number;
    /**
     * Ids of what may be this resource although the engine does not know it: an interrupted run had made it, or an answer was lost. `marked`: whatever has
     * the resource's mark, so it is this one's in any case, and is changed or removed if it is not as wanted. `same`: whatever is under the same natural key;
     * it is adopted only if it is just as wanted, else AWS's refusal to make it twice is what the program hears.
     */
    find?:
        | { marked: (context: Context, inputs: Args) => Promise<string[]> }
        | { same: (context: Context, inputs: Args) => Promise<string[]> };
    /** Makes it, in one call if possible, with `context.tags`; returns its id. */
    make(context: Context, inputs: Args): Promise<string>;
    /** What follows, as often as needed: further steps that may be repeated, and waiting until it is ready. After a change as well. */
    settle?(context: Context, id: string, inputs: Args): Promise<void>;
    /** As it is, `tags` as AWS has them all; undefined, or AWS's word that it is not there: gone. */
    read(context: Context, id: string, olds: State & Args): Promise<State | undefined>;
    /** Changes all but the tags. Left out: nothing but tags changes in place. */
    update?(context: Context, id: string, change: Changed<Args, State>): Promise<void>;
    /** Removes it and waits until it is gone. Left out: the resource is only forgotten. */
    remove?(context: Context, id: string, olds: State & Args): Promise<void>;
}

export interface Changed<Args, State> {
    inputs: Args;
    olds: State & Args;
    /** Whether something at or below that input differs. */
    has(...keys: (keyof Args & string)[]): boolean;
}

/** How a service changes tags. */
export interface Tagging {
    set(context: Context, id: string, tags: Tags, olds: { arn?: string }): Promise<unknown>;
    unset(context: Context, id: string, keys: string[], olds: { arn?: string }): Promise<unknown>;
}

/** What a kind has at hand while it works on one resource. */
export interface Context {
    api: AwsApi;
    account: string;
    region: string;
    partition: string;
    /** What the resource is to be tagged with at its making: the wanted tags and the mark. */
    tags: Tags;
    /** The tag by which a resource is known to be made for this URN. */
    mark: { key: string; value: string };
    /** Name of the resource in the program. */
    name: string;
    /** Hexadecimal digits that are the same for each try to make this resource, and others for the one that replaces it. */
    unique(digits: number): string;
    /** Looks until nothing is left to wait for: `look` tells the state that keeps it waiting. */
    until(what: string, wanted: string, look: () => Promise<string | undefined>): Promise<void>;
}

/** Something that a wait cannot end well with: a NAT gateway that has failed. What was made is removed. */
export class Hopeless extends Error {}

/** All states but those that stand for "ready" keep one waiting; those of failure end it. */
export function awaited(state: string | undefined, ready: readonly string[], pending: readonly string[], why?: string): string | undefined {
    if (state === undefined) return "not found";
    if (ready.includes(state)) return undefined;
    if (pending.includes(state)) return state;
    throw new Hopeless(`unexpected state '${state}', wanted target '${ready.join(", ")}'. last error: ${why ?? "none"}`);
}

/** Waits until something is gone: until AWS knows it no more, or says that it is over. */
export function untilGone(context: Context, what: string, over: readonly string[], look: () => Promise<string | undefined>): Promise<void> {
    return context.until(what, "deleted", async () => {
        try {
            const state = await look();
            return state === undefined || over.includes(state) ? undefined : state;
        } catch (error) {
            if (isAbsent(error)) return undefined;
            throw error;
        }
    });
}

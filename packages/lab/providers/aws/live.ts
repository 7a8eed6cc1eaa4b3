import { setTimeout as sleep } from "node:timers/promises";
import { type Diff, diffInputs } from "../diff.ts";
import { isProperties, type Properties } from "../values.ts";
import { backoff, hasCode, isNotFound } from "./api.ts";
import type { Context, ResourceDefinition, Tags } from "./definition.ts";
import { isWithin } from "./project.ts";
import { MARK, type Session } from "./session.ts";

/** AWS error codes for a resource that is still in use. */
const IN_USE = [
    "DependencyViolation",
    "InvalidIPAddress.InUse",
    "ResourceInUse",
    "ResourceInUseException",
    "IncorrectState",
    "DeleteConflict",
];
const TAG_PROPERTIES = ["tags", "tagsAll"];

/** Reads, compares, updates and deletes resources of one type at AWS, tags included. */
export class LiveResource<Args extends object, State extends object> {
    readonly #definition: ResourceDefinition<Args, State>;
    readonly #session: Session;

    constructor(definition: ResourceDefinition<Args, State>, session: Session) {
        this.#definition = definition;
        this.#session = session;
    }

    /** The current state without the mark and AWS's own tags; undefined if the resource does not exist. */
    async read(context: Context, id: string, olds: Properties): Promise<Properties | undefined> {
        try {
            const state = (await this.#definition.read(context, id, olds as unknown as State & Args)) as Properties | undefined;
            const remembered = Object.fromEntries((this.#definition.unreadable ?? []).map((key) => [key, olds[key]]));
            return state && this.#withVisibleTags(defined({ ...remembered, ...state }));
        } catch (error) {
            if (isNotFound(error)) return undefined;
            throw error;
        }
    }

    #withVisibleTags(state: Properties): Properties {
        if (!this.#definition.tagging) return state;
        const all = isProperties(state.tags) ? state.tags : {};
        const tags = Object.fromEntries(Object.entries(all).filter(([key]) => key !== MARK && !key.startsWith("aws:")));
        return { ...state, tags, tagsAll: tags };
    }

    diff(olds: Properties, news: Properties, ignoreChanges: readonly string[] = []): Diff {
        const { forceNew, update, deleteBeforeReplace } = this.#definition;
        const diff = diffInputs(olds, news, { only: [] }, ignoreChanges);
        const needsReplace = (path: string) => isWithin(path, forceNew) || (!update && !isWithin(path, TAG_PROPERTIES));
        const replaces = Object.keys(diff.detailed).filter(needsReplace);
        return { ...diff, replaces, ...(deleteBeforeReplace && { deleteBeforeReplace: true }) };
    }

    /** Updates tags, then everything else that differs between `oldInputs` and `inputs`. */
    async update(context: Context, id: string, inputs: Properties, olds: Properties, oldInputs: Properties): Promise<void> {
        await this.#updateTags(context, id, tagsOf(inputs), olds);
        const paths = Object.keys(this.diff(oldInputs, inputs).detailed).filter((path) => !isWithin(path, TAG_PROPERTIES));
        if (paths.length > 0)
            await this.#definition.update?.(context, id, {
                inputs: inputs as unknown as Args,
                olds: olds as unknown as State & Args,
                changed: (...keys) => paths.some((path) => isWithin(path, keys)),
            });
    }

    async #updateTags(context: Context, id: string, tags: Tags, olds: Properties): Promise<void> {
        const { tagging } = this.#definition;
        if (!tagging) return;
        const oldTags = tagsOf(olds);
        const set = Object.entries(tags).filter(([key, value]) => oldTags[key] !== value);
        const unset = Object.keys(oldTags).filter((key) => !(key in tags));
        if (set.length > 0) await tagging.set(context, id, Object.fromEntries(set), olds as { arn?: string });
        if (unset.length > 0) await tagging.unset(context, id, unset, olds as { arn?: string });
    }

    /** Deletes the resource; retries for `pace.deleteTimeoutMs` while something else uses it. A resource that does not exist is not an error. */
    async delete(context: Context, id: string, olds: Properties, signal: AbortSignal): Promise<void> {
        const { pace } = this.#session;
        const deadline = Date.now() + pace.deleteTimeoutMs;
        for (let attempt = 1; ; attempt++) {
            try {
                return await this.#definition.delete?.(context, id, olds as unknown as State & Args);
            } catch (error) {
                if (isNotFound(error)) return;
                if (!hasCode(error, ...IN_USE) || Date.now() > deadline) throw error;
                await sleep(backoff(pace, attempt), undefined, { signal });
            }
        }
    }
}

export function tagsOf({ tags }: Properties): Tags {
    return isProperties(tags) ? (tags as Tags) : {};
}

/** `properties` without undefined and null values. */
export function defined(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined && value !== null));
}

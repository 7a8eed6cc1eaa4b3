import { setTimeout as sleep } from "node:timers/promises";
import type { ResourceRequest } from "../provider.ts";
import type { Properties } from "../values.ts";
import { backoff, isNotFound, mayHaveSucceeded } from "./api.ts";
import type { Context, ResourceDefinition } from "./definition.ts";
import type { LiveResource } from "./live.ts";
import { projectInputs } from "./project.ts";
import type { Session } from "./session.ts";

interface Target<Args extends object, State extends object> {
    definition: ResourceDefinition<Args, State>;
    live: LiveResource<Args, State>;
    session: Session;
}

/**
 * Creates a resource, unless AWS already has it.
 *
 * A killed run leaves at most the resources that were being created when it died: AWS has them, the state does not. So every resource is created with a mark, a
 * tag whose value is derived from the URN, and generated names are derived from the URN too. A create first looks for resources that carry its mark and are
 * unknown to the engine. One that equals the inputs is adopted; otherwise it is updated if that is possible, else deleted. Resources without tags (a route, an
 * association) are found by their natural key and adopted only if they equal the inputs. The same search runs after a create whose response was lost.
 *
 * @returns the resource's id
 */
export async function createOrAdopt<Args extends object, State extends object>(
    target: Target<Args, State>,
    context: Context,
    inputs: Properties,
    request: ResourceRequest,
): Promise<string> {
    const { definition, session } = target;
    for (let attempt = 1; ; attempt++) {
        const adopted = await adopt(target, context, inputs, request);
        if (adopted) return adopted;
        try {
            return await definition.create(context, inputs as unknown as Args);
        } catch (error) {
            if (!mayHaveSucceeded(error) || attempt >= session.pace.maxAttempts) throw error;
            await sleep(backoff(session.pace, attempt), undefined, { signal: request.signal });
        }
    }
}

async function adopt<Args extends object, State extends object>(
    { definition, live, session }: Target<Args, State>,
    context: Context,
    inputs: Properties,
    { urn, signal }: ResourceRequest,
): Promise<string | undefined> {
    const known = session.known.get(urn);
    // The engine has this resource but its id is not known here: what the search finds might be that one.
    if (!definition.find || (known && known.size === 0)) return undefined;
    const isMarked = "byMark" in definition.find;
    const find = "byMark" in definition.find ? definition.find.byMark : definition.find.byKey;
    for (const id of await emptyIfNotFound(find(context, inputs as unknown as Args))) {
        if (known?.has(id)) continue;
        const state = await live.read(context, id, inputs);
        if (!state) continue;
        const currentInputs = projectInputs(inputs, state);
        const diff = live.diff(currentInputs, inputs);
        if (!isMarked && diff.changes) continue;
        if (diff.replaces.length > 0) {
            await live.delete(context, id, { ...inputs, ...state }, signal);
            continue;
        }
        await session.engine.log("info", `adopting ${definition.noun} (${id}), created by an interrupted run`, { urn });
        if (diff.changes) {
            // A resource that is still being created cannot be updated.
            await definition.reconcile?.(context, id, inputs as unknown as Args);
            await live.update(context, id, inputs, state, currentInputs);
        }
        return id;
    }
    return undefined;
}

async function emptyIfNotFound(ids: Promise<string[]>): Promise<string[]> {
    try {
        return await ids;
    } catch (error) {
        if (isNotFound(error)) return [];
        throw error;
    }
}

import { setTimeout as sleep } from "node:timers/promises";
import { type Diff, diffInputs } from "../diff.ts";
import { NotReady, type ResourceRequest, type ResourceType } from "../provider.ts";
import { hasUnknowns, isProperties, type Properties, UNKNOWN, type Value } from "../values.ts";
import { backoff, hasCode, isAbsent, isUncertain } from "./api.ts";
import { type Context, Hopeless, type Kind, type Tags } from "./kind.ts";
import { filled, isWithin, projected } from "./project.ts";
import { contextFor, know, MARK, type Session, uniqueFor } from "./session.ts";

/** A kind, bound to a session: what the engine talks to. */
export type Bound = (session: Session) => ResourceType;

/** What AWS says of a resource that something else still uses. */
const IN_USE = [
    "DependencyViolation",
    "InvalidIPAddress.InUse",
    "ResourceInUse",
    "ResourceInUseException",
    "IncorrectState",
    "DeleteConflict",
];

/**
 * Makes a resource type of a description.
 *
 * A run that is killed leaves at most what was being made when it died: AWS has it, the state does not. So everything is made with a mark, a tag whose value
 * comes from the URN, and names that the provider chooses come from the URN as well. A create first looks for what has its mark and is not known to the
 * engine: that is adopted if it is as wanted, changed where that is possible, else removed. What cannot have tags (a route, an association) is found under
 * its natural key and adopted only if it is exactly as wanted. The same look decides after a create whose answer was lost.
 */
export function bound<Args extends object, State extends object>(kind: Kind<Args, State>): Bound {
    return (session) => {
        const seconds = (asked: number | undefined) => asked ?? (kind.minutes ?? 10) * 60;
        const at = (request: ResourceRequest, tags?: Tags, limit?: number) =>
            contextFor(session, request, { tags, seconds: seconds(limit) });

        async function read(context: Context, id: string, olds: Properties): Promise<Properties | undefined> {
            try {
                const state = (await kind.read(context, id, olds as unknown as State & Args)) as Properties | undefined;
                const told = Object.fromEntries((kind.unreadable ?? []).map((key) => [key, olds[key]]));
                return state && withTags(defined({ ...told, ...state }));
            } catch (error) {
                if (isAbsent(error)) return undefined;
                throw error;
            }
        }
        function withTags(state: Properties): Properties {
            if (!kind.tagging) return state;
            const all = isProperties(state.tags) ? state.tags : {};
            const tags = Object.fromEntries(Object.entries(all).filter(([key]) => key !== MARK && !key.startsWith("aws:")));
            return { ...state, tags, tagsAll: tags };
        }
        function compare(olds: Properties, news: Properties, ignore: readonly string[] = []): Diff {
            const diff = diffInputs(olds, news, { only: [] }, ignore);
            const changesOnly = kind.update ? [] : Object.keys(diff.detailed).filter((path) => !isWithin(path, ["tags", "tagsAll"]));
            const replaces = Object.keys(diff.detailed).filter((path) => isWithin(path, kind.forceNew) || changesOnly.includes(path));
            return { ...diff, replaces, ...(kind.deleteBeforeReplace && { deleteBeforeReplace: true }) };
        }
        async function change(context: Context, id: string, inputs: Properties, olds: Properties, oldInputs: Properties): Promise<void> {
            if (kind.tagging) await changeTags(context, id, tagsOf(inputs), olds);
            const paths = Object.keys(compare(oldInputs, inputs).detailed).filter((path) => !isWithin(path, ["tags", "tagsAll"]));
            if (paths.length > 0)
                await kind.update?.(context, id, {
                    inputs: inputs as unknown as Args,
                    olds: olds as unknown as State & Args,
                    has: (...keys) => paths.some((path) => isWithin(path, keys)),
                });
        }
        async function changeTags(context: Context, id: string, wanted: Tags, olds: Properties): Promise<void> {
            const had = tagsOf(olds);
            const set = Object.entries(wanted).filter(([key, value]) => had[key] !== value);
            const unset = Object.keys(had).filter((key) => !(key in wanted));
            if (set.length > 0) await kind.tagging?.set(context, id, Object.fromEntries(set), olds as { arn?: string });
            if (unset.length > 0) await kind.tagging?.unset(context, id, unset, olds as { arn?: string });
        }
        async function remove(context: Context, id: string, olds: Properties, signal: AbortSignal): Promise<void> {
            const end = Date.now() + session.pace.patience;
            for (let turn = 1; ; turn++) {
                try {
                    return await kind.remove?.(context, id, olds as unknown as State & Args);
                } catch (error) {
                    if (isAbsent(error)) return;
                    if (!hasCode(error, ...IN_USE) || Date.now() > end) throw error;
                    await sleep(backoff(session.pace, turn), undefined, { signal });
                }
            }
        }

        /** What AWS has for this resource already, brought to what is wanted. */
        async function adopted(context: Context, inputs: Properties, { urn, signal }: ResourceRequest): Promise<string | undefined> {
            const known = session.known.get(urn);
            // The engine has one of which it has told no id: what is found might be that.
            if (!kind.find || (known && known.size === 0)) return undefined;
            const isMarked = "marked" in kind.find;
            const look = "marked" in kind.find ? kind.find.marked : kind.find.same;
            for (const id of await present(look(context, inputs as unknown as Args))) {
                if (known?.has(id)) continue;
                const state = await read(context, id, inputs);
                if (!state) continue;
                const asIs = projected(inputs, state);
                const diff = compare(asIs, inputs);
                if (!isMarked && diff.changes) continue;
                if (diff.replaces.length > 0) {
                    await remove(context, id, { ...inputs, ...state }, signal);
                    continue;
                }
                await session.engine.log("info", `adopting ${kind.noun} (${id}), which an interrupted run had made`, { urn });
                if (diff.changes) {
                    // What is still being made takes no change.
                    await kind.settle?.(context, id, inputs as unknown as Args);
                    await change(context, id, inputs, state, asIs);
                }
                return id;
            }
            return undefined;
        }
        async function made(context: Context, inputs: Properties, request: ResourceRequest): Promise<string> {
            for (let attempt = 1; ; attempt++) {
                const found = await adopted(context, inputs, request);
                if (found) return found;
                try {
                    return await kind.make(context, inputs as unknown as Args);
                } catch (error) {
                    if (!isUncertain(error) || attempt >= session.pace.attempts) throw error;
                    await sleep(backoff(session.pace, attempt), undefined, { signal: request.signal });
                }
            }
        }
        /** Says of an error what was being done, as the real provider does. */
        async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
            try {
                return await work();
            } catch (error) {
                if (error instanceof NotReady) throw error;
                throw new Error(`${what}: ${text(error)}`, { cause: error });
            }
        }
        async function settled(context: Context, id: string, inputs: Properties, request: ResourceRequest): Promise<Properties> {
            try {
                await kind.settle?.(context, id, inputs as unknown as Args);
                const state = await read(context, id, inputs);
                if (!state) throw new Error("couldn't find resource");
                return { ...inputs, ...state };
            } catch (error) {
                if (error instanceof Hopeless) {
                    // Kept in the state it would be in the way: the next run would wait for it again.
                    await remove(context, id, inputs, request.signal).catch(() => undefined);
                    throw error;
                }
                const outputs = { ...inputs, ...(await read(contextAfter(request), id, inputs).catch(() => undefined)) };
                throw new NotReady({ id, outputs, inputs }, [`waiting for ${kind.noun} (${id}): ${text(error)}`]);
            }
        }
        /** What failed because the engine gave up is still looked at once: its signal would refuse that. */
        const contextAfter = ({ urn, type, name }: ResourceRequest) => at({ urn, type, name, signal: AbortSignal.timeout(10_000) });

        return {
            check: ({ urn, name, olds, news }) => {
                if (olds) know(session, urn);
                const inputs = { ...(kind.defaults as Properties | undefined), ...defined(news) };
                for (const key of kind.documents ?? []) inputs[key] = asText(inputs[key]);
                const { autoName } = kind;
                const given = autoName && (inputs[autoName] ?? inputs[`${autoName}Prefix`]);
                if (autoName && given === undefined) inputs[autoName] = olds?.[autoName] ?? `${name}-${uniqueFor(session, urn, 7)}`;
                const tags = inputs.tags ?? {};
                if (kind.tagging && isProperties(tags) && Object.keys({ ...session.defaultTags, ...tags }).length > 0)
                    inputs.tags = { ...session.defaultTags, ...tags };
                return { inputs: defined(inputs) };
            },
            diff: ({ urn, id, oldInputs, news, ignoreChanges }) => {
                know(session, urn, id);
                return compare(oldInputs, news, ignoreChanges);
            },
            create: async (request) => {
                const { inputs, preview, timeoutSeconds } = request;
                if (preview) return { id: "", outputs: kind.computed.reduce((outputs, path) => filled(outputs, path, UNKNOWN), inputs) };
                const context = at(request, tagsOf(inputs), timeoutSeconds);
                return doing(`creating ${kind.noun}`, async () => {
                    const id = await made(context, inputs, request);
                    return { id, outputs: await settled(context, id, inputs, request) };
                });
            },
            read: async (request) => {
                const { urn, id, olds, oldInputs } = request;
                know(session, urn, id);
                const state = await doing(`reading ${kind.noun} (${id})`, () => read(at(request), id, { ...oldInputs, ...olds }));
                if (!state) return undefined;
                const isFirst = Object.keys(oldInputs).length === 0;
                const all = Object.fromEntries(Object.entries(state).filter(([key]) => !kind.computed.includes(key) && key !== "tagsAll"));
                // A tag that appears where the program wants none is drift as well.
                const wanted = Object.keys(tagsOf(state)).length > 0 ? { tags: {}, ...oldInputs } : oldInputs;
                return { id, outputs: state, inputs: isFirst ? all : projected(wanted, state) };
            },
            update: async (request) => {
                const { urn, id, inputs, olds, oldInputs, preview, timeoutSeconds } = request;
                know(session, urn, id);
                if (preview) {
                    const anew = Object.fromEntries((kind.recomputed ?? []).map((key) => [key, UNKNOWN]));
                    return { outputs: { ...olds, ...inputs, ...anew } };
                }
                const context = at(request, tagsOf(inputs), timeoutSeconds);
                return doing(`updating ${kind.noun} (${id})`, async () => {
                    await change(context, id, inputs, { ...oldInputs, ...olds }, oldInputs);
                    return { outputs: await settled(context, id, inputs, request) };
                });
            },
            delete: async (request) => {
                const { urn, id, olds, oldInputs, timeoutSeconds, signal } = request;
                know(session, urn, id);
                const context = at(request, {}, timeoutSeconds);
                await doing(`deleting ${kind.noun} (${id})`, () => remove(context, id, { ...oldInputs, ...olds }, signal));
            },
        };
    };
}

function tagsOf({ tags }: Properties): Tags {
    return isProperties(tags) ? (tags as Tags) : {};
}

function asText(document: Value | undefined): Value | undefined {
    if (!isProperties(document)) return document;
    return hasUnknowns(document) ? UNKNOWN : JSON.stringify(document);
}

function defined(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined && value !== null));
}

async function present(ids: Promise<string[]>): Promise<string[]> {
    try {
        return await ids;
    } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
    }
}

function text(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

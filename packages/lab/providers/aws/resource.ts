import {
    type Checked,
    type CheckRequest,
    type Created,
    type CreateRequest,
    type DeleteRequest,
    type DiffRequest,
    NotReady,
    type Read,
    type ReadRequest,
    type ResourceRequest,
    type ResourceType,
    type UpdateRequest,
} from "../provider.ts";
import { hasUnknowns, isProperties, type Properties, UNKNOWN, type Value } from "../values.ts";
import { createOrAdopt } from "./adopt.ts";
import { type Context, type ResourceDefinition, type Tags, UnexpectedStateError } from "./definition.ts";
import { defined, LiveResource, tagsOf } from "./live.ts";
import { fillPath, projectInputs } from "./project.ts";
import { contextFor, rememberId, type Session, uniqueFor } from "./session.ts";

/** Opens a resource type for a configured provider. */
export type OpenResource = (session: Session) => ResourceType;

/** Makes a definition available to the engine. */
export function awsResource<Args extends object, State extends object>(definition: ResourceDefinition<Args, State>): OpenResource {
    return (session) => new AwsResource(definition, session);
}

class AwsResource<Args extends object, State extends object> implements ResourceType {
    readonly #definition: ResourceDefinition<Args, State>;
    readonly #session: Session;
    readonly #live: LiveResource<Args, State>;

    constructor(definition: ResourceDefinition<Args, State>, session: Session) {
        this.#definition = definition;
        this.#session = session;
        this.#live = new LiveResource(definition, session);
    }

    check({ urn, name, olds, news }: CheckRequest): Checked {
        if (olds) rememberId(this.#session, urn);
        const { autoName, defaults, documents = [], tagging } = this.#definition;
        const inputs = { ...(defaults as Properties | undefined), ...defined(news) };
        for (const key of documents) inputs[key] = asText(inputs[key]);
        const isNamed = autoName && (inputs[autoName] ?? inputs[`${autoName}Prefix`]) !== undefined;
        if (autoName && !isNamed) inputs[autoName] = olds?.[autoName] ?? `${name}-${uniqueFor(this.#session, urn, 7)}`;
        const { defaultTags } = this.#session;
        const tags = inputs.tags ?? {};
        if (tagging && isProperties(tags) && Object.keys({ ...defaultTags, ...tags }).length > 0) inputs.tags = { ...defaultTags, ...tags };
        return { inputs: defined(inputs) };
    }

    diff({ urn, id, oldInputs, news, ignoreChanges }: DiffRequest) {
        rememberId(this.#session, urn, id);
        return this.#live.diff(oldInputs, news, ignoreChanges);
    }

    async create(request: CreateRequest): Promise<Created> {
        const { inputs, preview, timeoutSeconds } = request;
        const { computed, noun } = this.#definition;
        if (preview) return { id: "", outputs: computed.reduce((outputs, path) => fillPath(outputs, path, UNKNOWN), inputs) };
        const context = this.#context(request, tagsOf(inputs), timeoutSeconds);
        return inOperation(`creating ${noun}`, async () => {
            const target = { definition: this.#definition, live: this.#live, session: this.#session };
            const id = await createOrAdopt(target, context, inputs, request);
            return { id, outputs: await this.#reconcile(context, id, inputs, request) };
        });
    }

    async read(request: ReadRequest): Promise<Read | undefined> {
        const { urn, id, olds, oldInputs } = request;
        const { computed, noun } = this.#definition;
        rememberId(this.#session, urn, id);
        const read = () => this.#live.read(this.#context(request), id, { ...oldInputs, ...olds });
        const state = await inOperation(`reading ${noun} (${id})`, read);
        if (!state) return undefined;
        const isImport = Object.keys(oldInputs).length === 0;
        const allInputs = Object.fromEntries(Object.entries(state).filter(([key]) => !computed.includes(key) && key !== "tagsAll"));
        // A tag on a resource for which the program sets none is drift too.
        const expected = Object.keys(tagsOf(state)).length > 0 ? { tags: {}, ...oldInputs } : oldInputs;
        return { id, outputs: state, inputs: isImport ? allInputs : projectInputs(expected, state) };
    }

    async update(request: UpdateRequest): Promise<{ outputs: Properties }> {
        const { urn, id, inputs, olds, oldInputs, preview, timeoutSeconds } = request;
        const { noun, recomputed = [] } = this.#definition;
        rememberId(this.#session, urn, id);
        if (preview) {
            const unknown = Object.fromEntries(recomputed.map((key) => [key, UNKNOWN]));
            return { outputs: { ...olds, ...inputs, ...unknown } };
        }
        const context = this.#context(request, tagsOf(inputs), timeoutSeconds);
        return inOperation(`updating ${noun} (${id})`, async () => {
            await this.#live.update(context, id, inputs, { ...oldInputs, ...olds }, oldInputs);
            return { outputs: await this.#reconcile(context, id, inputs, request) };
        });
    }

    async delete(request: DeleteRequest): Promise<void> {
        const { urn, id, olds, oldInputs, timeoutSeconds, signal } = request;
        rememberId(this.#session, urn, id);
        const context = this.#context(request, {}, timeoutSeconds);
        const remove = () => this.#live.delete(context, id, { ...oldInputs, ...olds }, signal);
        await inOperation(`deleting ${this.#definition.noun} (${id})`, remove);
    }

    /**
     * Brings the resource to its inputs, waits until it is ready, and reads its outputs.
     *
     * @throws NotReady if that fails: the resource exists, so the engine must keep it
     */
    async #reconcile(context: Context, id: string, inputs: Properties, request: ResourceRequest): Promise<Properties> {
        try {
            await this.#definition.reconcile?.(context, id, inputs as unknown as Args);
            const state = await this.#live.read(context, id, inputs);
            if (!state) throw new Error("couldn't find resource");
            return { ...inputs, ...state };
        } catch (error) {
            if (error instanceof UnexpectedStateError) {
                // Deleted, because the next run would find it in the state and wait for it again.
                await this.#live.delete(context, id, inputs, request.signal).catch(() => undefined);
                throw error;
            }
            // The request's signal may be aborted already and would refuse this read.
            const freshContext = this.#context({ ...request, signal: AbortSignal.timeout(10_000) });
            const outputs = { ...inputs, ...(await this.#live.read(freshContext, id, inputs).catch(() => undefined)) };
            throw new NotReady({ id, outputs, inputs }, [`waiting for ${this.#definition.noun} (${id}): ${messageOf(error)}`]);
        }
    }

    #context(request: ResourceRequest, tags?: Tags, timeoutSeconds = (this.#definition.timeoutMinutes ?? 10) * 60): Context {
        return contextFor(this.#session, request, { tags, timeoutSeconds });
    }
}

/** Puts the operation in front of an error's message, as the real provider does. */
async function inOperation<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
        return await work();
    } catch (error) {
        if (error instanceof NotReady) throw error;
        throw new Error(`${operation}: ${messageOf(error)}`, { cause: error });
    }
}

function asText(document: Value | undefined): Value | undefined {
    if (!isProperties(document)) return document;
    return hasUnknowns(document) ? UNKNOWN : JSON.stringify(document);
}

function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

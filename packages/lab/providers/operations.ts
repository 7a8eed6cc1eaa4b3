import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { diffInputs } from "./diff.ts";
import { NotReady, type Provider, type ResourceRequest, type ResourceType } from "./provider.ts";
import type { Session } from "./server.ts";
import { markKeys, markLike, type Properties, plainProperties } from "./values.ts";
import { checkResponse, diffResponse, parseUrn, read, type Struct, timeout, write } from "./wire.ts";

export function plainOf(struct: Struct | undefined): Properties {
    return plainProperties(read(struct));
}

/** A provider's configuration. The engine sends all that is no string as JSON in a string; older ones send only such variables. */
export function config(request: Pb.ConfigureRequest): Properties {
    const args = plainOf(request.getArgs());
    for (const [name, value] of request.getVariablesMap().entries() as IterableIterator<[string, string]>) {
        const key = name.split(":").at(-1) ?? name;
        if (!(key in args)) args[key] = value;
    }
    return args;
}

export async function checkConfig({ provider }: Session, request: Pb.CheckRequest, signal: AbortSignal): Promise<Pb.CheckResponse> {
    const marked = read(request.getNews());
    if (!provider.checkConfig) return checkResponse(marked);
    const { inputs, failures } = await provider.checkConfig(checkRequest(request, marked, signal));
    return checkResponse(markLike(inputs, marked), failures);
}

export async function diffConfig({ provider }: Session, request: Pb.DiffRequest, signal: AbortSignal): Promise<Pb.DiffResponse> {
    const asked = diffRequest(request, signal);
    return diffResponse(await (provider.diffConfig?.(asked) ?? diffInputs(asked.oldInputs, asked.news, { only: [] }, ["version"])));
}

export async function check({ provider }: Session, request: Pb.CheckRequest, signal: AbortSignal): Promise<Pb.CheckResponse> {
    const marked = read(request.getNews());
    const asked = checkRequest(request, marked, signal);
    const type = resourceType(provider, asked.type);
    if (!type.check) return checkResponse(marked);
    const { inputs, failures } = await type.check(asked);
    return checkResponse(markLike(inputs, marked), failures);
}

export async function diff({ provider }: Session, request: Pb.DiffRequest, signal: AbortSignal): Promise<Pb.DiffResponse> {
    const asked = diffRequest(request, signal);
    const type = resourceType(provider, asked.type);
    if (type.diff) return diffResponse(await type.diff(asked));
    return diffResponse(diffInputs(asked.oldInputs, asked.news, type.update ? { only: [] } : { allBut: [] }, asked.ignoreChanges));
}

export async function create({ provider }: Session, request: Pb.CreateRequest, signal: AbortSignal): Promise<Pb.CreateResponse> {
    const marked = read(request.getProperties());
    const about = subject(request.getUrn(), signal);
    const type = resourceType(provider, about.type);
    const { id, outputs } = await marking(type, [marked], () =>
        type.create({
            ...about,
            inputs: plainProperties(marked),
            marked,
            preview: request.getPreview(),
            timeoutSeconds: timeout(request.getTimeout()),
        }),
    );
    return new pb.CreateResponse().setId(id).setProperties(write(outputs));
}

export async function readState({ provider }: Session, request: Pb.ReadRequest, signal: AbortSignal): Promise<Pb.ReadResponse> {
    const about = subject(request.getUrn(), signal);
    const type = resourceType(provider, about.type);
    const [oldState, oldInputs] = [read(request.getProperties()), read(request.getInputs())];
    const response = new pb.ReadResponse();
    if (!type.read) return response.setId(request.getId()).setProperties(write(oldState)).setInputs(write(oldInputs));
    const asked = {
        ...about,
        id: request.getId(),
        olds: plainProperties(oldState),
        oldInputs: plainProperties(oldInputs),
        marked: oldInputs,
    };
    const found = await marking(type, [oldInputs, oldState], () => type.read?.(asked));
    // No id: the engine takes the resource out of the state.
    if (!found) return response;
    return response
        .setId(found.id)
        .setProperties(write(found.outputs))
        .setInputs(write(markLike(found.inputs, oldInputs)));
}

export async function update({ provider }: Session, request: Pb.UpdateRequest, signal: AbortSignal): Promise<Pb.UpdateResponse> {
    const marked = read(request.getNews());
    const about = subject(request.getUrn(), signal);
    const type = resourceType(provider, about.type);
    const { outputs } = await marking(type, [marked], async () => {
        if (!type.update) throw new Error(`${about.type} cannot be updated`);
        return type.update({
            ...about,
            id: request.getId(),
            olds: plainOf(request.getOlds()),
            oldInputs: plainOf(request.getOldInputs()),
            inputs: plainProperties(marked),
            marked,
            preview: request.getPreview(),
            timeoutSeconds: timeout(request.getTimeout()),
            ignoreChanges: request.getIgnorechangesList(),
        });
    });
    return new pb.UpdateResponse().setProperties(write(outputs));
}

export async function remove({ provider }: Session, request: Pb.DeleteRequest, signal: AbortSignal) {
    const about = subject(request.getUrn(), signal);
    await resourceType(provider, about.type).delete?.({
        ...about,
        id: request.getId(),
        olds: plainOf(request.getProperties()),
        oldInputs: plainOf(request.getOldInputs()),
        timeoutSeconds: timeout(request.getTimeout()),
    });
    return new emptyPb.Empty();
}

/** What a provider answers, or fails with, has the secret marks of what it was given. */
async function marking<T extends { outputs: Properties } | undefined>(
    type: ResourceType,
    like: readonly Properties[],
    answer: () => Promise<T> | T,
): Promise<T> {
    const mark = (outputs: Properties) => markKeys(like.reduce(markLike, outputs), type.secretOutputs ?? []);
    try {
        const answered = await answer();
        return answered && { ...answered, outputs: mark(answered.outputs) };
    } catch (error) {
        if (!(error instanceof NotReady)) throw error;
        const inputs = error.inputs && like.reduce(markLike, error.inputs);
        throw new NotReady({ id: error.id, outputs: mark(error.outputs), ...(inputs && { inputs }) }, error.reasons);
    }
}

function subject(urn: string, signal: AbortSignal): ResourceRequest {
    return { urn, ...parseUrn(urn), signal };
}

function checkRequest(request: Pb.CheckRequest, marked: Properties, signal: AbortSignal) {
    const olds = request.getOlds();
    return {
        ...subject(request.getUrn(), signal),
        olds: olds && olds.getFieldsMap().getLength() > 0 ? plainOf(olds) : undefined,
        news: plainProperties(marked),
        marked,
        randomSeed: request.getRandomseed_asU8(),
    };
}

function diffRequest(request: Pb.DiffRequest, signal: AbortSignal) {
    return {
        ...subject(request.getUrn(), signal),
        id: request.getId(),
        olds: plainOf(request.getOlds()),
        // An engine that does not send them yet has them in the state.
        oldInputs: plainOf(request.getOldInputs() ?? request.getOlds()),
        news: plainOf(request.getNews()),
        ignoreChanges: request.getIgnorechangesList(),
    };
}

function resourceType(provider: Provider, token: string): ResourceType {
    const type = provider.resource(token);
    if (!type) throw new Error(`unknown resource type ${token}`);
    return type;
}

import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { diffInputs } from "./diff.ts";
import { NotReady, type Provider, type ResourceRequest, type ResourceType } from "./provider.ts";
import type { Session } from "./session.ts";
import { markKeys, markLike, type Properties, plainProperties } from "./values.ts";
import { checkFailure, checkResponse, diffResponse, parseUrn, readStruct, type Struct, timeoutSeconds, writeStruct } from "./wire.ts";

function plainOf(struct: Struct | undefined): Properties {
    return plainProperties(readStruct(struct));
}

/** A provider's configuration. The engine sends values that are not strings as JSON text; old engines send only variables, in this form. */
function configOf(request: Pb.ConfigureRequest): Properties {
    const args = plainOf(request.getArgs());
    for (const [name, value] of request.getVariablesMap().entries() as IterableIterator<[string, string]>) {
        const key = name.split(":").at(-1) ?? name;
        if (!(key in args)) args[key] = value;
    }
    return args;
}

export async function configure({ provider }: Session, request: Pb.ConfigureRequest): Promise<Pb.ConfigureResponse> {
    await provider.configure?.(configOf(request));
    return new pb.ConfigureResponse().setAcceptsecrets(true).setAcceptresources(true).setSupportspreview(true);
}

export async function invoke({ provider }: Session, request: Pb.InvokeRequest, signal: AbortSignal): Promise<Pb.InvokeResponse> {
    const token = request.getTok();
    const invokeFunction = provider.invoke?.(token);
    if (!invokeFunction) throw new Error(`unknown function ${token}`);
    const { result, failures = [] } = await invokeFunction({ token, args: plainOf(request.getArgs()), signal });
    return new pb.InvokeResponse().setReturn(writeStruct(result)).setFailuresList(failures.map(checkFailure));
}

export async function checkConfig({ provider }: Session, request: Pb.CheckRequest, signal: AbortSignal): Promise<Pb.CheckResponse> {
    const marked = readStruct(request.getNews());
    if (!provider.checkConfig) return checkResponse(marked);
    const { inputs, failures } = await provider.checkConfig(checkRequest(request, marked, signal));
    return checkResponse(markLike(inputs, marked), failures);
}

export async function diffConfig({ provider }: Session, request: Pb.DiffRequest, signal: AbortSignal): Promise<Pb.DiffResponse> {
    const diffArgs = diffRequest(request, signal);
    return diffResponse(
        await (provider.diffConfig?.(diffArgs) ?? diffInputs(diffArgs.oldInputs, diffArgs.news, { only: [] }, ["version"])),
    );
}

export async function check({ provider }: Session, request: Pb.CheckRequest, signal: AbortSignal): Promise<Pb.CheckResponse> {
    const marked = readStruct(request.getNews());
    const checkArgs = checkRequest(request, marked, signal);
    const type = resourceType(provider, checkArgs.type);
    if (!type.check) return checkResponse(marked);
    const { inputs, failures } = await type.check(checkArgs);
    return checkResponse(markLike(inputs, marked), failures);
}

export async function diff({ provider }: Session, request: Pb.DiffRequest, signal: AbortSignal): Promise<Pb.DiffResponse> {
    const diffArgs = diffRequest(request, signal);
    const type = resourceType(provider, diffArgs.type);
    if (type.diff) return diffResponse(await type.diff(diffArgs));
    const replace = type.update ? { only: [] } : { allBut: [] };
    return diffResponse(diffInputs(diffArgs.oldInputs, diffArgs.news, replace, diffArgs.ignoreChanges));
}

export async function create({ provider }: Session, request: Pb.CreateRequest, signal: AbortSignal): Promise<Pb.CreateResponse> {
    const marked = readStruct(request.getProperties());
    const resource = subject(request.getUrn(), signal);
    const type = resourceType(provider, resource.type);
    const { id, outputs } = await withSecretMarks(type, [marked], () =>
        type.create({
            ...resource,
            inputs: plainProperties(marked),
            marked,
            preview: request.getPreview(),
            timeoutSeconds: timeoutSeconds(request.getTimeout()),
        }),
    );
    return new pb.CreateResponse().setId(id).setProperties(writeStruct(outputs));
}

export async function read({ provider }: Session, request: Pb.ReadRequest, signal: AbortSignal): Promise<Pb.ReadResponse> {
    const resource = subject(request.getUrn(), signal);
    const type = resourceType(provider, resource.type);
    const [oldState, oldInputs] = [readStruct(request.getProperties()), readStruct(request.getInputs())];
    const response = new pb.ReadResponse();
    if (!type.read) return response.setId(request.getId()).setProperties(writeStruct(oldState)).setInputs(writeStruct(oldInputs));
    const readArgs = {
        ...resource,
        id: request.getId(),
        olds: plainProperties(oldState),
        oldInputs: plainProperties(oldInputs),
        marked: oldInputs,
    };
    const found = await withSecretMarks(type, [oldInputs, oldState], () => type.read?.(readArgs));
    // A response without an id removes the resource from the state.
    if (!found) return response;
    return response
        .setId(found.id)
        .setProperties(writeStruct(found.outputs))
        .setInputs(writeStruct(markLike(found.inputs, oldInputs)));
}

export async function update({ provider }: Session, request: Pb.UpdateRequest, signal: AbortSignal): Promise<Pb.UpdateResponse> {
    const marked = readStruct(request.getNews());
    const resource = subject(request.getUrn(), signal);
    const type = resourceType(provider, resource.type);
    const { outputs } = await withSecretMarks(type, [marked], async () => {
        if (!type.update) throw new Error(`${resource.type} cannot be updated in place`);
        return type.update({
            ...resource,
            id: request.getId(),
            olds: plainOf(request.getOlds()),
            oldInputs: plainOf(request.getOldInputs()),
            inputs: plainProperties(marked),
            marked,
            preview: request.getPreview(),
            timeoutSeconds: timeoutSeconds(request.getTimeout()),
            ignoreChanges: request.getIgnorechangesList(),
        });
    });
    return new pb.UpdateResponse().setProperties(writeStruct(outputs));
}

export async function remove({ provider }: Session, request: Pb.DeleteRequest, signal: AbortSignal) {
    const resource = subject(request.getUrn(), signal);
    await resourceType(provider, resource.type).delete?.({
        ...resource,
        id: request.getId(),
        olds: plainOf(request.getProperties()),
        oldInputs: plainOf(request.getOldInputs()),
        timeoutSeconds: timeoutSeconds(request.getTimeout()),
    });
    return new emptyPb.Empty();
}

/** Puts the secret marks of the inputs `like` on the outputs of a result, and on those of a `NotReady` error. */
async function withSecretMarks<T extends { outputs: Properties } | undefined>(
    type: ResourceType,
    like: readonly Properties[],
    operation: () => Promise<T> | T,
): Promise<T> {
    const mark = (outputs: Properties) => markKeys(like.reduce(markLike, outputs), type.secretOutputs ?? []);
    try {
        const result = await operation();
        return result && { ...result, outputs: mark(result.outputs) };
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
        // Engines that do not send old inputs have them in the state.
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

import grpc from "@grpc/grpc-js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import anyPb from "google-protobuf/google/protobuf/any_pb.js";
import type * as StructPb from "google-protobuf/google/protobuf/struct_pb.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import type { Change, Diff } from "./diff.ts";
import type { CheckFailure, NotReady } from "./provider.ts";
import { type Properties, propertiesFromWire, propertiesToWire } from "./values.ts";

export type Struct = StructPb.Struct;

/** Longest error message, in characters: gRPC puts it into HTTP/2 headers. */
const MAX_MESSAGE_LENGTH = 64 * 1024;

export function readStruct(struct: Struct | undefined): Properties {
    return struct ? propertiesFromWire(struct.toJavaScript()) : {};
}

export function writeStruct(properties: Properties): Struct {
    return structPb.Struct.fromJavaScript(propertiesToWire(properties) as Parameters<typeof structPb.Struct.fromJavaScript>[0]);
}

/** A resource's type and name from its URN, `urn:pulumi:stack::project::Parent$Type::name`. */
export function parseUrn(urn: string): { type: string; name: string } {
    const [, , types = "", ...name] = urn.split("::");
    return { type: types.split("$").at(-1) ?? "", name: name.join("::") };
}

/** A timeout in seconds; undefined for none, which the engine sends as 0. */
export function timeoutSeconds(seconds: number): number | undefined {
    return seconds > 0 ? seconds : undefined;
}

export function checkResponse(inputs: Properties, failures: CheckFailure[] = []): Pb.CheckResponse {
    return new pb.CheckResponse().setInputs(writeStruct(inputs)).setFailuresList(failures.map(checkFailure));
}

export function checkFailure({ property = "", reason }: CheckFailure): Pb.CheckFailure {
    return new pb.CheckFailure().setProperty(property).setReason(reason);
}

export function diffResponse(diff: Diff): Pb.DiffResponse {
    const { DIFF_SOME, DIFF_NONE } = pb.DiffResponse.DiffChanges;
    const response = new pb.DiffResponse()
        .setChanges(diff.changes ? DIFF_SOME : DIFF_NONE)
        .setReplacesList(diff.replaces)
        .setStablesList(diff.stables ?? [])
        .setDeletebeforereplace(diff.deleteBeforeReplace ?? false)
        .setDiffsList([...new Set(Object.keys(diff.detailed).map((path) => path.split(/[.[]/)[0] ?? path))])
        .setHasdetaileddiff(true);
    for (const [path, change] of Object.entries(diff.detailed)) {
        const kind = kindOf(change, diff.replaces.includes(path));
        response.getDetaileddiffMap().set(path, new pb.PropertyDiff().setKind(kind).setInputdiff(true));
    }
    return response;
}

function kindOf(change: Change, replaces: boolean): Pb.PropertyDiff.Kind {
    const { ADD, ADD_REPLACE, DELETE, DELETE_REPLACE, UPDATE, UPDATE_REPLACE } = pb.PropertyDiff.Kind;
    const [inPlace, replacing] = { add: [ADD, ADD_REPLACE], delete: [DELETE, DELETE_REPLACE], update: [UPDATE, UPDATE_REPLACE] }[
        change
    ] as [Pb.PropertyDiff.Kind, Pb.PropertyDiff.Kind];
    return replaces ? replacing : inPlace;
}

/** The gRPC status of an error that a provider threw. */
export function failure(error: unknown): Partial<grpc.StatusObject> {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE_LENGTH);
    if (isNotReady(error)) return { ...initFailure(error, message), details: message };
    const code = (error as { code?: unknown }).code;
    return { code: typeof code === "number" ? code : grpc.status.UNKNOWN, details: message };
}

export class Unimplemented extends Error {
    readonly code = grpc.status.UNIMPLEMENTED;
}

function isNotReady(error: unknown): error is NotReady {
    return error instanceof Error && "reasons" in error && "outputs" in error;
}

function initFailure({ id, outputs, inputs, reasons }: NotReady, message: string) {
    const detail = new pb.ErrorResourceInitFailed().setId(id).setProperties(writeStruct(outputs)).setReasonsList(reasons);
    if (inputs) detail.setInputs(writeStruct(inputs));
    const any = new anyPb.Any();
    any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const status = new statusPb.Status().setCode(grpc.status.UNKNOWN).setMessage(message).setDetailsList([any]);
    const metadata = new grpc.Metadata();
    // Go's gRPC reads status details from this header; grpc-js has no API for them.
    metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    return { code: grpc.status.UNKNOWN, metadata };
}

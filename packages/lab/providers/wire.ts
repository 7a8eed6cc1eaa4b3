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

/** Keeps the message whole within HTTP/2 headers, which is where gRPC puts it. */
const LONGEST_MESSAGE = 64 * 1024;

export function read(struct: Struct | undefined): Properties {
    return struct ? propertiesFromWire(struct.toJavaScript()) : {};
}

export function write(properties: Properties): Struct {
    return structPb.Struct.fromJavaScript(propertiesToWire(properties) as Parameters<typeof structPb.Struct.fromJavaScript>[0]);
}

/** The parts of a resource's URN that tell what it is: `urn:pulumi:stack::project::Parent$Type::name`. */
export function parseUrn(urn: string): { type: string; name: string } {
    const [, , types = "", ...name] = urn.split("::");
    return { type: types.split("$").at(-1) ?? "", name: name.join("::") };
}

/** Seconds, or undefined for none. */
export function timeout(seconds: number): number | undefined {
    return seconds > 0 ? seconds : undefined;
}

export function checkResponse(inputs: Properties, failures: CheckFailure[] = []): Pb.CheckResponse {
    return new pb.CheckResponse().setInputs(write(inputs)).setFailuresList(failures.map(checkFailure));
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
    const [inPlace, anew] = { add: [ADD, ADD_REPLACE], delete: [DELETE, DELETE_REPLACE], update: [UPDATE, UPDATE_REPLACE] }[change] as [
        Pb.PropertyDiff.Kind,
        Pb.PropertyDiff.Kind,
    ];
    return replaces ? anew : inPlace;
}

/** What gRPC sends for an error that a provider threw. */
export function failure(error: unknown): Partial<grpc.StatusObject> {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, LONGEST_MESSAGE);
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
    const detail = new pb.ErrorResourceInitFailed().setId(id).setProperties(write(outputs)).setReasonsList(reasons);
    if (inputs) detail.setInputs(write(inputs));
    const any = new anyPb.Any();
    any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const status = new statusPb.Status().setCode(grpc.status.UNKNOWN).setMessage(message).setDetailsList([any]);
    const metadata = new grpc.Metadata();
    // Where Go's gRPC looks for details; grpc-js has no words for them.
    metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    return { code: grpc.status.UNKNOWN, metadata };
}

import grpc from "@grpc/grpc-js";
import type * as PluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import type * as EmptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import * as operations from "./operations.ts";
import type { Package } from "./provider.ts";
import { cancelSession, type Session, Sessions } from "./session.ts";
import { failure, Unimplemented } from "./wire.ts";

/** A package that engines can attach to. */
export interface Served {
    name: string;
    /** On the loopback address. */
    port: number;
    /** Cancels all running operations and stops the server. */
    close(): Promise<void>;
}

/** The value of PULUMI_DEBUG_PROVIDERS that makes an engine attach to these servers instead of starting plugins. */
export function debugProviders(served: readonly Pick<Served, "name" | "port">[]): string {
    return served.map(({ name, port }) => `${name}:${port}`).join(",");
}

/** Serves a package on a free loopback port. */
export async function serve(pkg: Package): Promise<Served> {
    const sessions = new Sessions(pkg);
    const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
    server.addService(providerGrpc.ResourceProviderService, {
        ...unsupported(pkg.name),
        ...lifecycle(pkg, sessions),
        ...resourceOperations(sessions),
    });
    const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
            error ? reject(error) : resolve(bound),
        );
    });
    return {
        name: pkg.name,
        port,
        close: async () => {
            sessions.closeAll();
            server.forceShutdown();
        },
    };
}

function lifecycle(pkg: Package, sessions: Sessions): grpc.UntypedServiceImplementation {
    return {
        attach: (call: grpc.ServerUnaryCall<PluginPb.PluginAttach, EmptyPb.Empty>, callback: grpc.sendUnaryData<EmptyPb.Empty>) => {
            sessions.attach(call.getPeer(), call.request.getAddress());
            callback(null, new emptyPb.Empty());
        },
        getPluginInfo: (_: unknown, callback: grpc.sendUnaryData<PluginPb.PluginInfo>) =>
            callback(null, new pluginPb.PluginInfo().setVersion(pkg.version)),
        cancel: unary(sessions, (session) => {
            cancelSession(session);
            return new emptyPb.Empty();
        }),
    };
}

function resourceOperations(sessions: Sessions): grpc.UntypedServiceImplementation {
    return {
        configure: unary(sessions, operations.configure),
        checkConfig: unary(sessions, operations.checkConfig),
        diffConfig: unary(sessions, operations.diffConfig),
        check: unary(sessions, operations.check),
        diff: unary(sessions, operations.diff),
        create: unary(sessions, operations.create),
        read: unary(sessions, operations.read),
        update: unary(sessions, operations.update),
        delete: unary(sessions, operations.remove),
        invoke: unary(sessions, operations.invoke),
    };
}

function unsupported(name: string): grpc.UntypedServiceImplementation {
    const refuse = (reason: string) => (_: unknown, callback: grpc.sendUnaryData<never>) =>
        callback(failure(new Unimplemented(`the lab's stand-in for the provider ${name} ${reason}`)));
    return {
        // Without a handshake the engine uses the response of Configure, which every engine version understands.
        handshake: refuse("has no handshake"),
        parameterize: refuse("takes no parameters"),
        getSchema: refuse("has no schema"),
        getMapping: refuse("has no mapping"),
        getMappings: refuse("has no mapping"),
        call: refuse("has no methods"),
        construct: refuse("has no components"),
        list: (call: grpc.ServerWritableStream<Pb.ListRequest, Pb.ListResponse>) => {
            call.emit("error", { code: grpc.status.UNIMPLEMENTED, details: "list" });
        },
    };
}

type Handler<Request, Response> = (session: Session, request: Request, signal: AbortSignal) => Promise<Response> | Response;

/** Handles a call with a signal that aborts when the engine cancels this call or all calls, or dies. */
function unary<Request, Response>(sessions: Sessions, handle: Handler<Request, Response>) {
    return async (call: grpc.ServerUnaryCall<Request, Response>, callback: grpc.sendUnaryData<Response>) => {
        const disconnected = new AbortController();
        call.on("cancelled", () => disconnected.abort(new Error("the engine is gone")));
        try {
            const session = sessions.of(call.getPeer());
            callback(null, await handle(session, call.request, AbortSignal.any([disconnected.signal, session.cancelled.signal])));
        } catch (error) {
            callback(failure(error));
        }
    };
}

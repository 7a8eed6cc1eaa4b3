import grpc from "@grpc/grpc-js";
import type * as PluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import type * as EmptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { EngineConnection } from "./engine.ts";
import * as operations from "./operations.ts";
import type { Package, Provider } from "./provider.ts";
import { checkFailure, failure, Unimplemented, write } from "./wire.ts";

/** A package that engines can attach to. */
export interface Served {
    name: string;
    /** On the loopback address. */
    port: number;
    /** Ends all that runs, then the server. */
    close(): Promise<void>;
}

/** What one connection of an engine has: a provider with its own configuration. */
export interface Session {
    provider: Provider;
    engine: EngineConnection;
    /** Aborted when the engine cancels. */
    cancelled: AbortController;
}

/** The value of PULUMI_DEBUG_PROVIDERS with which an engine attaches to these instead of starting plugins. */
export function debugProviders(served: readonly Pick<Served, "name" | "port">[]): string {
    return served.map(({ name, port }) => `${name}:${port}`).join(",");
}

/** Serves a package on a free loopback port. */
export async function serve(pkg: Package): Promise<Served> {
    const sessions = new Map<string, Session>();
    const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
    server.addService(providerGrpc.ResourceProviderService, handlers(pkg, sessions));
    const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
            error ? reject(error) : resolve(bound),
        );
    });
    return {
        name: pkg.name,
        port,
        close: async () => {
            for (const session of sessions.values()) end(session);
            sessions.clear();
            server.forceShutdown();
        },
    };
}

function end({ provider, engine, cancelled }: Session): void {
    cancelled.abort(new Error("cancelled"));
    provider.cancel?.();
    engine.close();
}

function handlers(pkg: Package, sessions: Map<string, Session>): grpc.UntypedServiceImplementation {
    const open = (): Session => {
        const engine = new EngineConnection();
        return { engine, provider: pkg.open(engine), cancelled: new AbortController() };
    };
    // All providers of a package come to the same port, each over a connection of its own: that is what tells their configurations apart.
    const sessionOf = (call: { getPeer(): string }): Session => {
        const session = sessions.get(call.getPeer());
        if (session) return session;
        // Whose it is cannot be told, and the configuration of another provider may be of another cluster.
        throw new Error(
            `a connection to the lab's ${pkg.name} has not attached: engines make a new one after half an hour of silence; run it again`,
        );
    };

    /** Answers a call, with a signal that ends when the engine cancels the call, all calls, or dies. */
    function unary<Request, Response>(answer: (session: Session, request: Request, signal: AbortSignal) => Promise<Response> | Response) {
        return async (call: grpc.ServerUnaryCall<Request, Response>, callback: grpc.sendUnaryData<Response>) => {
            const gone = new AbortController();
            call.on("cancelled", () => gone.abort(new Error("the engine is gone")));
            try {
                const session = sessionOf(call);
                callback(null, await answer(session, call.request, AbortSignal.any([gone.signal, session.cancelled.signal])));
            } catch (error) {
                callback(failure(error));
            }
        };
    }
    const refuse = (what: string) => (_: unknown, callback: grpc.sendUnaryData<never>) =>
        callback(failure(new Unimplemented(`the lab's stand-in for the provider ${pkg.name} ${what}`)));

    return {
        // Without it the engine takes what Configure answers, which every version of it understands.
        handshake: refuse("has no handshake"),
        parameterize: refuse("takes no parameters"),
        getSchema: refuse("has no schema"),
        getMapping: refuse("maps no other provider"),
        getMappings: refuse("maps no other provider"),
        call: refuse("has no methods"),
        list: (call: grpc.ServerWritableStream<Pb.ListRequest, Pb.ListResponse>) => {
            call.emit("error", { code: grpc.status.UNIMPLEMENTED, details: "list" });
        },
        attach: (call: grpc.ServerUnaryCall<PluginPb.PluginAttach, EmptyPb.Empty>, callback: grpc.sendUnaryData<EmptyPb.Empty>) => {
            const previous = sessions.get(call.getPeer());
            // The system hands a port out again: what the engine before had configured is not for this one.
            if (previous) end(previous);
            const session = open();
            session.engine.attach(call.request.getAddress());
            sessions.set(call.getPeer(), session);
            callback(null, new emptyPb.Empty());
        },
        getPluginInfo: (_: unknown, callback: grpc.sendUnaryData<PluginPb.PluginInfo>) =>
            callback(null, new pluginPb.PluginInfo().setVersion(pkg.version)),
        cancel: unary((session) => {
            session.cancelled.abort(new Error("cancelled"));
            session.provider.cancel?.();
            return new emptyPb.Empty();
        }),
        configure: unary(async ({ provider }, request: Pb.ConfigureRequest) => {
            await provider.configure?.(operations.config(request));
            return new pb.ConfigureResponse().setAcceptsecrets(true).setAcceptresources(true).setSupportspreview(true);
        }),
        checkConfig: unary(operations.checkConfig),
        diffConfig: unary(operations.diffConfig),
        check: unary(operations.check),
        diff: unary(operations.diff),
        create: unary(operations.create),
        read: unary(operations.readState),
        update: unary(operations.update),
        delete: unary(operations.remove),
        construct: unary(({ provider }, request: Pb.ConstructRequest, signal) => {
            if (!provider.construct) throw new Error(`unknown resource type ${request.getType()}`);
            return provider.construct(request, signal);
        }),
        invoke: unary(async ({ provider }, request: Pb.InvokeRequest, signal) => {
            const token = request.getTok();
            const invoke = provider.invoke?.(token);
            if (!invoke) throw new Error(`unknown function ${token}`);
            const { result, failures = [] } = await invoke({ token, args: operations.plainOf(request.getArgs()), signal });
            return new pb.InvokeResponse().setReturn(write(result)).setFailuresList(failures.map(checkFailure));
        }),
    };
}

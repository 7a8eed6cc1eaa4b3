// A provider plugin that the engine starts: `plugin.ts <package> <address of the engine>` prints its loopback port. Serves the lab's stand-in through a proxy, because
// engines attach to a stand-in, while an engine that starts a plugin never attaches.
import grpc from "@grpc/grpc-js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { commandPackage } from "../../providers/command.ts";
import { serve } from "../../providers/server.ts";
import { tlsPackage } from "../../providers/tls.ts";

type Callback = grpc.requestCallback<unknown>;
type Calls = Record<string, (request: unknown, callback: Callback) => void>;

const [name, engine = ""] = process.argv.slice(2);
const { port } = await serve(name === "tls" ? tlsPackage() : commandPackage({ directory: process.cwd() }));
const standIn = new providerGrpc.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
const calls = standIn as unknown as Calls;
await new Promise((attached) => calls.attach?.(new pluginPb.PluginAttach().setAddress(engine), attached));

const server = new grpc.Server();
const { attach: _, list: __, ...methods } = providerGrpc.ResourceProviderService as unknown as Record<string, unknown>;
server.addService(
    providerGrpc.ResourceProviderService,
    Object.fromEntries(
        Object.keys(methods).map((method) => [
            method,
            ({ request }: grpc.ServerUnaryCall<unknown, unknown>, callback: Callback) => calls[method]?.(request, callback),
        ]),
    ),
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
    if (error) throw error;
    console.log(bound);
});

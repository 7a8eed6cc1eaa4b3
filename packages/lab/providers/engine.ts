import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import type { EngineLink } from "./provider.ts";

/** Client of an attached engine. Before the engine attaches, log messages are dropped. */
export class EngineConnection implements EngineLink {
    #client: InstanceType<typeof engineGrpc.EngineClient> | undefined;

    attach(address: string): void {
        this.close();
        this.#client = new engineGrpc.EngineClient(address, grpc.credentials.createInsecure());
    }

    async log(severity: "debug" | "info" | "warning" | "error", message: string, { urn = "", status = false } = {}): Promise<void> {
        const client = this.#client;
        if (!client) return;
        const request = new enginePb.LogRequest()
            .setSeverity(enginePb.LogSeverity[severity.toUpperCase() as Uppercase<typeof severity>])
            // Invalid UTF-8 fails the whole update.
            .setMessage(message.toWellFormed())
            .setUrn(urn)
            .setEphemeral(status);
        // A shutting down engine rejects messages; that must not fail the resource.
        await new Promise<void>((resolve) => client.log(request, () => resolve()));
    }

    close(): void {
        this.#client?.close();
        this.#client = undefined;
    }
}

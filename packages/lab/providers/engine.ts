import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import type { EngineLink } from "./provider.ts";

/** Speaks to the engine that has attached. Its address is known only once it has. */
export class EngineConnection implements EngineLink {
    address = "";
    #client: InstanceType<typeof engineGrpc.EngineClient> | undefined;

    attach(address: string): void {
        this.close();
        this.address = address;
        this.#client = new engineGrpc.EngineClient(address, grpc.credentials.createInsecure());
    }

    async log(severity: "debug" | "info" | "warning" | "error", message: string, { urn = "", status = false } = {}): Promise<void> {
        const client = this.#client;
        if (!client) return;
        const request = new enginePb.LogRequest()
            .setSeverity(enginePb.LogSeverity[severity.toUpperCase() as Uppercase<typeof severity>])
            // The engine refuses invalid UTF-8, and with it the whole update.
            .setMessage(message.toWellFormed())
            .setUrn(urn)
            .setEphemeral(status);
        // A message that an engine on its way out does not take must not fail the resource.
        await new Promise<void>((resolve) => client.log(request, () => resolve()));
    }

    close(): void {
        this.#client?.close();
        this.#client = undefined;
    }
}

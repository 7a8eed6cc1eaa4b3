import * as pulumi from "@pulumi/pulumi";
import { type ClusterInputs, SimulatedEksCluster } from "./component.ts";

/**
 * Serves the lab's stand-in for the provider `eks`, on the SDK's own provider server: a component is a small Pulumi program, with state that belongs to its
 * process. Prints its port on the loopback address, as plugins do; an engine attaches to it through PULUMI_DEBUG_PROVIDERS.
 */
const provider: pulumi.provider.Provider = {
    version: "4.3.0",
    construct: async (name, type, inputs, options) => {
        if (type !== "eks:index:Cluster") throw new Error(`the lab's stand-in for the provider eks has no ${type}`);
        const cluster = new SimulatedEksCluster(name, inputs as unknown as ClusterInputs, options);
        return { urn: cluster.urn, state: cluster.state };
    },
};

// The lab holds the other end: it closes however the lab ends, and nothing else would tell.
process.stdin.resume().on("end", () => process.exit());
await pulumi.provider.main(provider, process.argv.slice(2));

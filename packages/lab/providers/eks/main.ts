import * as pulumi from "@pulumi/pulumi";
import { type ClusterInputs, SimulatedEksCluster } from "./component.ts";

/**
 * Serves the lab's stand-in for the provider `eks` with the SDK's own provider server. It is a process of its own because a component is a small Pulumi program,
 * whose state is global to its process. Prints its loopback port, as plugins do; an engine attaches to it through PULUMI_DEBUG_PROVIDERS.
 */
const provider: pulumi.provider.Provider = {
    version: "4.3.0",
    construct: async (name, type, inputs, options) => {
        if (type !== "eks:index:Cluster") throw new Error(`the lab's stand-in for the provider eks does not support ${type}`);
        const cluster = new SimulatedEksCluster(name, inputs as unknown as ClusterInputs, options);
        return { urn: cluster.urn, state: cluster.state };
    },
};

// The lab holds the other end of stdin, which closes however the lab ends.
process.stdin.resume().on("end", () => process.exit());
await pulumi.provider.main(provider, process.argv.slice(2));

import type { DataPlane, DataPlaneOptions } from "./data-plane.ts";
import { realDataPlane } from "./nodes-real/data-plane.ts";
import { simulatedDataPlane } from "./nodes-simulated/data-plane.ts";
import { tryDatapath } from "./tools/datapath.ts";

/** Starts a data plane with real packets where this machine allows it. Otherwise logs the reason, and kwok simulates the nodes. */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
    const { log } = options;
    const { programs, why } = await tryDatapath({ log });
    if (programs) return realDataPlane(options, programs);
    log(`nodes are simulated: ${why}`);
    return simulatedDataPlane(options);
}

import type { SimulatedAws } from "./aws/aws.ts";
import type { ClusterNodes, RunningCluster } from "./cluster/clusters.ts";
import type { Network } from "./net/network.ts";

/** Runs the nodes of the lab's clusters, and the network between them. */
export interface DataPlane {
    nodes: (cluster: RunningCluster) => ClusterNodes;
    /** The kernel network. Undefined: kwok simulates the nodes, no container runs on them, and paths are computed. */
    network?: Network;
    /** Whether agents report the mesh's state from connections that exist. Without a network, `verify` can check nothing else. */
    connected: boolean;
    /** Call it after all nodes have stopped. */
    close(): Promise<void>;
}

export interface DataPlaneOptions {
    aws: SimulatedAws;
    running: () => RunningCluster[];
    folder: string;
    log: (line: string) => void;
}

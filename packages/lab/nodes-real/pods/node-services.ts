import type { CoreV1Api } from "@kubernetes/client-node";
import type { ContainerPrograms } from "../containers/images.ts";
import type { Prober } from "../containers/probes.ts";
import type { Runtime } from "../containers/runtime.ts";
import type { Conflist } from "./cni.ts";
import type { ClusterObjects } from "./watched-objects.ts";

/** What a node provides to its pods. */
export interface NodeServices {
    name: string;
    address: string;
    /** The node's data folder. */
    folder: string;
    core: CoreV1Api;
    objects: ClusterObjects;
    runtime: Runtime;
    prober: Omit<Prober, "exec">;
    programs: ContainerPrograms;
    /** Folder of the built programs. */
    cache: string;
    /** Folders of programs that come first in PATH. */
    path: readonly string[];
    /** The capabilities that this machine can grant. */
    capabilities: ReadonlySet<string>;
    /** Prefixes that the stand-in for aws-node receives. The real one asks EC2 for them. */
    podPrefixes: readonly string[];
    /** The `kubernetes` service. */
    apiServer: { host: string; port: number };
    allocatable: { cpu: string; memory: string };
    /** Base of the restart back-off. */
    backOffMilliseconds: number;
    /** @returns undefined while the node has none */
    conflist(): Promise<Conflist | undefined>;
    log(line: string): void;
    /** Aborted when the node is powered off: its pods end at once, and nothing reports their status. */
    poweredOff: AbortSignal;
}

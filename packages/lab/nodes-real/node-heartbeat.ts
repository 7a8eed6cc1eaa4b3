import { setTimeout as sleep } from "node:timers/promises";
import {
    CoordinationV1Api,
    CoreV1Api,
    type KubeConfig,
    PatchStrategy,
    setHeaderOptions,
    V1MicroTime,
    type V1NodeCondition,
} from "@kubernetes/client-node";
import { ignoreStatus } from "../cluster/api-errors.ts";
import { nodeObject, type RegisteredNode } from "../cluster/node-object.ts";

const POLL_MILLISECONDS = 250;
const LEASE_SECONDS = 40;
const RENEW_MILLISECONDS = 10_000;
const LEASE_NAMESPACE = "kube-node-lease";
/** Conditions that are always False on the lab's nodes: type, reason, message. */
const PRESSURE_CONDITIONS = [
    ["MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
    ["DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
    ["PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
];

interface HeartbeatOptions {
    config: KubeConfig;
    /** Port on this machine to which the API server sends exec and logs requests. */
    kubeletPort: number;
    /** Of Kubernetes, `v1.36.3`. */
    version: string;
    /** Whether the node has a CNI configuration. */
    networkReady(): Promise<boolean>;
}

export interface NodeHeartbeat {
    allocatable: { cpu: string; memory: string };
    stop(): void;
}

/**
 * The conditions of a node.
 *
 * @param since when the Ready condition last changed
 */
export function nodeConditions(networkReady: boolean, since: Date, now: Date): V1NodeCondition[] {
    const ready = networkReady
        ? { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
        : {
              status: "False",
              reason: "KubeletNotReady",
              message:
                  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
          };
    return [
        ...PRESSURE_CONDITIONS.map(([type = "", reason, message]) => ({ type, status: "False", reason, message, lastHeartbeatTime: now })),
        { type: "Ready", ...ready, lastHeartbeatTime: now, lastTransitionTime: since },
    ];
}

/**
 * Registers a node and keeps its status and its lease up to date until stopped.
 *
 * The node becomes Ready when it has a conflist, as on EKS when aws-node has written one.
 */
export function startHeartbeat(node: RegisteredNode, options: HeartbeatOptions): NodeHeartbeat {
    const stopped = new AbortController();
    const object = nodeObject(node, options.kubeletPort, options.version, "crun");
    repeat(statusUpdate(object, options), POLL_MILLISECONDS, stopped.signal);
    repeat(leaseRenewal(node.name, options.config), RENEW_MILLISECONDS, stopped.signal);
    const { cpu = "0", memory = "0" } = object.status?.allocatable ?? {};
    return { allocatable: { cpu, memory }, stop: () => stopped.abort() };
}

async function repeat(work: () => Promise<void>, milliseconds: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
        // The API server may be starting or stopping; the next iteration tries again.
        await work().catch(() => {});
        await sleep(milliseconds, undefined, { signal }).catch(() => {});
    }
}

/** Creates the Node object, and writes its status whenever the network has become ready or has ceased to be. */
function statusUpdate(node: ReturnType<typeof nodeObject>, { config, networkReady }: HeartbeatOptions): () => Promise<void> {
    const core = config.makeApiClient(CoreV1Api);
    const name = node.metadata?.name ?? "";
    let reported: boolean | undefined;
    return async () => {
        const ready = await networkReady();
        if (ready === reported) return;
        const status = { ...node.status, conditions: nodeConditions(ready, new Date(), new Date()) };
        await core.createNode({ body: { ...node, status } }).catch(ignoreStatus(409));
        // If the object is left from before a restart, every part of its status may have changed.
        await core.patchNodeStatus({ name, body: { status } }, strategicMerge());
        reported = ready;
    };
}

function leaseRenewal(name: string, config: KubeConfig): () => Promise<void> {
    const leases = config.makeApiClient(CoordinationV1Api);
    return async () => {
        const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: new V1MicroTime() };
        const existing = await leases
            .patchNamespacedLease({ name, namespace: LEASE_NAMESPACE, body: { spec } }, strategicMerge())
            .catch(ignoreStatus(404));
        if (existing) return;
        await leases.createNamespacedLease({
            namespace: LEASE_NAMESPACE,
            body: { metadata: { name, namespace: LEASE_NAMESPACE }, spec },
        });
    };
}

function strategicMerge() {
    return setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);
}

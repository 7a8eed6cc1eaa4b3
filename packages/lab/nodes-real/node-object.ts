import { setTimeout as sleep } from "node:timers/promises";
import {
    ApiException,
    CoordinationV1Api,
    CoreV1Api,
    type KubeConfig,
    PatchStrategy,
    setHeaderOptions,
    V1MicroTime,
    type V1NodeCondition,
} from "@kubernetes/client-node";
import { type NodeSpec, nodeObject } from "../cluster/node-registration.ts";

const LOOK_MILLISECONDS = 250;
const LEASE_SECONDS = 40;
const RENEW_MILLISECONDS = 10_000;
const LEASES = "kube-node-lease";
const FIT = [
    ["MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
    ["DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
    ["PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
];

export interface Registration {
    config: KubeConfig;
    kubeletPort: number;
    version: string;
    networkReady(): Promise<boolean>;
}

/** The conditions of a node. @param since when it became ready, or ceased to be */
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
        ...FIT.map(([type = "", reason, message]) => ({ type, status: "False", reason, message, lastHeartbeatTime: now })),
        { type: "Ready", ...ready, lastHeartbeatTime: now, lastTransitionTime: since },
    ];
}

/** Keeps a node's object and its lease. It is ready as soon as it has a conflist, as on EKS once aws-node has written one. */
export function registerNode(spec: NodeSpec, { config, kubeletPort, version, networkReady }: Registration) {
    const core = config.makeApiClient(CoreV1Api);
    const leases = config.makeApiClient(CoordinationV1Api);
    const node = nodeObject(spec, kubeletPort, version, "lab");
    const { name } = spec;
    const stopped = new AbortController();
    const patch = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);

    async function forever(work: () => Promise<void>, milliseconds: number): Promise<void> {
        while (!stopped.signal.aborted) {
            // The API server may be on its way up or down; the next turn tells.
            await work().catch(() => {});
            await sleep(milliseconds, undefined, { signal: stopped.signal }).catch(() => {});
        }
    }

    let told: boolean | undefined;
    forever(async () => {
        const ready = await networkReady();
        if (ready === told) return;
        const status = { ...node.status, conditions: nodeConditions(ready, new Date(), new Date()) };
        await core.createNode({ body: { ...node, status } }).catch(unlessCode(409));
        // Of one that was there already, from before a restart, all may have changed.
        await core.patchNodeStatus({ name, body: { status } }, patch);
        told = ready;
    }, LOOK_MILLISECONDS);
    forever(async () => {
        const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: new V1MicroTime() };
        const body = { metadata: { name, namespace: LEASES }, spec };
        const known = await leases.patchNamespacedLease({ name, namespace: LEASES, body: { spec } }, patch).catch(unlessCode(404));
        if (!known) await leases.createNamespacedLease({ namespace: LEASES, body });
    }, RENEW_MILLISECONDS);

    const { cpu = "0", memory = "0" } = node.status?.allocatable ?? {};
    return { allocatable: { cpu, memory }, stop: () => stopped.abort() };
}

function unlessCode(expected: number) {
    return (error: unknown): undefined => {
        if (error instanceof ApiException && error.code === expected) return undefined;
        throw error;
    };
}

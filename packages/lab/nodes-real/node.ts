import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { CoreV1Api, type KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { ContainerAddress, Containers } from "../cluster/kubelet.ts";
import type { NodeSpec } from "../cluster/node-registration.ts";
import { currentConflist } from "./cni.ts";
import { capabilitiesIn } from "./containers/capabilities.ts";
import { readLog } from "./containers/logs.ts";
import { nodeProber } from "./containers/prober.ts";
import { runtime } from "./containers/runtime.ts";
import { startHolder } from "./holder.ts";
import { registerNode } from "./node-object.ts";
import { type ClusterObjects, follow, keyOf } from "./pods/objects.ts";
import { type RunningPod, runPod } from "./pods/pod.ts";
import type { NodePrograms } from "./programs.ts";

const BACK_OFF_MILLISECONDS = 10_000;

/** What all nodes of a cluster share. */
export interface NodeOptions extends NodePrograms {
    config: KubeConfig;
    /** Where each node has a folder of its own. What an earlier run left in it is removed: a node that starts again has rebooted. */
    folder: string;
    objects: ClusterObjects;
    /** The `kubernetes` service. */
    apiServer: { host: string; port: number };
    /** Where the API server sends exec and logs, on this machine. */
    kubeletPort: number;
    /** `v1.36.3` */
    version: string;
    /** Before the second restart of a container that fails. @default 10 s, the kubelet's own */
    backOffMilliseconds?: number;
    log(line: string): void;
}

/** A node that runs. */
export interface LabNode extends Containers {
    /** Whether the pod is, or has just been, on this node. */
    has(namespace: string, pod: string): boolean;
    /** Kills a container's process, as a crash would. */
    crash(container: ContainerAddress): Promise<void>;
    /** Settles when the node ends by itself, with the sentence that says how. */
    readonly broken: Promise<string>;
    /** Ends it as if its power had been cut. Its objects stay. */
    stop(): Promise<void>;
}

/**
 * Starts a node: its namespaces, its Node object and a small kubelet, in this process, that runs what is scheduled to it.
 *
 * What the kubelet does not do: limits and eviction, images and their pulls, Events, port-forward and attach, terminals, times of log lines, probes by gRPC
 * and HTTPS, volumes of storage drivers, changes of a pod's spec, ephemeral containers, namespaces that the containers of a pod share but the network's.
 *
 * @param network path of the node's network namespace
 */
export async function startNode(spec: NodeSpec, network: string, options: NodeOptions): Promise<LabNode> {
    const { config, objects, crun, programs, cache, path, apiServer, kubeletPort, version, log } = options;
    const folder = join(options.folder, spec.name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const core = config.makeApiClient(CoreV1Api);
    await objects.synced;
    const holder = await startHolder({ name: spec.name, folder, network, path });
    const off = new AbortController();
    const runs = runtime(holder, { crun, path, layers: join(folder, "layers") });
    const conflists = join(folder, "host/etc/cni/net.d");
    const conflist = () => currentConflist(conflists);
    const registered = registerNode(spec, { config, kubeletPort, version, networkReady: async () => (await conflist()) !== undefined });
    const services = {
        name: spec.name,
        address: spec.internalIp,
        folder,
        core,
        objects,
        runtime: runs,
        prober: nodeProber(runs),
        programs,
        cache,
        path,
        capabilities: capabilitiesIn(readFileSync("/proc/self/status", "utf8")),
        podPrefixes: spec.podPrefixes ?? [],
        apiServer,
        allocatable: registered.allocatable,
        backOffMilliseconds: options.backOffMilliseconds ?? BACK_OFF_MILLISECONDS,
        conflist,
        log,
        off: off.signal,
    };

    /** By uid: a pod of the same name may come before the last one is gone. */
    const pods = new Map<string, { key: string; pod: RunningPod }>();
    const onNode = follow<V1Pod>(config, "/api/v1/pods", { fieldSelector: `spec.nodeName=${spec.name}` }, (key, now) => {
        // Deleted without grace, or replaced by another of its name.
        for (const [uid, known] of pods) if (known.key === key && uid !== now?.metadata?.uid) known.pod.stop(0);
        if (now) place(key, now);
    });
    function place(key: string, object: V1Pod): void {
        const { uid = "", deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata ?? {};
        const over = object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
        let known = pods.get(uid);
        if (!known && over && !deletionTimestamp) return;
        if (!known) {
            known = { key, pod: runPod(object, services) };
            pods.set(uid, known);
            known.pod.gone
                .catch((error) => log(`${spec.name}: pod ${key}: ${error instanceof Error ? error.stack : error}`))
                .finally(() => pods.delete(uid));
        }
        known.pod.update(object);
        if (deletionTimestamp) known.pod.stop(deletionGracePeriodSeconds);
    }
    function cut(): void {
        off.abort();
        onNode.stop();
        registered.stop();
    }
    holder.ended.then(cut);
    const podOf = ({ namespace, pod }: Pick<ContainerAddress, "namespace" | "pod">) =>
        [...pods.values()].findLast(({ key }) => key === keyOf(namespace, pod))?.pod;
    const containerOf = (address: ContainerAddress) => {
        const found = podOf(address)?.container(address.container);
        if (!found) throw new Error(`container ${address.container} of ${address.pod} has not been started`);
        return found;
    };

    return {
        has: (namespace, pod) => podOf({ namespace, pod }) !== undefined,
        broken: holder.ended,
        async exec(request, { stdin, stdout, stderr }) {
            const child = containerOf(request).exec(request.command);
            child.stdin?.on("error", () => {});
            if (child.stdin) stdin.pipe(child.stdin);
            child.stdout?.on("data", stdout);
            child.stderr?.on("data", stderr);
            return new Promise((done, failed) => {
                child.once("error", failed);
                // After the last of its output.
                child.once("close", (code) => done(code ?? 137));
            });
        },
        crash: async (address) => containerOf(address).crash(),
        async logs(request, signal) {
            const container = containerOf(request);
            const { record } = container;
            const begun = record.restarts;
            const follow = request.follow ? () => record.now.phase === "running" && record.restarts === begun : undefined;
            return Readable.from(readLog(container.log(request.previous), { ...request, follow, signal }));
        },
        async stop() {
            cut();
            await holder.stop();
        },
    };
}

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { CoreV1Api, type KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { ContainerAddress, Containers, ExecRequest, ExecStreams, LogRequest } from "../cluster/kubelet.ts";
import type { RegisteredNode } from "../cluster/node-object.ts";
import { capabilitiesIn } from "./containers/capabilities.ts";
import type { Container } from "./containers/container.ts";
import { readLog } from "./containers/logs.ts";
import { nodeProber } from "./containers/prober.ts";
import { Runtime } from "./containers/runtime.ts";
import { type Holder, startHolder } from "./holder.ts";
import { type NodeHeartbeat, startHeartbeat } from "./node-heartbeat.ts";
import type { NodePrograms } from "./node-programs.ts";
import { currentConflist } from "./pods/cni.ts";
import type { NodeServices } from "./pods/node-services.ts";
import { RunningPod } from "./pods/pod.ts";
import { type ClusterObjects, type Followed, follow, keyOf } from "./pods/watched-objects.ts";

const BACK_OFF_MILLISECONDS = 10_000;

/** What all nodes of a cluster share. */
export interface NodeOptions extends NodePrograms {
    config: KubeConfig;
    /** Folder in which each node has its data folder. The node's folder of an earlier run is deleted: a node that is started again has rebooted. */
    folder: string;
    objects: ClusterObjects;
    /** The `kubernetes` service. */
    apiServer: { host: string; port: number };
    /** Port on this machine to which the API server sends exec and logs requests. */
    kubeletPort: number;
    /** Of Kubernetes, `v1.36.3`. */
    version: string;
    /** Delay before the second restart of a container that fails. @default 10,000, the kubelet's own */
    backOffMilliseconds?: number;
    log(line: string): void;
}

/** A running node of the lab: namespaces of this machine, a Node object, and a small kubelet in this process. */
export class LabNode implements Containers {
    readonly #holder: Holder;
    readonly #heartbeat: NodeHeartbeat;
    readonly #services: NodeServices;
    readonly #poweredOff: AbortController;
    /** By uid, because a pod may be created while the last one of the same name still exists. */
    readonly #pods = new Map<string, { key: string; pod: RunningPod }>();
    readonly #watch: Followed<V1Pod>;

    /**
     * Starts a node: its namespaces, its Node object, and a small kubelet in this process that runs the pods scheduled to it.
     *
     * Not supported by the kubelet: limits and eviction, images and image pulls, Events, port-forward and attach, terminals, timestamps of log lines, gRPC and
     * HTTPS probes, volumes of storage drivers, changes of a pod's spec, ephemeral containers, and namespaces shared between containers of a pod other than
     * the network namespace.
     *
     * @param network path of the node's network namespace
     */
    static async start(node: RegisteredNode, network: string, options: NodeOptions): Promise<LabNode> {
        const folder = join(options.folder, node.name);
        rmSync(folder, { recursive: true, force: true });
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        await options.objects.synced;
        const holder = await startHolder({ name: node.name, folder, network, path: options.path });
        return new LabNode(node, folder, holder, options);
    }

    private constructor(node: RegisteredNode, folder: string, holder: Holder, options: NodeOptions) {
        const { config, kubeletPort, version } = options;
        const conflists = join(folder, "host/etc/cni/net.d");
        const conflist = () => currentConflist(conflists);
        const networkReady = async () => (await conflist()) !== undefined;
        this.#holder = holder;
        this.#poweredOff = new AbortController();
        const runtime = new Runtime(holder, { crun: options.crun, path: options.path, layers: join(folder, "layers") });
        this.#heartbeat = startHeartbeat(node, { config, kubeletPort, version, networkReady });
        this.#services = {
            name: node.name,
            address: node.internalIp,
            folder,
            core: config.makeApiClient(CoreV1Api),
            objects: options.objects,
            runtime,
            prober: nodeProber(runtime),
            programs: options.programs,
            cache: options.cache,
            path: options.path,
            capabilities: capabilitiesIn(readFileSync("/proc/self/status", "utf8")),
            podPrefixes: node.podPrefixes ?? [],
            apiServer: options.apiServer,
            allocatable: this.#heartbeat.allocatable,
            backOffMilliseconds: options.backOffMilliseconds ?? BACK_OFF_MILLISECONDS,
            conflist,
            log: options.log,
            poweredOff: this.#poweredOff.signal,
        };
        const onNode = { fieldSelector: `spec.nodeName=${node.name}` };
        this.#watch = follow<V1Pod>(config, "/api/v1/pods", onNode, (key, pod) => this.#podChanged(key, pod));
        holder.ended.then(() => this.#powerOff());
    }

    /** Settles when the node ends by itself, with a sentence that says how. */
    get broken(): Promise<string> {
        return this.#holder.ended;
    }

    /** Whether the pod is on this node, or was until a moment ago. */
    has(namespace: string, pod: string): boolean {
        return this.#podNamed(namespace, pod) !== undefined;
    }

    async exec(request: ExecRequest, { stdin, stdout, stderr }: ExecStreams): Promise<number> {
        const child = this.#container(request).exec(request.command);
        child.stdin?.on("error", () => {});
        if (child.stdin) stdin.pipe(child.stdin);
        child.stdout?.on("data", stdout);
        child.stderr?.on("data", stderr);
        return new Promise((done, failed) => {
            child.once("error", failed);
            // "close" comes after the last of the output, "exit" may come before it.
            child.once("close", (code) => done(code ?? 137));
        });
    }

    async logs(request: LogRequest, signal: AbortSignal): Promise<Readable> {
        const container = this.#container(request);
        const { record } = container;
        const { restarts } = record;
        const follow = request.follow ? () => record.now.phase === "running" && record.restarts === restarts : undefined;
        return Readable.from(readLog(container.log(request.previous), { ...request, follow, signal }));
    }

    /** Kills a container's process, as a crash would. */
    async crash(address: ContainerAddress): Promise<void> {
        this.#container(address).crash();
    }

    /** Ends the node as if its power had been cut. Its objects stay. */
    async stop(): Promise<void> {
        this.#powerOff();
        await this.#holder.stop();
    }

    #powerOff(): void {
        this.#poweredOff.abort();
        this.#watch.stop();
        this.#heartbeat.stop();
    }

    #podChanged(key: string, object: V1Pod | undefined): void {
        // Pods that have been deleted without a grace period, or replaced by another pod of the same name.
        for (const [uid, known] of this.#pods) if (known.key === key && uid !== object?.metadata?.uid) known.pod.stop(0);
        if (object) this.#runPod(key, object);
    }

    #runPod(key: string, object: V1Pod): void {
        const { uid = "", deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata ?? {};
        const ended = object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
        let pod = this.#pods.get(uid)?.pod;
        if (!pod && ended && !deletionTimestamp) return;
        if (!pod) {
            pod = new RunningPod(object, this.#services);
            this.#pods.set(uid, { key, pod });
            const { name, log } = this.#services;
            pod.gone
                .catch((error) => log(`${name}: pod ${key}: ${error instanceof Error ? error.stack : error}`))
                .finally(() => this.#pods.delete(uid));
        }
        pod.update(object);
        if (deletionTimestamp) pod.stop(deletionGracePeriodSeconds);
    }

    #podNamed(namespace: string, name: string): RunningPod | undefined {
        return [...this.#pods.values()].findLast(({ key }) => key === keyOf(namespace, name))?.pod;
    }

    #container({ namespace, pod, container: name }: ContainerAddress): Container {
        const container = this.#podNamed(namespace, pod)?.container(name);
        if (!container) throw new Error(`container ${name} of ${pod} has not been started`);
        return container;
    }
}

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig, V1DaemonSet, V1Pod } from "@kubernetes/client-node";
import { parse } from "yaml";
import { explain } from "../../../core/text/explain.ts";
import { type ClusterObjects, clusterObjects, follow } from "../nodes-real/pods/watched-objects.ts";
import { simulateCiliumNodes } from "./cilium-nodes.ts";
import { PeerWires } from "./peer-wires.ts";
import { type Replica, type ReplicaOptions, startReplica } from "./replica.ts";

const NAMESPACE = "kube-system";
const CHECK_MILLISECONDS = 250;
const RETRY_MILLISECONDS = 1000;

export interface MeshClientOptions extends Pick<ReplicaOptions, "serviceCidr" | "programs" | "log"> {
    /** Name of the cluster. */
    name: string;
    config: KubeConfig;
    /** Folder for files and sockets; a socket's path must be short. */
    folder: string;
    /**
     * Socket of the etcd to which connections from this cluster's client to an address lead. Undefined: packets are lost. Called for every
     * connection and four times a second.
     */
    lead(address: string, client: ClientPlace): string | undefined;
}

/** The place from which the client dials. */
export interface ClientPlace {
    /** Address of the running pod. With direct wiring agents are the clients, and dial from their nodes. */
    podAddress: string;
    /** Whether the client is the pod's kvstoremesh. */
    kvstoreMesh: boolean;
}

/**
 * The part of a cluster that joins the mesh if its nodes are simulated: one pod of its clustermesh-apiserver, for as long as a pod is
 * ready, and the mesh's client.
 */
export class MeshClient {
    readonly #options: MeshClientOptions;
    readonly #pods = new Map<string, V1Pod>();
    readonly #wires: PeerWires;
    readonly #stopped = new AbortController();
    readonly #objects: ClusterObjects;
    readonly #watches: readonly { stop(): void }[];
    readonly #timer: NodeJS.Timeout;
    readonly #loop: Promise<void>;
    #agents: V1DaemonSet | undefined;
    #current: Replica | undefined;
    #ready: Replica | undefined;
    #changed = Promise.withResolvers<void>();
    #replicas = 0;
    #stopNodes: (() => void) | undefined;

    constructor(options: MeshClientOptions) {
        this.#options = options;
        const { config, folder } = options;
        this.#wires = new PeerWires(join(folder, "peers"));
        this.#objects = clusterObjects(config);
        const change = () => this.#changed.resolve();
        const unfollow = this.#objects.onChange((namespace, key) => namespace === NAMESPACE && key.startsWith("secret/") && change());
        const pods = { labelSelector: "k8s-app=clustermesh-apiserver" };
        const daemonSets = { fieldSelector: "metadata.name=cilium" };
        this.#watches = [
            { stop: unfollow },
            this.#objects,
            follow<V1Pod>(config, `/api/v1/namespaces/${NAMESPACE}/pods`, pods, (key, pod) => {
                if (pod) this.#pods.set(key, pod);
                else this.#pods.delete(key);
                change();
            }),
            follow<V1DaemonSet>(config, `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets`, daemonSets, (_, agents) => {
                this.#agents = agents;
                change();
            }),
        ];
        this.#timer = setInterval(() => this.#wires.check(), CHECK_MILLISECONDS);
        this.#loop = this.#run();
    }

    /** Undefined while no pod is ready, and while the replica starts. */
    replica(): Replica | undefined {
        return this.#ready;
    }

    async stop(): Promise<void> {
        this.#stopped.abort();
        this.#changed.resolve();
        await this.#loop;
        clearInterval(this.#timer);
        for (const watch of this.#watches) watch.stop();
        this.#stopNodes?.();
        await this.#end();
    }

    /** Reconciles after each change, and again after a failure. */
    async #run(): Promise<void> {
        const { name, log } = this.#options;
        const { signal } = this.#stopped;
        let lastError = "";
        let logged = "";
        await Promise.race([this.#objects.synced, aborted(signal)]);
        while (!signal.aborted) {
            this.#changed = Promise.withResolvers<void>();
            try {
                await this.#reconcile();
                lastError = logged = "";
                await this.#changed.promise;
            } catch (error) {
                const why = explain(error);
                // Log an error only when it repeats: pods and the objects that they need come and go.
                if (why === lastError && why !== logged && !signal.aborted) {
                    log(`${name}: clustermesh-apiserver: ${why}`);
                    logged = why;
                }
                lastError = why;
                await sleep(RETRY_MILLISECONDS, undefined, { signal }).catch(() => {});
            }
        }
    }

    /** Runs a replica for a pod that is ready, with wires to the addresses of all peers. */
    async #reconcile(): Promise<void> {
        const { config, folder, programs, log, lead } = this.#options;
        const uid = this.#current?.pod.metadata?.uid;
        const candidates = [...this.#pods.values()].filter(isReady);
        const pod = candidates.find(({ metadata }) => metadata?.uid === uid) ?? candidates[0];
        if (this.#current && uid !== pod?.metadata?.uid) await this.#end();
        const agents = this.#agents;
        if (!pod || !agents) return;
        this.#stopNodes ??= await simulateCiliumNodes(config, programs["cilium-sources"] ?? "", log);
        if (!this.#current) {
            this.#replicas += 1;
            const home = join(folder, `${this.#replicas}`);
            this.#current = await startReplica({ ...this.#options, pod, agents, objects: this.#objects, folder: home });
        }
        const { kvstoreMesh } = this.#current;
        const place = { podAddress: pod.status?.podIP ?? "", kvstoreMesh };
        const aliases = kvstoreMesh ? [] : (agents.spec?.template.spec?.hostAliases ?? []);
        const addresses = [...aliases.map(({ ip }) => ip), ...(kvstoreMesh ? secretAddresses(this.#objects) : [])];
        await this.#current.lead(await this.#wires.open(addresses, (address) => lead(address, place)));
        await this.#current.resolve(aliases);
        this.#ready = this.#current;
    }

    async #end(): Promise<void> {
        this.#ready = undefined;
        await this.#current?.stop();
        this.#current = undefined;
        await this.#wires.close();
    }
}

/** Addresses of the names that kvstoremesh resolves by itself. */
function secretAddresses(objects: ClusterObjects): string[] {
    return Object.values(objects.secret(NAMESPACE, "cilium-kvstoremesh") ?? {}).flatMap((file) => {
        if (!file.includes("cilium-host-aliases:")) return [];
        try {
            const aliases = parse(file.toString())["cilium-host-aliases"] as { ips?: string[] }[];
            return aliases.flatMap(({ ips = [] }) => ips);
        } catch {
            // kvstoremesh cannot parse such a file either, and reports it.
            return [];
        }
    });
}

function isReady({ metadata, status }: V1Pod): boolean {
    const ready = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    return ready === true && !metadata?.deletionTimestamp && Boolean(status?.podIP);
}

function aborted(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
    });
}

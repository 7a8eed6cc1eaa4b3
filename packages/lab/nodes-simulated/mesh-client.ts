import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig, V1DaemonSet, V1HostAlias, V1Pod } from "@kubernetes/client-node";
import { parse } from "yaml";
import { explain } from "../../../core/text/explain.ts";
import { clusterObjects, follow } from "../nodes-real/pods/objects.ts";
import { simulateCiliumNodes } from "./cilium-nodes.ts";
import { type Replica, type ReplicaOptions, startReplica } from "./replica.ts";
import { socketIn } from "./sandbox.ts";
import { openWire, type Wire } from "./wire.ts";

const NAMESPACE = "kube-system";
const LOOK_MILLISECONDS = 250;
const RETRY_MILLISECONDS = 1000;

export interface MeshClientOptions extends Pick<ReplicaOptions, "serviceCidr" | "programs" | "log"> {
    name: string;
    config: KubeConfig;
    /** A short path: sockets lie in it. */
    folder: string;
    /**
     * Socket of the etcd to which connections from this cluster's client to an address lead; undefined: packets are lost. It is asked at every connection and
     * four times a second.
     */
    lead(address: string, client: ClientPlace): string | undefined;
}

/** From where the client dials. */
export interface ClientPlace {
    /** The pod that runs; agents dial from their nodes with direct wiring. */
    podAddress: string;
    /** With KVStoreMesh the pod's kvstoremesh is the client. */
    kvstoreMesh: boolean;
}

/** What of a cluster takes part in the mesh where no node runs: one pod of its clustermesh-apiserver, for as long as one of them is ready, and the mesh's client. */
export interface MeshClient {
    /** None while no pod is ready, or it is being started. */
    replica(): Replica | undefined;
    stop(): Promise<void>;
}

export function startMeshClient(options: MeshClientOptions): MeshClient {
    const { name, config, folder, programs, log } = options;
    const pods = new Map<string, V1Pod>();
    const wires = new Map<string, Wire>();
    const stopped = new AbortController();
    let agents: V1DaemonSet | undefined;
    let current: Replica | undefined;
    let ready: Replica | undefined;
    let changed = Promise.withResolvers<void>();
    let replicas = 0;
    let forgetNodes: (() => void) | undefined;

    const change = () => changed.resolve();
    const inNamespace = (path: string) => path.replace("*", `namespaces/${NAMESPACE}`);
    const objects = clusterObjects(config);
    const unfollow = objects.onChange((where, what) => where === NAMESPACE && what.startsWith("secret/") && change());
    const followed = [
        follow<V1Pod>(config, inNamespace("/api/v1/*/pods"), { labelSelector: "k8s-app=clustermesh-apiserver" }, (key, pod) => {
            if (pod) pods.set(key, pod);
            else pods.delete(key);
            change();
        }),
        follow<V1DaemonSet>(config, inNamespace("/apis/apps/v1/*/daemonsets"), { fieldSelector: "metadata.name=cilium" }, (_, found) => {
            agents = found;
            change();
        }),
    ];
    const looking = setInterval(() => {
        for (const wire of wires.values()) wire.look();
    }, LOOK_MILLISECONDS);
    const working = work();

    return {
        replica: () => ready,
        async stop() {
            stopped.abort();
            change();
            await working;
            clearInterval(looking);
            unfollow();
            for (const one of [objects, ...followed]) one.stop();
            forgetNodes?.();
            await end();
        },
    };

    /** One step after the other, and again after each change; what fails is tried again. */
    async function work(): Promise<void> {
        let failed = "";
        let told = "";
        await Promise.race([objects.synced, aborted(stopped.signal)]);
        while (!stopped.signal.aborted) {
            changed = Promise.withResolvers<void>();
            try {
                await settle();
                failed = told = "";
                await changed.promise;
            } catch (error) {
                const why = explain(error);
                // Once is no news: pods and what they need come and go.
                if (why === failed && why !== told && !stopped.signal.aborted) {
                    log(`${name}: clustermesh-apiserver: ${why}`);
                    told = why;
                }
                failed = why;
                await sleep(RETRY_MILLISECONDS, undefined, { signal: stopped.signal }).catch(() => {});
            }
        }
    }

    async function settle(): Promise<void> {
        const known = current?.pod.metadata?.uid;
        const candidates = [...pods.values()].filter(isReady);
        const pod = candidates.find(({ metadata }) => metadata?.uid === known) ?? candidates[0];
        if (current && current.pod.metadata?.uid !== pod?.metadata?.uid) await end();
        if (!pod || !agents) return;
        forgetNodes ??= await simulateCiliumNodes(config, programs["cilium-sources"] ?? "", log);
        if (!current) {
            replicas += 1;
            const home = join(folder, `${replicas}`);
            current = await startReplica({ ...options, pod, agents, objects, folder: home });
        }
        const place = { podAddress: pod.status?.podIP ?? "", kvstoreMesh: current.kvstoreMesh };
        const aliases = place.kvstoreMesh ? [] : (agents.spec?.template.spec?.hostAliases ?? []);
        await current.lead(await openWires([...addresses(aliases), ...(place.kvstoreMesh ? secretAddresses() : [])], place));
        await current.resolve(aliases);
        ready = current;
    }

    async function end(): Promise<void> {
        ready = undefined;
        await current?.stop();
        current = undefined;
        for (const wire of wires.values()) await wire.close();
        wires.clear();
    }

    /** A wire for each address, those that are there as they are. @returns its socket, by address */
    async function openWires(wanted: readonly string[], place: ClientPlace): Promise<Map<string, string>> {
        const home = join(folder, "peers");
        mkdirSync(home, { recursive: true, mode: 0o700 });
        const sockets = new Map(wanted.map((address) => [address, socketIn(home, address)]));
        for (const [address, wire] of wires) {
            if (sockets.has(address)) continue;
            wires.delete(address);
            await wire.close();
        }
        for (const [address, socket] of sockets) {
            if (wires.has(address)) continue;
            const lead = () => {
                const path = options.lead(address, place);
                return path === undefined ? undefined : { path };
            };
            wires.set(address, await openWire(socket, lead));
        }
        return sockets;
    }

    /** The addresses that kvstoremesh gives to names by itself. */
    function secretAddresses(): string[] {
        return Object.values(objects.secret(NAMESPACE, "cilium-kvstoremesh") ?? {}).flatMap((file) => {
            // Whatever cannot be read here kvstoremesh cannot read either, and says so.
            if (!file.includes("cilium-host-aliases:")) return [];
            try {
                const aliases = parse(file.toString())["cilium-host-aliases"] as { ips?: string[] }[];
                return aliases.flatMap(({ ips = [] }) => ips);
            } catch {
                return [];
            }
        });
    }
}

function addresses(aliases: readonly V1HostAlias[]): string[] {
    return aliases.map(({ ip }) => ip);
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

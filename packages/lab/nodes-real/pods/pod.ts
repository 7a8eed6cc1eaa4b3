import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiException, type V1Pod, type V1PodSpec } from "@kubernetes/client-node";
import type { Container } from "../containers/container.ts";
import type { ContainerRecord } from "../containers/record.ts";
import { resolveHostPath } from "./host-path.ts";
import { hostsFile, joinNetwork, type PodNetwork, RESOLV_CONF } from "./network.ts";
import type { NodeServices } from "./node-services.ts";
import { PodContainers } from "./pod-containers.ts";
import type { PodFacts } from "./status.ts";
import { StatusWriter } from "./status-writer.ts";
import { PodVolumes } from "./volumes.ts";

const RETRY_MILLISECONDS = 500;
const DETACH_ATTEMPTS = 10;
const DEFAULT_GRACE_SECONDS = 30;

/** A pod on a node: runs until it is stopped, and reports its status to the API server. */
export class RunningPod {
    /** Resolves when nothing of the pod is left, its object included. */
    readonly gone: Promise<void>;
    readonly #node: NodeServices;
    /** As last seen. */
    #pod: V1Pod;
    /** As first seen. */
    readonly #spec: V1PodSpec;
    readonly #folder: string;
    readonly #records = new Map<string, ContainerRecord>();
    readonly #facts: PodFacts;
    readonly #status: StatusWriter;
    readonly #containers: PodContainers;
    readonly #stopping = new AbortController();
    /** When the grace period is over, in the time of `performance.now()`. */
    #deadline = Number.POSITIVE_INFINITY;

    /** Starts the pod. */
    constructor(pod: V1Pod, node: NodeServices) {
        this.#pod = pod;
        this.#node = node;
        this.#spec = pod.spec ?? { containers: [] };
        this.#folder = join(node.folder, "pods", pod.metadata?.uid ?? "");
        const startTime = new Date(pod.status?.startTime ?? Date.now());
        this.#facts = { hostAddress: node.address, startTime, records: this.#records };
        this.#status = new StatusWriter(node.core, () => this.#pod, this.#facts, node.poweredOff);
        this.#containers = new PodContainers({
            pod: () => this.#pod,
            node,
            folder: this.#folder,
            records: this.#records,
            changed: () => this.#status.changed(),
            stopping: this.#stopping.signal,
            grace: () => this.#grace(),
        });
        node.poweredOff.addEventListener("abort", () => this.stop(0));
        this.gone = this.#live();
    }

    /** Call when the pod's object has changed. */
    update(pod: V1Pod): void {
        this.#pod = pod;
    }

    /** Stops the pod. A second call can only shorten the grace period. */
    stop(graceSeconds: number): void {
        this.#deadline = Math.min(this.#deadline, performance.now() + graceSeconds * 1000);
        this.#stopping.abort();
        this.#containers.stop(graceSeconds);
    }

    /** @returns undefined when the container has not been started */
    container(name: string): Container | undefined {
        return this.#containers.get(name);
    }

    #grace(): number {
        if (!this.#stopping.signal.aborted) return this.#spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
        return Math.max(0, (this.#deadline - performance.now()) / 1000);
    }

    /** From the volumes to the deletion of the pod's object. */
    async #live(): Promise<void> {
        const { poweredOff } = this.#node;
        const stopping = this.#stopping.signal;
        mkdirSync(this.#folder, { recursive: true });
        this.#status.changed();
        const volumes = await this.#mountVolumes();
        const network = volumes && (await this.#joinNetwork());
        if (volumes && network) await this.#runContainers(network, volumes);
        volumes?.stop();
        if (poweredOff.aborted) return;
        this.#status.changed();
        await this.#status.flushed();
        if (!stopping.aborted) await new Promise((done) => stopping.addEventListener("abort", done));
        if (poweredOff.aborted) return;
        rmSync(this.#folder, { recursive: true, force: true });
        await this.#deleteObject();
    }

    #mountVolumes(): Promise<PodVolumes | undefined> {
        const { folder: nodeFolder, address: nodeAddress, core, objects } = this.#node;
        const options = { folder: this.#folder, nodeFolder, nodeAddress, core, objects };
        return this.#retry("ContainerCreating", () => PodVolumes.mount({ ...options, pod: this.#pod }));
    }

    async #joinNetwork(): Promise<PodNetwork | undefined> {
        const node = this.#node;
        if (this.#spec.hostNetwork) return { namespace: "", address: node.address, detach: async () => {} };
        const plugins = resolveHostPath(node.folder, "/opt/cni/bin").nodePath;
        return this.#retry("ContainerCreating", async () => {
            const conflist = await node.conflist();
            return conflist && joinNetwork(node.runtime, conflist, plugins, this.#pod);
        });
    }

    async #runContainers(network: PodNetwork, volumes: PodVolumes): Promise<void> {
        this.#facts.podAddress = network.address;
        this.#writeNetworkFiles(network.address);
        const succeeded = await this.#containers.run({ network, volumes });
        if (!this.#node.poweredOff.aborted) await this.#leaveNetwork(network);
        if (!this.#stopping.signal.aborted || this.#spec.restartPolicy !== "Always")
            this.#facts.outcome = succeeded ? "Succeeded" : "Failed";
    }

    #writeNetworkFiles(podAddress: string): void {
        const { name: nodeName } = this.#node;
        const hostname = this.#spec.hostNetwork ? nodeName : (this.#spec.hostname ?? this.#pod.metadata?.name ?? "");
        writeFileSync(join(this.#folder, "hosts"), hostsFile(this.#pod, { podAddress, nodeName }));
        writeFileSync(join(this.#folder, "resolv.conf"), RESOLV_CONF);
        writeFileSync(join(this.#folder, "hostname"), `${hostname}\n`);
    }

    async #leaveNetwork(network: PodNetwork): Promise<void> {
        for (let attempt = 1; ; attempt++) {
            try {
                return await network.detach();
            } catch (error) {
                const { name, poweredOff, log } = this.#node;
                // The node's namespaces have ended in the meantime, and the pod's with them.
                if (poweredOff.aborted) return;
                if (attempt === DETACH_ATTEMPTS) return log(`${name}: ${error instanceof Error ? error.message : error}`);
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }

    /**
     * Repeats `work` until it returns something. In the meantime the containers' status shows the reason and the last error.
     *
     * @returns undefined when the pod is stopped first
     */
    async #retry<Result>(reason: string, work: () => Promise<Result | undefined>): Promise<Result | undefined> {
        const stopping = this.#stopping.signal;
        while (!stopping.aborted) {
            let message: string | undefined;
            try {
                const result = await work();
                if (result !== undefined) return result;
            } catch (error) {
                message = error instanceof Error ? error.message : String(error);
            }
            for (const record of this.#records.values()) {
                if (record.now.phase === "waiting") record.now = { phase: "waiting", reason, ...(message && { message }) };
            }
            this.#status.changed();
            await sleep(RETRY_MILLISECONDS, undefined, { signal: stopping }).catch(() => {});
        }
        return undefined;
    }

    /** Deletes the pod's object, which is the last thing that the kubelet does for a pod. */
    async #deleteObject(): Promise<void> {
        const { namespace = "", name = "", uid = "" } = this.#pod.metadata ?? {};
        for (;;) {
            try {
                // Everything is in the body: the API server ignores the query if there is a body.
                const body = { gracePeriodSeconds: 0, preconditions: { uid } };
                await this.#node.core.deleteNamespacedPod({ name, namespace, body });
                return;
            } catch (error) {
                if (error instanceof ApiException && (error.code === 404 || error.code === 409)) return;
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }
}

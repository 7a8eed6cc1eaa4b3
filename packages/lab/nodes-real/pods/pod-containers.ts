import { join } from "node:path";
import type { V1Container, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { Container } from "../containers/container.ts";
import type { Prepared } from "../containers/container-run.ts";
import { environment } from "../containers/environment.ts";
import { programOf } from "../containers/images.ts";
import type { ContainerRecord } from "../containers/record.ts";
import type { PodNetwork } from "./network.ts";
import type { NodeServices } from "./node-services.ts";
import type { PodVolumes } from "./volumes.ts";

type Kind = "init" | "sidecar" | "main";

interface PodContainersOptions {
    /** The pod as last seen. */
    pod: () => V1Pod;
    node: NodeServices;
    /** The pod's data folder. */
    folder: string;
    /** Receives what becomes of the containers. */
    records: Map<string, ContainerRecord>;
    /** Called whenever a record has changed. */
    changed(): void;
    /** Aborted when the pod is to stop. */
    stopping: AbortSignal;
    /** Seconds that a container has left to end. */
    grace(): number;
}

/** The network and the volumes of a pod that is ready to start its containers. */
interface Sandbox {
    network: PodNetwork;
    volumes: PodVolumes;
}

/** Starts and stops the containers of a pod in the kubelet's order. */
export class PodContainers {
    readonly #options: PodContainersOptions;
    /** As first seen: the lab's kubelet ignores later changes of a pod's spec. */
    readonly #spec: V1PodSpec;
    readonly #started = new Map<string, Container>();

    constructor(options: PodContainersOptions) {
        const { records } = options;
        const pod = options.pod();
        this.#options = options;
        this.#spec = pod.spec ?? { containers: [] };
        for (const { name } of [...(this.#spec.initContainers ?? []), ...this.#spec.containers]) records.set(name, newRecord(pod, name));
    }

    /** @returns undefined when the container has not been started */
    get(name: string): Container | undefined {
        return this.#started.get(name);
    }

    /**
     * Runs all containers, from the start of the first init container to the end of the last sidecar.
     *
     * @returns whether all of them succeeded
     */
    async run(sandbox: Sandbox): Promise<boolean> {
        const { stopping, grace } = this.#options;
        const { sidecars, succeeded: initialized } = await this.#runInitContainers(sandbox);
        let succeeded = initialized;
        if (succeeded && !stopping.aborted) {
            const codes = await Promise.all(this.#spec.containers.map((container) => this.#start(container, "main", sandbox).ended));
            succeeded = codes.every((code) => code === 0);
        }
        for (const sidecar of sidecars) sidecar.stop(grace());
        await Promise.all(sidecars.map(({ ended }) => ended));
        return succeeded;
    }

    /** Stops the containers. Sidecars go on while main containers may need them; `run` stops them afterwards. */
    stop(graceSeconds: number): void {
        const sidecars = new Set((this.#spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
        const mainStarted = this.#spec.containers.some(({ name }) => this.#started.has(name));
        for (const [name, container] of this.#started) if (!mainStarted || !sidecars.has(name)) container.stop(graceSeconds);
    }

    async #runInitContainers(sandbox: Sandbox): Promise<{ sidecars: Container[]; succeeded: boolean }> {
        const sidecars: Container[] = [];
        let succeeded = true;
        for (const init of this.#spec.initContainers ?? []) {
            const container = this.#start(init, isSidecar(init) ? "sidecar" : "init", sandbox);
            if (isSidecar(init)) {
                sidecars.push(container);
                await Promise.race([container.started, container.ended]);
            } else {
                succeeded = (await container.ended) === 0;
            }
            if (!succeeded || this.#options.stopping.aborted) break;
        }
        return { sidecars, succeeded };
    }

    #start(container: V1Container, kind: Kind, sandbox: Sandbox): Container {
        const { node, folder, records, changed, stopping, grace } = this.#options;
        const pod = this.#options.pod();
        const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
        const policy = this.#spec.restartPolicy ?? "Always";
        const started = new Container({
            pod,
            container,
            restartPolicy: { init: policy === "Never" ? "Never" : "OnFailure", sidecar: "Always", main: policy }[kind],
            podAddress: sandbox.network.address,
            folder: join(folder, "containers", container.name),
            logs: join(node.folder, "logs", `${namespace}_${name}_${uid}`, container.name),
            runtime: node.runtime,
            prober: node.prober,
            prepare: () => this.#prepare(container, sandbox),
            ends: kind === "init",
            backOffMilliseconds: node.backOffMilliseconds,
            record: records.get(container.name) ?? newRecord(pod, container.name),
            changed,
        });
        this.#started.set(container.name, started);
        if (stopping.aborted) started.stop(grace());
        return started;
    }

    #prepare(container: V1Container, { network, volumes }: Sandbox): Prepared | undefined {
        const { node, folder } = this.#options;
        const program = programOf(container, node.programs);
        if (!program) return undefined;
        const surroundings = { ...node, nodeAddress: node.address, podAddress: network.address };
        return {
            program,
            environment: {
                ...environment(container, this.#options.pod(), node.objects, surroundings),
                ...(container.name === "aws-node" && { AWS_VPC_CNI_PREFIXES: node.podPrefixes.join(" ") }),
            },
            volumes: volumes.folders,
            files: {
                "/etc/hosts": join(folder, "hosts"),
                "/etc/resolv.conf": join(folder, "resolv.conf"),
                "/etc/hostname": join(folder, "hostname"),
            },
            cache: node.cache,
            path: node.path,
            available: node.capabilities,
            ...(network.namespace && { network: network.namespace }),
        };
    }
}

function isSidecar({ restartPolicy }: V1Container): boolean {
    return restartPolicy === "Always";
}

/** The record of a container before its first start. If it ran before its node was started again, that counts as one more restart. */
function newRecord({ status }: V1Pod, name: string): ContainerRecord {
    const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const before = statuses.find((container) => container.name === name);
    const ran = before?.state?.running !== undefined || before?.state?.terminated !== undefined;
    return {
        now: { phase: "waiting", reason: "PodInitializing" },
        restarts: (before?.restartCount ?? 0) + (ran ? 1 : 0),
        started: false,
        ready: false,
    };
}

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiException, type CoreV1Api, type V1Container, type V1Pod } from "@kubernetes/client-node";
import type { Conflist } from "../cni.ts";
import { type Container, keepContainer, type Prepared } from "../containers/container.ts";
import { type ContainerPrograms, programOf } from "../containers/images.ts";
import type { Prober } from "../containers/probes.ts";
import type { Runtime } from "../containers/runtime.ts";
import type { ContainerRecord, PodFacts } from "../containers/status.ts";
import { environment } from "./environment.ts";
import type { ClusterObjects } from "./objects.ts";
import { hostsFile, joinNetwork, type PodNetwork, RESOLV_CONF } from "./pod-network.ts";
import { statusWriter } from "./pod-status.ts";
import { keepVolumes, type PodVolumes, placeOf } from "./pod-volumes.ts";

const RETRY_MILLISECONDS = 500;
const DETACH_ATTEMPTS = 10;

/** What a node gives its pods. */
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
    /** Folder of the built programs, and those of its folders that belong on a PATH. */
    cache: string;
    path: readonly string[];
    /** Those that this machine has to give. */
    capabilities: ReadonlySet<string>;
    /** What aws-node is told: it would ask EC2. */
    podPrefixes: readonly string[];
    apiServer: { host: string; port: number };
    allocatable: { cpu: string; memory: string };
    backOffMilliseconds: number;
    /** @returns undefined while the node has none */
    conflist(): Promise<Conflist | undefined>;
    log(line: string): void;
    /** Is aborted when the node's power is cut: its pods are no more, and nobody tells of them. */
    off: AbortSignal;
}

/** A pod that runs on a node. */
export interface RunningPod {
    /** The object has changed. */
    update(pod: V1Pod): void;
    /** Ends it; again with less time, to hurry. */
    stop(graceSeconds: number): void;
    container(name: string): Container | undefined;
    /** Resolves once nothing of it is left. */
    readonly gone: Promise<void>;
}

/** Runs a pod until it is stopped, and tells the API server how it is. */
export function runPod(first: V1Pod, node: NodeServices): RunningPod {
    let pod = first;
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    const spec = first.spec ?? { containers: [] };
    const folder = join(node.folder, "pods", uid);
    const records = new Map<string, ContainerRecord>();
    const facts: PodFacts = { hostAddress: node.address, startTime: new Date(pod.status?.startTime ?? Date.now()), records };
    const status = statusWriter(node.core, () => pod, facts, node.off);
    const containers = new Map<string, Container>();
    const stopping = new AbortController();
    let deadline = Number.POSITIVE_INFINITY;
    const grace = () =>
        stopping.signal.aborted ? Math.max(0, (deadline - performance.now()) / 1000) : (spec.terminationGracePeriodSeconds ?? 30);

    for (const { name } of [...(spec.initContainers ?? []), ...spec.containers]) records.set(name, freshRecord(first, name));

    /** Tries until it works. @returns undefined when the pod is stopped first */
    async function attempt<Result>(reason: string, work: () => Promise<Result | undefined>): Promise<Result | undefined> {
        while (!stopping.signal.aborted) {
            let message: string | undefined;
            try {
                const result = await work();
                if (result !== undefined) return result;
            } catch (error) {
                message = error instanceof Error ? error.message : String(error);
            }
            for (const record of records.values()) {
                if (record.now.phase === "waiting") record.now = { phase: "waiting", reason, ...(message && { message }) };
            }
            status.changed();
            await sleep(RETRY_MILLISECONDS, undefined, { signal: stopping.signal }).catch(() => {});
        }
        return undefined;
    }

    async function network(): Promise<PodNetwork | undefined> {
        if (spec.hostNetwork) return { namespace: "", address: node.address, detach: async () => {} };
        return attempt("ContainerCreating", async () => {
            const list = await node.conflist();
            return list && joinNetwork(node.runtime, list, placeOf(node.folder, "/opt/cni/bin").view, pod);
        });
    }

    function start(container: V1Container, kind: "init" | "sidecar" | "main", at: PodNetwork, volumes: PodVolumes): Container {
        const record = records.get(container.name) ?? freshRecord(first, container.name);
        const files = {
            "/etc/hosts": join(folder, "hosts"),
            "/etc/resolv.conf": join(folder, "resolv.conf"),
            "/etc/hostname": join(folder, "hostname"),
        };
        const prepare = (): Prepared | undefined => {
            const program = programOf(container, node.programs);
            if (!program) return undefined;
            const around = { ...node, nodeAddress: node.address, podAddress: at.address };
            return {
                program,
                environment: { ...environment(container, pod, node.objects, around), ...awsNode(container) },
                volumes: volumes.folders,
                files,
                cache: node.cache,
                path: node.path,
                available: node.capabilities,
                ...(at.namespace && { network: at.namespace }),
            };
        };
        const awsNode = ({ name }: V1Container) => name === "aws-node" && { AWS_VPC_CNI_PREFIXES: node.podPrefixes.join(" ") };
        const own = spec.restartPolicy ?? "Always";
        const kept = keepContainer({
            pod,
            container,
            restartPolicy: { init: own === "Never" ? "Never" : "OnFailure", sidecar: "Always", main: own }[kind],
            podAddress: at.address,
            folder: join(folder, "containers", container.name),
            logs: join(node.folder, "logs", `${namespace}_${name}_${uid}`, container.name),
            runtime: node.runtime,
            prober: node.prober,
            prepare,
            ends: kind === "init",
            backOffMilliseconds: node.backOffMilliseconds,
            record,
            changed: status.changed.bind(status),
        });
        containers.set(container.name, kept);
        if (stopping.signal.aborted) kept.stop(grace());
        return kept;
    }

    /** All containers, from the first init container to the last one's end. @returns whether all went well */
    async function runContainers(at: PodNetwork, volumes: PodVolumes): Promise<boolean> {
        const sidecars: Container[] = [];
        let well = true;
        for (const init of spec.initContainers ?? []) {
            const sidecar = init.restartPolicy === "Always";
            const container = start(init, sidecar ? "sidecar" : "init", at, volumes);
            if (sidecar) {
                sidecars.push(container);
                await Promise.race([container.started, container.ended]);
            } else {
                well = (await container.ended) === 0;
            }
            if (!well || stopping.signal.aborted) break;
        }
        if (well && !stopping.signal.aborted) {
            const codes = await Promise.all(spec.containers.map((container) => start(container, "main", at, volumes).ended));
            well = codes.every((code) => code === 0);
        }
        for (const sidecar of sidecars) sidecar.stop(grace());
        await Promise.all(sidecars.map(({ ended }) => ended));
        return well;
    }

    async function leave(at: PodNetwork): Promise<void> {
        for (let attempt = 1; ; attempt++) {
            try {
                return await at.detach();
            } catch (error) {
                // The node's namespaces have ended meanwhile, and the pod's with them.
                if (node.off.aborted) return;
                if (attempt === DETACH_ATTEMPTS) return node.log(`${node.name}: ${error instanceof Error ? error.message : error}`);
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }

    async function run(): Promise<void> {
        mkdirSync(folder, { recursive: true });
        status.changed();
        const volumes = await attempt("ContainerCreating", () =>
            keepVolumes({ pod, folder, nodeFolder: node.folder, nodeAddress: node.address, core: node.core, objects: node.objects }),
        );
        const at = volumes && (await network());
        if (volumes && at) {
            facts.podAddress = at.address;
            writeFileSync(join(folder, "hosts"), hostsFile(pod, { podAddress: at.address, nodeName: node.name }));
            writeFileSync(join(folder, "resolv.conf"), RESOLV_CONF);
            writeFileSync(join(folder, "hostname"), `${spec.hostNetwork ? node.name : (spec.hostname ?? name)}\n`);
            const well = await runContainers(at, volumes);
            if (!node.off.aborted) await leave(at);
            if (!stopping.signal.aborted || spec.restartPolicy !== "Always") facts.outcome = well ? "Succeeded" : "Failed";
        }
        volumes?.stop();
        if (node.off.aborted) return;
        status.changed();
        await status.told();
        if (!stopping.signal.aborted) await new Promise((done) => stopping.signal.addEventListener("abort", done));
        if (node.off.aborted) return;
        rmSync(folder, { recursive: true, force: true });
        await forget();
    }

    /** Takes the object away, as the kubelet does at last. */
    async function forget(): Promise<void> {
        for (;;) {
            try {
                // All in the body: with one, the API server does not look at the query.
                await node.core.deleteNamespacedPod({ name, namespace, body: { gracePeriodSeconds: 0, preconditions: { uid } } });
                return;
            } catch (error) {
                if (error instanceof ApiException && (error.code === 404 || error.code === 409)) return;
                await sleep(RETRY_MILLISECONDS);
            }
        }
    }

    function stop(graceSeconds: number): void {
        deadline = Math.min(deadline, performance.now() + graceSeconds * 1000);
        stopping.abort();
        const sidecars = new Set((spec.initContainers ?? []).filter((init) => init.restartPolicy === "Always").map(({ name }) => name));
        const mains = spec.containers.some(({ name }) => containers.has(name));
        // Sidecars serve the others to the end.
        for (const [name, container] of containers) if (!mains || !sidecars.has(name)) container.stop(graceSeconds);
    }
    node.off.addEventListener("abort", () => stop(0));
    return {
        update(now) {
            pod = now;
        },
        stop,
        container: (name) => containers.get(name),
        gone: run(),
    };
}

/** A container that ran before its node started anew has been restarted once more. */
function freshRecord({ status }: V1Pod, name: string): ContainerRecord {
    const before = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((one) => one.name === name);
    const ran = before?.state?.running !== undefined || before?.state?.terminated !== undefined;
    return {
        now: { phase: "waiting", reason: "PodInitializing" },
        restarts: (before?.restartCount ?? 0) + (ran ? 1 : 0),
        started: false,
        ready: false,
    };
}

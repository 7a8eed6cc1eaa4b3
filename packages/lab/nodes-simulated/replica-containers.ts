import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1HostAlias, V1Pod } from "@kubernetes/client-node";
import { ETCD_PORT } from "../../../core/cilium/clustermesh-config.ts";
import { environment, expand, type Surroundings } from "../nodes-real/containers/environment.ts";
import { type ContainerPrograms, programOf } from "../nodes-real/containers/images.ts";
import { hostsFile, RESOLV_CONF } from "../nodes-real/pods/network.ts";
import type { ClusterObjects } from "../nodes-real/pods/watched-objects.ts";
import type { Process } from "../process/processes.ts";
import type { Contents, Sandbox } from "./sandbox.ts";

const RESTART_MILLISECONDS = 1000;
/** Names are resolved by the hosts file or not at all. */
const NSSWITCH = "hosts: files\n";
/** Arguments added to a container's. Of a flag given twice, the last one counts. */
const EXTRA_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
    // The chart listens on every address. In the sandbox every address is local, so this etcd would answer in place of its peers'.
    etcd: [`--listen-client-urls=https://127.0.0.1:${ETCD_PORT}`],
};

export interface ContainersOptions {
    sandbox: Sandbox;
    pod: V1Pod;
    /** Folder for the containers' files. */
    folder: string;
    programs: ContainerPrograms;
    objects: ClusterObjects;
    surroundings: Surroundings;
    /** Folder of each volume, by the volume's name. */
    volumes: Readonly<Record<string, string>>;
}

/** The containers of a pod, run in a sandbox. */
export class ReplicaContainers {
    readonly #options: ContainersOptions;
    readonly #running = new Map<string, Process>();
    #stopped = false;

    constructor(options: ContainersOptions) {
        this.#options = options;
        const { folder, pod } = options;
        writeFileSync(join(folder, "resolv.conf"), RESOLV_CONF);
        writeFileSync(join(folder, "nsswitch.conf"), NSSWITCH);
        for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) this.writeHosts(container, []);
    }

    /** Writes a container's hosts file. */
    writeHosts({ name }: V1Container, hostAliases: readonly V1HostAlias[]): void {
        const { pod, folder, surroundings } = this.#options;
        const withAliases = { ...pod, spec: { containers: [], hostAliases: [...hostAliases] } };
        writeFileSync(join(folder, `hosts-${name}`), hostsFile(withAliases, { podAddress: surroundings.podAddress, nodeName: "" }));
    }

    /** What a container runs, with the arguments, environment and files that it would have in the pod. */
    contents(container: V1Container): Contents {
        const { pod, folder, programs, objects, surroundings, volumes } = this.#options;
        const program = programOf(container, programs);
        if (!program) throw new Error(`the lab has no program for container ${container.name}`);
        const env = environment(container, pod, objects, surroundings);
        const mounts = (container.volumeMounts ?? []).map(({ name, mountPath }) => [mountPath, volumes[name] ?? ""]);
        return {
            args: [...program.args.map((argument) => expand(argument, env)), ...(EXTRA_ARGUMENTS[container.name] ?? [])],
            env: { ...program.env, ...env },
            files: {
                ...program.files,
                ...Object.fromEntries(mounts),
                "/etc/hosts": join(folder, `hosts-${container.name}`),
                "/etc/resolv.conf": join(folder, "resolv.conf"),
                "/etc/nsswitch.conf": join(folder, "nsswitch.conf"),
            },
        };
    }

    /** Starts a container, and again whenever it ends by itself. */
    start(container: V1Container): void {
        if (this.#stopped) return;
        const process = this.#options.sandbox.start(container.name, this.contents(container));
        this.#running.set(container.name, process);
        const current = () => this.#running.get(container.name) === process;
        process.ended.then(async () => {
            if (!current()) return;
            await sleep(RESTART_MILLISECONDS);
            if (current()) this.start(container);
        });
    }

    /** Stops a container. */
    async end(name: string): Promise<void> {
        const process = this.#running.get(name);
        this.#running.delete(name);
        await process?.stop();
    }

    /** Stops all containers; none can be started afterwards. */
    async stop(): Promise<void> {
        this.#stopped = true;
        await Promise.all([...this.#running.keys()].map((name) => this.end(name)));
    }
}

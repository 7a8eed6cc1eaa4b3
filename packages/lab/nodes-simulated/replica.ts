import { mkdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, type KubeConfig, type V1Container, type V1DaemonSet, type V1HostAlias, type V1Pod } from "@kubernetes/client-node";
import { ETCD_PORT, MOUNT_PATH } from "../../../core/cilium/clustermesh-config.ts";
import { MAX_CONNECTED_CLUSTERS } from "../../../core/cilium/helm-values.ts";
import { addressAt } from "../../../core/network/cidr.ts";
import type { Relay } from "../net/plan.ts";
import { type ContainerPrograms, programOf } from "../nodes-real/containers/images.ts";
import { environment, expand } from "../nodes-real/pods/environment.ts";
import type { ClusterObjects } from "../nodes-real/pods/objects.ts";
import { hostsFile, RESOLV_CONF } from "../nodes-real/pods/pod-network.ts";
import { keepVolumes } from "../nodes-real/pods/pod-volumes.ts";
import type { Process } from "../process/processes.ts";
import { parseRemoteClusters, type RemoteCluster } from "./remote-clusters.ts";
import { type Contents, openSandbox, socketIn } from "./sandbox.ts";
import { openWire } from "./wire.ts";

const CLIENT = "kvstoremesh";
const RESTART_MILLISECONDS = 1000;
/** Where kvstoremesh tells of its peers; the chart leaves it at this. */
const CLIENT_API = "127.0.0.1:9889";
/** What is changed in a container's arguments; of a flag given twice, the last counts. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
    // On every address, as the chart has it, it would answer for its peers: in a sandbox all addresses are its own.
    etcd: [`--listen-client-urls=https://127.0.0.1:${ETCD_PORT}`],
};
/** How programs of the image find the etcd beside them. */
const ETCD_CONFIG = "--kvstore-opt=etcd.config=/var/lib/cilium/etcd-config.yaml";
/** Names are in the hosts file or nowhere. */
const NSSWITCH = "hosts: files\n";

export interface ReplicaOptions {
    /** Of the Deployment clustermesh-apiserver. */
    pod: V1Pod;
    agents: V1DaemonSet;
    config: KubeConfig;
    serviceCidr: string;
    objects: ClusterObjects;
    programs: ContainerPrograms & { netd: string };
    /** For its files; goes with it. */
    folder: string;
    log: (line: string) => void;
}

/** A pod of clustermesh-apiserver that runs in a sandbox, with the mesh's client in it. */
export interface Replica {
    readonly pod: V1Pod;
    /** Whether its own kvstoremesh is the client. */
    readonly kvstoreMesh: boolean;
    /** Socket at which its etcd answers. */
    readonly etcd: string;
    /** Leads what its programs send to port 2379 of each address to a socket, in place of all that it led before. */
    lead(sockets: ReadonlyMap<string, string>): Promise<void>;
    /** Lets the client resolve these names; it starts again when they are others, as agents do. */
    resolve(hostAliases: readonly V1HostAlias[]): Promise<void>;
    /** What the client says of its peers. @throws Error while it does not answer */
    remoteClusters(): Promise<RemoteCluster[]>;
    /** Values below a prefix of its etcd, as Cilium's own client reads them. */
    stored(prefix: string): Promise<string[]>;
    /** What Cilium's own troubleshooting says of the client's connections to these peers, or all. */
    troubleshoot(...peers: string[]): Promise<string>;
    stop(): Promise<void>;
}

/** Runs what the pod says, each program with the arguments, environment, files and names that it would have there. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
    const { config, serviceCidr, objects, programs, folder, log } = options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const [etcd, api, status] = ["etcd", "api", "status"].map((name) => socketIn(folder, name)) as [string, string, string];
    const pod = asOneUser(withClient(options.pod, options.agents));
    const { podIP: podAddress = "", hostIP: nodeAddress = "" } = pod.status ?? {};
    const apiServer = { host: addressAt(serviceCidr, 1), port: 443 };
    const around = { podAddress, nodeAddress, apiServer, allocatable: { cpu: "2", memory: "4Gi" } };
    const always: [string, Relay][] = [
        ["api", { listen: `${apiServer.host}:${apiServer.port}`, to: api }],
        ["etcd", { listen: etcd, to: `127.0.0.1:${ETCD_PORT}` }],
        ["status", { listen: status, to: CLIENT_API }],
    ];
    const cleanUp: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
    const stop = async () => {
        stopped = true;
        for (const step of cleanUp.splice(0).toReversed()) await step();
    };
    const running = new Map<string, Process>();
    let stopped = false;

    try {
        const server = new URL(config.getCurrentCluster()?.server ?? "");
        const wire = await openWire(api, () => ({ host: server.hostname, port: Number(server.port) }));
        cleanUp.push(() => wire.close());
        const sandbox = await openSandbox(programs.netd, folder, (how) => log(how));
        cleanUp.push(() => sandbox.close());
        await sandbox.relay(new Map(always));
        const core = config.makeApiClient(CoreV1Api);
        const volumes = await keepVolumes({ pod, folder, nodeFolder: folder, nodeAddress, core, objects });
        cleanUp.push(() => volumes.stop());
        writeFileSync(join(folder, "resolv.conf"), RESOLV_CONF);
        writeFileSync(join(folder, "nsswitch.conf"), NSSWITCH);

        const contents = (container: V1Container): Contents => {
            const program = programOf(container, programs);
            if (!program) throw new Error(`container ${container.name} has no program of the lab's`);
            const env = environment(container, pod, objects, around);
            const mounts = (container.volumeMounts ?? []).map(({ name, mountPath }) => [mountPath, volumes.folders[name] ?? ""]);
            return {
                args: [...program.args.map((argument) => expand(argument, env)), ...(CHANGES[container.name] ?? [])],
                env: { ...program.env, ...env },
                files: {
                    ...program.files,
                    ...Object.fromEntries(mounts),
                    "/etc/hosts": join(folder, `hosts-${container.name}`),
                    "/etc/resolv.conf": join(folder, "resolv.conf"),
                    "/etc/nsswitch.conf": join(folder, "nsswitch.conf"),
                },
            };
        };
        const writeHosts = ({ name }: V1Container, hostAliases: readonly V1HostAlias[]) => {
            const seen = { ...pod, spec: { containers: [], hostAliases: [...hostAliases] } };
            writeFileSync(join(folder, `hosts-${name}`), hostsFile(seen, { podAddress, nodeName: "" }));
        };
        /** One that ends by itself is started again. */
        const keep = (container: V1Container) => {
            if (stopped) return;
            const process = sandbox.start(container.name, contents(container));
            running.set(container.name, process);
            process.ended.then(async () => {
                if (running.get(container.name) !== process) return;
                await sleep(RESTART_MILLISECONDS);
                if (running.get(container.name) === process) keep(container);
            });
        };
        const end = async (name: string) => {
            const process = running.get(name);
            running.delete(name);
            await process?.stop();
        };
        const containers = pod.spec?.containers ?? [];
        const client = containers.find(({ name }) => name === CLIENT);
        if (!client) throw new Error(`pod ${pod.metadata?.name} has no container ${CLIENT}`);

        /** Runs a command where the client is. */
        const beside = (...args: string[]) => {
            const { files, env } = contents(client);
            return sandbox.run({ files: { ...files, "/usr/bin/cilium-dbg": programs["cilium-dbg"] ?? "" }, env, args });
        };

        cleanUp.push(() => Promise.all([...running.keys()].map(end)));
        for (const container of [...(pod.spec?.initContainers ?? []), ...containers]) writeHosts(container, []);
        for (const container of pod.spec?.initContainers ?? []) await sandbox.run(contents(container));
        for (const container of containers) if (container !== client) keep(container);
        let resolved: string | undefined;
        return {
            pod: options.pod,
            kvstoreMesh: options.pod.spec?.containers.some(({ name }) => name === CLIENT) ?? false,
            etcd,
            lead: (sockets) =>
                sandbox.relay(
                    new Map([
                        ...always,
                        ...[...sockets].map(([address, to]): [string, Relay] => [address, { listen: `${address}:${ETCD_PORT}`, to }]),
                    ]),
                ),
            async resolve(hostAliases) {
                const now = JSON.stringify(hostAliases);
                if (now === resolved) return;
                await end(client.name);
                writeHosts(client, hostAliases);
                keep(client);
                resolved = now;
            },
            remoteClusters: async () => parseRemoteClusters(await read(status, "/v1/cluster")),
            async stored(prefix) {
                const printed = await beside("/usr/bin/cilium-dbg", "kvstore", "get", "--recursive", prefix, "--kvstore=etcd", ETCD_CONFIG);
                // Between lines of its log.
                return [...printed.matchAll(/^cilium\/\S+ => (.*)$/gm)].map(([, value = ""]) => value);
            },
            troubleshoot: (...peers) => beside("/usr/bin/clustermesh-apiserver", "kvstoremesh-dbg", "troubleshoot", ...peers),
            stop,
        };
    } catch (error) {
        await stop();
        throw error;
    }
}

/**
 * The pod with the mesh's client: its own kvstoremesh, which reads the secret cilium-kvstoremesh. With direct wiring it has none, and agents are the clients: in
 * their place runs a kvstoremesh that reads their volume, with the secret cilium-clustermesh, and writes what it has read into the cluster's own etcd.
 */
function withClient(pod: V1Pod, agents: V1DaemonSet): V1Pod {
    const { containers = [], volumes = [] } = pod.spec ?? {};
    const apiserver = containers.find(({ name }) => name === "apiserver");
    if (!apiserver || containers.some(({ name }) => name === CLIENT)) return pod;
    const secrets = agents.spec?.template.spec?.volumes?.find(({ name }) => name === "clustermesh-secrets");
    if (!secrets) throw new Error("the DaemonSet cilium has no volume clustermesh-secrets");
    const client: V1Container = {
        ...apiserver,
        name: CLIENT,
        args: [
            ...["kvstoremesh", "--cluster-name=$(CLUSTER_NAME)", "--cluster-id=$(CLUSTER_ID)", "--enable-heartbeat=false"],
            ...[ETCD_CONFIG, "--kvstore-opt=etcd.bootstrapQps=10000"],
            ...[`--clustermesh-config=${MOUNT_PATH}`, `--max-connected-clusters=${MAX_CONNECTED_CLUSTERS}`, "--health-port=9881"],
        ],
        volumeMounts: [...(apiserver.volumeMounts ?? []), { name: secrets.name, mountPath: MOUNT_PATH }],
    };
    return { ...pod, spec: { ...pod.spec, containers: [...containers, client], volumes: [...volumes, secrets] } };
}

/** Without root there are no users and groups to whom files could be given. */
function asOneUser({ spec, ...pod }: V1Pod): V1Pod {
    const { securityContext: _, containers = [], ...rest } = spec ?? {};
    return { ...pod, spec: { ...rest, containers } };
}

function read(socketPath: string, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
        const asked = request({ socketPath, path, timeout: 5000 }, (response) => {
            text(response).then((body) => (response.statusCode === 200 ? resolve(body) : reject(new Error(body))), reject);
        });
        asked.on("timeout", () => asked.destroy(new Error("kvstoremesh does not answer")));
        asked.on("error", reject).end();
    });
}

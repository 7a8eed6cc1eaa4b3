import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { CoreV1Api, type KubeConfig, type V1Container, type V1DaemonSet, type V1HostAlias, type V1Pod } from "@kubernetes/client-node";
import { ETCD_PORT } from "../../../core/cilium/clustermesh-config.ts";
import { addressAt } from "../../../core/network/cidr.ts";
import type { Relay } from "../net/plan/plan.ts";
import type { ContainerPrograms } from "../nodes-real/containers/images.ts";
import { PodVolumes } from "../nodes-real/pods/volumes.ts";
import type { ClusterObjects } from "../nodes-real/pods/watched-objects.ts";
import { parseRemoteClusters, type RemoteCluster } from "./remote-clusters.ts";
import { ReplicaContainers } from "./replica-containers.ts";
import { CLIENT, ETCD_CONFIG, replicaPod } from "./replica-pod.ts";
import { openSandbox, type Sandbox, socketIn } from "./sandbox.ts";
import { openWire } from "./wire.ts";

/** Where kvstoremesh reports its peers: its default, which the chart keeps. */
const CLIENT_API = "127.0.0.1:9889";

export interface ReplicaOptions {
    /** Pod of the Deployment clustermesh-apiserver. */
    pod: V1Pod;
    /** DaemonSet of the agents. */
    agents: V1DaemonSet;
    config: KubeConfig;
    serviceCidr: string;
    objects: ClusterObjects;
    programs: ContainerPrograms & { netd: string };
    /** Folder for the replica's files. It is removed when the replica stops. */
    folder: string;
    log: (line: string) => void;
}

/** A pod of clustermesh-apiserver that runs in a sandbox, with the mesh's client in it. */
export interface Replica {
    readonly pod: V1Pod;
    /** Whether the pod's own kvstoremesh is the client. */
    readonly kvstoreMesh: boolean;
    /** Socket on which its etcd listens. */
    readonly etcd: string;
    /** Sends connections to port 2379 of each address to a socket. Replaces the sockets of the call before. */
    lead(sockets: ReadonlyMap<string, string>): Promise<void>;
    /** Lets the client resolve these names. Restarts it if they change, as agents restart. */
    resolve(hostAliases: readonly V1HostAlias[]): Promise<void>;
    /** What the client reports of its peers. @throws Error while it does not respond */
    remoteClusters(): Promise<RemoteCluster[]>;
    /** Values under a prefix of its etcd, as Cilium's own client reads them. */
    stored(prefix: string): Promise<string[]>;
    /** Output of Cilium's `troubleshoot` for the client's connections to these peers. Default: to all peers. */
    troubleshoot(...peers: string[]): Promise<string>;
    stop(): Promise<void>;
}

/** Runs a pod's programs with the arguments, environment, files and names that they would have in the pod. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    const started = new AsyncDisposableStack();
    try {
        return await startParts(started, options);
    } catch (error) {
        await started.disposeAsync();
        throw error;
    }
}

/** @param started takes the function that stops each part; they run in reverse order */
async function startParts(started: AsyncDisposableStack, options: ReplicaOptions): Promise<Replica> {
    const { config, serviceCidr, objects, programs, folder, log } = options;
    started.defer(() => rm(folder, { recursive: true, force: true }));
    const [etcd, api, status] = ["etcd", "api", "status"].map((name) => socketIn(folder, name)) as [string, string, string];
    const pod = replicaPod(options.pod, options.agents);
    const client = pod.spec?.containers.find(({ name }) => name === CLIENT);
    if (!client) throw new Error(`pod ${pod.metadata?.name} has no container ${CLIENT}`);
    const { podIP: podAddress = "", hostIP: nodeAddress = "" } = pod.status ?? {};
    const apiServer = { host: addressAt(serviceCidr, 1), port: 443 };
    const relays: [string, Relay][] = [
        ["api", { listen: `${apiServer.host}:${apiServer.port}`, to: api }],
        ["etcd", { listen: etcd, to: `127.0.0.1:${ETCD_PORT}` }],
        ["status", { listen: status, to: CLIENT_API }],
    ];

    const server = new URL(config.getCurrentCluster()?.server ?? "");
    const wire = await openWire(api, () => ({ host: server.hostname, port: Number(server.port) }));
    started.defer(() => wire.close());
    const sandbox = await openSandbox(programs.netd, folder, log);
    started.defer(() => sandbox.close());
    await sandbox.relay(new Map(relays));
    const core = config.makeApiClient(CoreV1Api);
    const volumes = await PodVolumes.mount({ pod, folder, nodeFolder: folder, nodeAddress, core, objects });
    started.defer(() => volumes.stop());
    const surroundings = { podAddress, nodeAddress, apiServer, allocatable: { cpu: "2", memory: "4Gi" } };
    const containers = new ReplicaContainers({ sandbox, pod, folder, programs, objects, surroundings, volumes: volumes.folders });
    started.defer(() => containers.stop());

    for (const container of pod.spec?.initContainers ?? []) await sandbox.run(containers.contents(container));
    // `resolve` starts the client, once its names are known.
    for (const container of pod.spec?.containers ?? []) if (container !== client) containers.start(container);
    return {
        pod: options.pod,
        kvstoreMesh: options.pod.spec?.containers.some(({ name }) => name === CLIENT) ?? false,
        etcd,
        lead: (sockets) => sandbox.relay(new Map([...relays, ...[...sockets].map(peerRelay)])),
        resolve: resolver(containers, client),
        remoteClusters: async () => parseRemoteClusters(await read(status, "/v1/cluster")),
        ...clientCommands(sandbox, containers, client, programs),
        stop: () => started.disposeAsync(),
    };
}

function peerRelay([address, to]: [string, string]): [string, Relay] {
    return [address, { listen: `${address}:${ETCD_PORT}`, to }];
}

function resolver(containers: ReplicaContainers, client: V1Container): Replica["resolve"] {
    let resolved: string | undefined;
    return async (hostAliases) => {
        const wanted = JSON.stringify(hostAliases);
        if (wanted === resolved) return;
        await containers.end(client.name);
        containers.writeHosts(client, hostAliases);
        containers.start(client);
        resolved = wanted;
    };
}

/** Cilium's own commands, run in the client's container. */
function clientCommands(
    sandbox: Sandbox,
    containers: ReplicaContainers,
    client: V1Container,
    programs: ContainerPrograms,
): Pick<Replica, "stored" | "troubleshoot"> {
    const run = (...args: string[]) => {
        const { files, env } = containers.contents(client);
        return sandbox.run({ files: { ...files, "/usr/bin/cilium-dbg": programs["cilium-dbg"] ?? "" }, env, args });
    };
    return {
        async stored(prefix) {
            const printed = await run("/usr/bin/cilium-dbg", "kvstore", "get", "--recursive", prefix, "--kvstore=etcd", ETCD_CONFIG);
            // The command prints log lines too.
            return [...printed.matchAll(/^cilium\/\S+ => (.*)$/gm)].map(([, value = ""]) => value);
        },
        troubleshoot: (...peers) => run("/usr/bin/clustermesh-apiserver", "kvstoremesh-dbg", "troubleshoot", ...peers),
    };
}

function read(socketPath: string, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
        const asked = request({ socketPath, path, timeout: 5000 }, (response) => {
            text(response).then((body) => (response.statusCode === 200 ? resolve(body) : reject(new Error(body))), reject);
        });
        asked.on("timeout", () => asked.destroy(new Error("kvstoremesh does not respond")));
        asked.on("error", reject).end();
    });
}

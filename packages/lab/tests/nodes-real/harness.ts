import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CoreV1Api, Exec, KubeConfig, type V1Pod, type V1Status } from "@kubernetes/client-node";
import type { InstanceNode } from "../../aws/eks/specs.ts";
import type { ClusterNodes, RunningCluster } from "../../cluster/clusters.ts";
import type { Containers } from "../../cluster/kubelet.ts";
import type { RegisteredNode } from "../../cluster/node-object.ts";
import { type LabNodesOptions, labNodes } from "../../nodes-real/cluster-nodes.ts";
import type { NodePrograms } from "../../nodes-real/node-programs.ts";
import { type Process, startProcess } from "../../process/processes.ts";
import { until } from "../../process/until.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { testCluster, testNode, whyNoGo } from "../harness.ts";

const run = promisify(execFile);

const API_ADDRESS = "10.0.1.200";
const SERVICE_CIDR = "172.20.0.0/16";
const ROUTER = "10.0.1.254";

/** Why this machine cannot run the lab's nodes; undefined when it can. */
export async function whyNoNodes(): Promise<string | undefined> {
    const why = (await tryDatapath({ log: console.log })).why ?? (await whyNoGo());
    if (why) console.warn(`skipped: ${why}`);
    return why;
}

/** A cluster with lab nodes, in network namespaces that have no link to the machine's network. */
export interface NodeCluster {
    config: KubeConfig;
    nodes: ClusterNodes;
    /** Ids of the processes that keep the network namespaces alive. */
    pids: number[];
    addNode(index: number, more?: Partial<RegisteredNode>): Promise<void>;
    /** Restarts the control plane. The nodes keep running. */
    restart(): Promise<void>;
    stop(): Promise<void>;
}

export async function nodeCluster(folder: string, programs: NodePrograms, more: Partial<LabNodesOptions> = {}): Promise<NodeCluster> {
    let nodes: ClusterNodes | undefined;
    const startedNodes = () => nodes ?? Promise.reject(new Error("the nodes have not been started"));
    const containers: Containers = {
        exec: async (request, streams) => (await startedNodes()).containers.exec(request, streams),
        logs: async (request, signal) => (await startedNodes()).containers.logs(request, signal),
    };
    const start = () => testCluster("noded", join(folder, "cluster"), { containers });
    let cluster = await start();
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig);
    const network = await TestVpc.create(folder);
    const closeRelay = await network.relayTo(() => Number(new URL(cluster.endpoint).port));

    const place = { account: "1", region: "eu-west-1" };
    const running: RunningCluster = { ...place, name: "noded", vpcId: "vpc", serviceCidr: SERVICE_CIDR, config };
    const started = labNodes({
        folder: join(folder, "nodes"),
        ...programs,
        log: (line) => console.log(line),
        network: async ({ name }) => network.namespaceOf(name),
        apiServer: async () => [API_ADDRESS],
        ...more,
    })(running);
    nodes = started;
    await started.start(cluster);
    return {
        config,
        nodes: started,
        pids: network.processes.map(({ pid }) => pid),
        async restart() {
            const { endpoint } = cluster;
            await cluster.stop();
            cluster = await start();
            if (cluster.endpoint !== endpoint) throw new Error("another program has taken the API server's port in the meantime");
        },
        async addNode(index, more) {
            const node = testNode(index, { podPrefixes: [`10.0.1.${64 + 16 * index}/28`], ...more });
            await network.addNode(index, node);
            await started.addNode(node, { name: node.name } as InstanceNode);
        },
        async stop() {
            await started.stop();
            closeRelay();
            await network.stop();
            await cluster.destroy();
        },
    };
}

/** A network namespace for each node, connected by a router's bridge, with the API server at the router. */
class TestVpc {
    /** The processes that keep the network namespaces alive, and the relay. */
    readonly processes: Process[] = [];
    readonly #folder: string;
    /** Process id of each node's network namespace, by the node's name. */
    readonly #namespaces = new Map<string, number>();
    #router = 0;

    static async create(folder: string): Promise<TestVpc> {
        const vpc = new TestVpc(folder);
        vpc.#router = await vpc.#namespace("router");
        await vpc.#inRouter("ip", "link", "add", "br0", "type", "bridge");
        await vpc.#inRouter("ip", "link", "set", "br0", "up");
        for (const address of [`${ROUTER}/24`, `${API_ADDRESS}/24`, "172.20.0.1/32"])
            await vpc.#inRouter("ip", "address", "add", address, "dev", "br0");
        const noRedirects = ["net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.br0.send_redirects=0"];
        await vpc.#inRouter("sysctl", "-qw", "net.ipv4.ip_forward=1", ...noRedirects);
        return vpc;
    }

    private constructor(folder: string) {
        this.#folder = folder;
    }

    /** Path of the network namespace of a node. */
    namespaceOf(node: string): string {
        return `/proc/${this.#namespaces.get(node)}/ns/net`;
    }

    /** Forwards connections to the API server's addresses to a loopback port of the machine. @returns closes the relay on the machine's side */
    async relayTo(port: () => number): Promise<() => void> {
        const socket = join(this.#folder, "api.sock");
        const relay = createServer({ allowHalfOpen: true }, (client) => {
            const server = connect({ port: port(), host: "127.0.0.1", allowHalfOpen: true });
            client.pipe(server).pipe(client);
            client.on("error", () => server.destroy());
            server.on("error", () => client.destroy());
        }).listen(socket);
        const script = fileURLToPath(new URL("relay.ts", import.meta.url));
        const args = [`--net=/proc/${this.#router}/ns/net`, process.execPath, script, socket, "172.20.0.1", API_ADDRESS];
        this.processes.push(startProcess({ name: "relay", file: "nsenter", args, log: join(this.#folder, "relay.log") }));
        await until(async () => existsSync(socket) || undefined, 10_000, "the relay has not started");
        return () => relay.close();
    }

    async addNode(index: number, { name, internalIp, podPrefixes }: RegisteredNode): Promise<void> {
        const pid = await this.#namespace(`node${index}`);
        const inNode = (...command: string[]) => run("nsenter", [`--net=/proc/${pid}/ns/net`, ...command]);
        const peer = ["peer", "name", `node${index}`, "netns", `${this.#router}`];
        await run("ip", ["link", "add", "eth0", "mtu", "9001", "netns", `${pid}`, "type", "veth", ...peer]);
        await this.#inRouter("ip", "link", "set", `node${index}`, "mtu", "9001", "master", "br0", "up");
        // Everything goes through the router, as in a VPC: pod prefixes belong to the subnet, but to no link.
        await inNode("ip", "address", "add", `${internalIp}/32`, "dev", "eth0");
        await inNode("ip", "link", "set", "eth0", "up");
        await inNode("ip", "route", "add", ROUTER, "dev", "eth0");
        await inNode("ip", "route", "add", "default", "via", ROUTER);
        await this.#inRouter("ip", "route", "add", podPrefixes?.[0] ?? "", "via", internalIp);
        this.#namespaces.set(name, pid);
    }

    async stop(): Promise<void> {
        await Promise.all(this.processes.map((process) => process.stop(0)));
    }

    #inRouter(...command: string[]) {
        return run("nsenter", [`--net=/proc/${this.#router}/ns/net`, ...command]);
    }

    /** Creates a network namespace. @returns the id of the process that keeps it alive */
    async #namespace(name: string): Promise<number> {
        const log = join(this.#folder, `${name}.log`);
        const holder = startProcess({ name, file: "unshare", args: ["--net", "sleep", "infinity"], log });
        this.processes.push(holder);
        // One process executes the shell, then unshare, then sleep. The namespace exists once it is sleep.
        await until(
            async () => readFileSync(`/proc/${holder.pid}/cmdline`, "utf8").startsWith("sleep") || undefined,
            10_000,
            `network namespace ${name} does not exist`,
        );
        await run("nsenter", [`--net=/proc/${holder.pid}/ns/net`, "ip", "link", "set", "lo", "up"]);
        return holder.pid;
    }
}

/** Creates an add-on's objects, as the simulated EKS does. */
export async function addon({ nodes }: NodeCluster, name: string): Promise<void> {
    const place = { account: "1", region: "eu-west-1", cluster: "noded" };
    await nodes.putAddon?.({ ...place, name, version: "v1.0.0-eksbuild.1", configurationValues: undefined });
}

/** A client for one API of the cluster. */
export function client<Api extends Parameters<KubeConfig["makeApiClient"]>[0]>({ config }: NodeCluster, api: Api): InstanceType<Api> {
    return config.makeApiClient(api) as InstanceType<Api>;
}

/** Waits until the pod meets the condition. */
export async function podIs(
    cluster: NodeCluster,
    name: string,
    condition: (pod: Awaited<ReturnType<CoreV1Api["readNamespacedPod"]>>) => boolean,
) {
    const core = client(cluster, CoreV1Api);
    let last = "";
    const fetch = async () => {
        const pod = await core.readNamespacedPod({ name, namespace: "default" });
        last = JSON.stringify(pod.status);
        return condition(pod) ? pod : undefined;
    };
    return until(fetch, 60_000, `pod ${name} does not meet the condition`).catch((error) =>
        Promise.reject(new Error(`${error.message}: ${last}`)),
    );
}

export function isReady({ status }: V1Pod): boolean {
    return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** Runs a command in a container through the API server, as kubectl does. */
export async function exec(
    { config }: NodeCluster,
    { namespace = "default", pod, container = "c" }: { namespace?: string; pod: string; container?: string },
    command: string[],
    input?: string,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const stdin = input === undefined ? null : new PassThrough();
    const status = await new Promise<V1Status>((done, failed) => {
        new Exec(config).exec(namespace, pod, container, command, stdout, stderr, stdin, false, done).catch(failed);
        stdin?.end(input);
    });
    const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
    const text = async (stream: PassThrough) => Buffer.concat(await stream.end().toArray()).toString();
    return { stdout: await text(stdout), stderr: await text(stderr), exitCode: status.status === "Success" ? 0 : Number(code) };
}

import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CoreV1Api, KubeConfig, VersionApi } from "@kubernetes/client-node";
import { claim } from "../process/claim.ts";
import { freePorts } from "../process/ports.ts";
import { until } from "../process/until.ts";
import type { Ports, Program } from "./control-plane.ts";
import { type Credentials, certificateKubeconfig, loadCredentials, tokenKubeconfig } from "./credentials.ts";
import { type Containers, simulatedContainers, startKubelet } from "./kubelet.ts";
import { type NodeRegistry, nodeRegistry } from "./node-registry.ts";
import { ProgramGroup } from "./program-group.ts";

const STAGES = fileURLToPath(new URL("kwok.yaml", import.meta.url));
const PORTS = ["api", "kubelet"] as const;
/** Enough for a cold start on a machine that also runs a build. */
const START_TIMEOUT_MILLISECONDS = 120_000;
/** Another program may take a port between its choice and the bind. */
const ATTEMPTS = 3;

export interface ClusterOptions {
    /** Used in certificates, messages and the kubeconfig's context. */
    name: string;
    /** Data folder: state, credentials and logs. A cluster of an earlier run is resumed from it. */
    folder: string;
    serviceCidr: string;
    /** Paths, as `ensureTools` returns them. */
    tools: Readonly<Record<Program, string>>;
    /** Runs commands in the containers of its nodes. Default: every command fails. */
    containers?: Containers;
}

/** A simulated EKS cluster: a real control plane, and nodes simulated by kwok. */
export interface Cluster extends NodeRegistry {
    readonly name: string;
    /** `https://127.0.0.1:<port>` */
    readonly endpoint: string;
    /** PEM in base64, as EKS returns it. */
    readonly certificateAuthority: string;
    /** Bearer token of an administrator, which `aws eks get-token` of the lab prints. */
    readonly token: string;
    /** Kubeconfig of an administrator, as JSON. Secret: it contains the token. */
    readonly kubeconfig: string;
    /** `v1.36.3` */
    readonly version: string;
    /** Loopback port to which the API server sends exec and logs requests. */
    readonly kubeletPort: number;
    /** Process ids of its programs. */
    readonly pids: readonly number[];
    /** Resolves when a program ends by itself, with the last lines of its output. Never resolves otherwise. */
    readonly broken: Promise<Error>;
    /** Stops its programs, the API server before its etcd. The cluster can be started from the data folder again. */
    stop(): Promise<void>;
    /** Stops it and removes the data folder. */
    destroy(): Promise<void>;
}

/**
 * Starts a cluster, or resumes it from its data folder.
 *
 * Cost of two clusters with nodes, started at once, as `npx vitest run packages/lab/tests/cluster/cluster.test.ts` prints it: 12 to 36 s on
 * two busy cores, of which 10 to 17 s are processor time; 630 to 810 MiB for all ten processes (proportional set size). A stop takes 1.4 s.
 * Go's garbage collector keeps its defaults: half as often (GOGC=200) saves 5 % of the time for 116 MiB, twice as often (GOGC=50) costs 40
 * % for 86 MiB.
 *
 * @throws Error with the last lines of the program that failed, or if another process uses the folder
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
    const folder = resolve(options.folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const release = await claim(folder);
    try {
        const credentials = await loadCredentials(folder, options.name, options.serviceCidr);
        for (let attempt = 1; ; attempt++) {
            const ports = await choosePorts(folder, attempt === 1);
            try {
                return await start({ ...options, folder }, ports, credentials, release);
            } catch (error) {
                if (attempt === ATTEMPTS || !/address already in use|EADDRINUSE/.test(String(error))) throw error;
            }
        }
    } catch (error) {
        await release();
        throw error;
    }
}

async function start(
    { name, folder, serviceCidr, tools, containers = simulatedContainers(noCommands) }: ClusterOptions,
    ports: Ports,
    credentials: Credentials,
    release: () => Promise<void>,
): Promise<Cluster> {
    const { authority, token } = credentials;
    const endpoint = `https://127.0.0.1:${ports.api}`;
    const kubeconfig = tokenKubeconfig(name, endpoint, authority, token);
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    const programs = new ProgramGroup({ name, folder, ports, serviceCidr, stages: STAGES }, tools);
    const started = new AsyncDisposableStack();
    let stopping: Promise<void> | undefined;
    const stop = () => {
        stopping ??= started.disposeAsync();
        return stopping;
    };

    try {
        const kubelet = await startKubelet(ports.kubelet, credentials.kubelet, authority, containers);
        started.defer(() => kubelet.close());
        await Promise.all(
            ["controller-manager", "scheduler", "kwok"].map((holder) =>
                writeFile(join(folder, `${holder}.json`), certificateKubeconfig(name, endpoint, folder, holder), { mode: 0o600 }),
            ),
        );
        started.defer(() => programs.stop());
        const version = await startPrograms(programs, config, name, () => ready(endpoint, authority, token));
        const { addNodes, nodesReady, removeNode } = await adoptNodes(config, ports.kubelet, version);
        return {
            name,
            endpoint,
            certificateAuthority: Buffer.from(authority).toString("base64"),
            token,
            kubeconfig,
            version,
            kubeletPort: ports.kubelet,
            pids: programs.pids,
            broken: programs.broken,
            addNodes,
            nodesReady,
            removeNode,
            async stop() {
                await stop();
                await release();
            },
            async destroy() {
                await stop();
                await rm(folder, { recursive: true, force: true });
            },
        };
    } catch (error) {
        await stop();
        throw error;
    }
}

/** Starts the control plane and waits until pods can be created. @returns Kubernetes' version */
async function startPrograms(
    programs: ProgramGroup,
    config: KubeConfig,
    cluster: string,
    apiReady: () => Promise<true | undefined>,
): Promise<string> {
    programs.start("etcd");
    programs.start("kube-apiserver");
    await programs.unlessBroken(until(apiReady, START_TIMEOUT_MILLISECONDS, `${cluster}: the API server is not ready`));
    programs.start("kube-controller-manager");
    programs.start("kube-scheduler");
    programs.start("kwok");
    // The API server rejects pods in a namespace without a default ServiceAccount.
    const core = config.makeApiClient(CoreV1Api);
    const account = () => core.readNamespacedServiceAccount({ name: "default", namespace: "kube-system" });
    await programs.unlessBroken(until(account, START_TIMEOUT_MILLISECONDS, `${cluster}: the controller manager is not ready`));
    return (await config.makeApiClient(VersionApi).getCode()).gitVersion;
}

async function adoptNodes(config: KubeConfig, kubeletPort: number, version: string): Promise<NodeRegistry> {
    const registry = nodeRegistry(config.makeApiClient(CoreV1Api), { kubeletPort, version });
    await registry.adopt();
    return registry;
}

/**
 * Whether the API server is ready, which includes RBAC's default roles.
 *
 * @returns undefined while it is not
 * @throws Error while it does not listen
 */
async function ready(endpoint: string, authority: string, token: string): Promise<true | undefined> {
    const request = get(`${endpoint}/readyz`, { ca: authority, headers: { authorization: `Bearer ${token}` }, agent: false });
    const [response] = await once(request, "response");
    response.resume();
    return response.statusCode === 200 || undefined;
}

/** Chooses ports: those of an earlier run if they are free, otherwise others. */
async function choosePorts(folder: string, keep: boolean): Promise<Ports> {
    const file = join(folder, "ports.json");
    const wanted: Partial<Ports> = keep ? JSON.parse(await readFile(file, "utf8").catch(() => "{}")) : {};
    const ports = await freePorts(PORTS, wanted);
    await writeFile(file, JSON.stringify(ports));
    return ports;
}

async function noCommands() {
    return { stderr: "no commands can be run in this cluster of the lab\n", exitCode: 127 };
}

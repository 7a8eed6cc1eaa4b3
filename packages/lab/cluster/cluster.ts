import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CoreV1Api, KubeConfig, VersionApi } from "@kubernetes/client-node";
import { claim } from "../process/claim.ts";
import { freePorts } from "../process/ports.ts";
import { type Process, startProcess } from "../process/processes.ts";
import { until } from "../process/until.ts";
import { type Ports, type Program, programArguments, type Settings } from "./control-plane.ts";
import { certificateKubeconfig, loadCredentials, tokenKubeconfig } from "./credentials.ts";
import { type Containers, type Kubelet, simulatedContainers, startKubelet } from "./kubelet.ts";
import { type NodeRegistry, nodeRegistry } from "./node-registry.ts";

const STAGES = fileURLToPath(new URL("kwok.yaml", import.meta.url));
const PORTS = ["api", "kubelet"] as const;
/** Time for a cold start on a machine that builds something else at the same time. */
const START_TIMEOUT_MILLISECONDS = 120_000;
/** Another program may take a port between the choice and the bind. */
const ATTEMPTS = 3;

export interface ClusterOptions {
    /** For certificates, messages and the kubeconfig's context. */
    name: string;
    /** Data folder: state, credentials and logs. What it holds from an earlier run is taken up again. */
    folder: string;
    serviceCidr: string;
    /** Paths, as `ensureTools` gives them. */
    tools: Readonly<Record<Program, string>>;
    /** Answers for the containers of its nodes. @default every command fails */
    containers?: Containers;
}

/** A simulated EKS cluster: a real control plane, and nodes that kwok plays. */
export interface Cluster extends NodeRegistry {
    readonly name: string;
    /** `https://127.0.0.1:<port>` */
    readonly endpoint: string;
    /** Base64 of PEM, as EKS gives it. */
    readonly certificateAuthority: string;
    /** Bearer token of an administrator, what `aws eks get-token` would print. */
    readonly token: string;
    /** An administrator's, as JSON. Secret: it holds the token. */
    readonly kubeconfig: string;
    /** `v1.36.3` */
    readonly version: string;
    /** Where the API server sends exec and logs, on this machine. */
    readonly kubeletPort: number;
    /** Ids of its processes. */
    readonly pids: readonly number[];
    /** Settles when one of its programs ends by itself, with what it said last; never settles otherwise. */
    readonly broken: Promise<Error>;
    /** Ends its processes, the API server before its etcd. The data folder stays, and the cluster can be started from it again. */
    stop(): Promise<void>;
    /** Stops it and removes the data folder. */
    destroy(): Promise<void>;
}

/**
 * Starts a cluster, or starts it again from its data folder.
 *
 * Two at once with their nodes, as `npx vitest run packages/lab/tests/cluster/cluster.test.ts` prints it: 12 to 36 s on two cores that others kept busy, of which 10 to 17 s
 * are processor time; 630 to 810 MiB in all ten processes (proportional set size); a stop takes 1.4 s. Go's collector stays at its defaults: half as often
 * (GOGC=200) saves 5 % of the time for 116 MiB, twice as often (GOGC=50) costs 40 % for 86 MiB.
 *
 * @throws Error with the failing program's last words, or when another process has the folder
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
    { name, folder, serviceCidr, tools, containers = simulatedContainers(unanswered) }: ClusterOptions,
    ports: Ports,
    { authority, kubelet: serving, token }: Awaited<ReturnType<typeof loadCredentials>>,
    release: () => Promise<void>,
): Promise<Cluster> {
    const endpoint = `https://127.0.0.1:${ports.api}`;
    const settings: Settings = { name, folder, ports, serviceCidr, stages: STAGES };
    const kubeconfig = tokenKubeconfig(name, endpoint, authority, token);
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    const core = config.makeApiClient(CoreV1Api);

    const running = new Map<Program, Process>();
    let stopping = false;
    let kubelet: Kubelet | undefined;
    const { promise: broken, resolve: breaks } = Promise.withResolvers<Error>();

    try {
        kubelet = await startKubelet(ports.kubelet, serving, authority, containers);
        await Promise.all(
            ["controller-manager", "scheduler", "kwok"].map((holder) =>
                writeFile(join(folder, `${holder}.json`), certificateKubeconfig(name, endpoint, folder, holder), { mode: 0o600 }),
            ),
        );
        run("etcd");
        run("kube-apiserver");
        await orBroken(until(() => ready(endpoint, authority, token), START_TIMEOUT_MILLISECONDS, `${name}: the API server is not ready`));
        run("kube-controller-manager");
        run("kube-scheduler");
        run("kwok");
        // Whoever makes a pod before the namespace has its account is refused.
        const account = () => core.readNamespacedServiceAccount({ name: "default", namespace: "kube-system" });
        await orBroken(until(account, START_TIMEOUT_MILLISECONDS, `${name}: the controller manager does not work`));
        const { gitVersion: version } = await config.makeApiClient(VersionApi).getCode();
        const registry = nodeRegistry(core, { kubeletPort: ports.kubelet, version });
        await registry.adopt();
        return {
            name,
            endpoint,
            certificateAuthority: Buffer.from(authority).toString("base64"),
            token,
            kubeconfig,
            version,
            kubeletPort: ports.kubelet,
            pids: [...running.values()].map(({ pid }) => pid),
            broken,
            addNodes: registry.addNodes,
            nodesReady: registry.nodesReady,
            removeNode: registry.removeNode,
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

    function run(program: Program): void {
        const log = join(folder, `${program}.log`);
        // Its default folder may hold somebody's own configuration, which kwok would add to ours.
        const env = { KWOK_WORKDIR: folder };
        const started = startProcess({ name: program, file: tools[program], args: programArguments(program, settings), log, env, folder });
        running.set(program, started);
        started.ended.then((how) => {
            if (!stopping) breaks(new Error(`${name}: ${program} ${how}; ${log} ends with:\n${started.lastWords()}`));
        });
    }

    async function orBroken<Result>(work: Promise<Result>): Promise<Result> {
        return Promise.race([work, broken.then((error) => Promise.reject(error))]);
    }

    async function stop(): Promise<void> {
        stopping = true;
        // An API server whose etcd is gone hangs instead of ending.
        for (const programs of [["kwok", "kube-scheduler", "kube-controller-manager"], ["kube-apiserver"], ["etcd"]] as const) {
            await Promise.all(programs.map((program) => running.get(program)?.stop()));
        }
        await kubelet?.close();
        kubelet = undefined;
    }
}

/** Whether the API server serves, RBAC's own roles included. @returns undefined while it does not @throws Error while it does not listen */
async function ready(endpoint: string, authority: string, token: string): Promise<true | undefined> {
    const request = get(`${endpoint}/readyz`, { ca: authority, headers: { authorization: `Bearer ${token}` }, agent: false });
    const [response] = await once(request, "response");
    response.resume();
    return response.statusCode === 200 || undefined;
}

/** The ports of an earlier run where they are free, and others. */
async function choosePorts(folder: string, keep: boolean): Promise<Ports> {
    const file = join(folder, "ports.json");
    const wanted: Partial<Ports> = keep ? JSON.parse(await readFile(file, "utf8").catch(() => "{}")) : {};
    const ports = await freePorts(PORTS, wanted);
    await writeFile(file, JSON.stringify(ports));
    return ports;
}

async function unanswered() {
    return { stderr: "the lab answers no commands in this cluster\n", exitCode: 127 };
}

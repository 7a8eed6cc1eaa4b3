import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { type SimulatedAws, simulatedAws } from "./aws/aws.ts";
import { serveEks } from "./aws/eks/backend.ts";
import type { SimulationOptions } from "./aws/simulation.ts";
import { serveAwsCli } from "./aws-cli/aws-cli.ts";
import { type Clusters, realClusters } from "./cluster/clusters.ts";
import { withExecEnvironment } from "./cluster/credentials.ts";
import type { DataPlane } from "./data-plane.ts";
import { simulatedDataPlane } from "./nodes-simulated/data-plane.ts";
import { writeShellFile } from "./process/shell.ts";
import { linkRepository, programFolder, type StackFiles, writeStackFiles } from "./project.ts";
import { awsPackage } from "./providers/aws/package.ts";
import { commandPackage } from "./providers/command.ts";
import { kubernetesPackage } from "./providers/kubernetes/provider.ts";
import { linkPlugins, type RealPlugin, realPlugins } from "./providers/real.ts";
import { debugProviders, type Served, serve } from "./providers/server.ts";
import { tlsPackage } from "./providers/tls.ts";
import { startDataPlane } from "./start-data-plane.ts";
import { ciliumChart } from "./tools/cilium.ts";
import { ensureTools } from "./tools/tools.ts";

const AWS_CLI = resolve(import.meta.dirname, "aws-cli/bin");
const EKS_PROVIDER = resolve(import.meta.dirname, "providers/eks/main.ts");

/** Account of the lab's credentials. Other accounts are reached by assuming a role. */
const ACCOUNT = "111111111111";

const TOOLS = [
    "pulumi",
    "pulumi-language-nodejs",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "etcd",
    "helm",
] as const;

type Tools = Record<(typeof TOOLS)[number], string>;
type Environment = Record<string, string>;

export interface LabOptions {
    /** Folder for all files of this lab: state, logs, the project. Only the cache of built programs lies elsewhere. */
    folder: string;
    stacks: StackFiles;
    log: (line: string) => void;
    /** Puts Pulumi.yaml and the program into the project's empty folder. Default: links to this repository. */
    fillProject?: (project: string) => void | Promise<void>;
    /** Providers for which the engine starts the real plugin, not the stand-in. Default: tls, kubernetes and command, where installed. */
    real?: readonly string[];
    /** Lets kwok play the nodes even if this machine can run real ones: seconds faster, a quarter of the memory. Default false. */
    simulatedNodes?: boolean;
    /** Faults, clock and speed of the simulated AWS. Default: every resource is ready when it is read next. */
    aws?: Omit<SimulationOptions, "file">;
}

/** A running lab. */
export interface Lab {
    aws: SimulatedAws;
    clusters: Clusters;
    dataPlane: DataPlane;
    /** Folder in which to run Pulumi. */
    project: string;
    /** Environment for Pulumi, to add to this process's own: backend, passphrase, providers, and a PATH with the lab's programs. */
    env: Environment;
    /** Writes stack files: new ones, or over existing ones. */
    configure(stacks: StackFiles): void;
    /** Shell file that sets `env`: source it to run Pulumi and kubectl by hand. */
    shellFile: string;
    /** Stops all processes. The folder keeps what was deployed. */
    stop(): Promise<void>;
    /** Stops the lab and removes its folder. */
    destroy(): Promise<void>;
}

/** Takes the function that stops each part as it starts. Runs them in reverse order. */
type Started = AsyncDisposableStack;

/**
 * Starts the lab: the simulated AWS and the providers to which the engine attaches. A cluster starts when the program creates it. The
 * environment of this process does not change: pass the lab's `env` to Pulumi.
 *
 * @throws Error with what cannot be started; everything that did start is stopped, and the folder stays
 */
export async function startLab(options: LabOptions): Promise<Lab> {
    const started = new AsyncDisposableStack();
    try {
        return await startParts(started, options);
    } catch (error) {
        await started.disposeAsync();
        throw error;
    }
}

async function startParts(started: Started, options: LabOptions): Promise<Lab> {
    const { folder, stacks, log } = options;
    const plugins = realPlugins(options.real);
    const [tools, chart] = await Promise.all([ensureTools(TOOLS, { log }), ciliumChart({ log })]);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const project = join(folder, "project");
    mkdirSync(project, { recursive: true });
    await (options.fillProject ?? linkRepository)(project);
    writeStackFiles(project, withChart(stacks, chart));

    const tokens = join(folder, "tokens.json");
    const simulation = await startSimulation(started, options, tools, tokens);
    const programs = [AWS_CLI, dirname(process.execPath), dirname(tools.pulumi), dirname(tools["pulumi-language-nodejs"])];
    const access = { ...(await serveAws(started, simulation.aws, folder)), CLUSTERMESH_LAB_TOKENS: tokens };
    const PATH = [...new Set([...programs, ...(process.env.PATH ?? "").split(delimiter)])].join(delimiter);

    for (const { name, path } of plugins) log(`${name}: the real plugin, ${path}`);
    const served = await serveProviders(started, simulation.aws, {
        folder,
        directory: programFolder(project),
        helm: tools.helm,
        plugins,
        access: { ...access, PATH },
    });
    const settings = { ...access, ...pulumiSettings(folder, plugins, served) };
    const shellFile = join(folder, "env");
    writeShellFile(shellFile, settings, programs);

    let stopping: Promise<void> | undefined;
    const stop = () => {
        stopping ??= started.disposeAsync();
        return stopping;
    };
    return {
        ...simulation,
        project,
        env: { ...settings, PATH },
        shellFile,
        configure: (changed) => writeStackFiles(project, withChart(changed, chart)),
        stop,
        async destroy() {
            await stop();
            await rm(folder, { recursive: true, force: true });
        },
    };
}

/** Starts the simulated AWS, and the real control planes and nodes of its clusters. */
async function startSimulation(
    started: Started,
    { folder, log, simulatedNodes = false, aws: options }: LabOptions,
    tools: Tools,
    tokens: string,
): Promise<Pick<Lab, "aws" | "clusters" | "dataPlane">> {
    const aws = simulatedAws({ backed: true, speed: Number.POSITIVE_INFINITY, ...options, file: join(folder, "aws.json") });
    writeFileSync(tokens, "{}", { mode: 0o600 });
    const running = () => clusters.running();
    const dataPlane = await (simulatedNodes ? simulatedDataPlane : startDataPlane)({ aws, running, folder, log });
    started.defer(() => dataPlane.close());
    const clusters: Clusters = realClusters({ folder: join(folder, "clusters"), tokens, tools, log, nodes: dataPlane.nodes });
    started.defer(() => clusters.stop());
    const serving = serveEks(aws, clusters);
    started.defer(() => serving.stop());
    return { aws, clusters, dataPlane };
}

/** Serves the simulated AWS to the lab's `aws` command. @returns the environment by which that command finds it */
async function serveAws(started: Started, aws: SimulatedAws, folder: string): Promise<Environment> {
    const socket = join(folder, "aws.sock");
    const cli = await serveAwsCli(aws, { account: ACCOUNT, socket });
    started.defer(() => cli.close());
    return { CLUSTERMESH_LAB_AWS: socket };
}

interface ProviderOptions {
    folder: string;
    /** Working directory of providers, as the engine sets it. */
    directory: string;
    /** Path of Helm. */
    helm: string;
    plugins: readonly RealPlugin[];
    /** Environment in which `aws` is the lab's command: kubeconfigs run it, and so may commands of the program. */
    access: Environment;
}

/** Serves every provider whose real plugin is not used. */
async function serveProviders(
    started: Started,
    aws: SimulatedAws,
    { folder, directory, helm, plugins, access }: ProviderOptions,
): Promise<Pick<Served, "name" | "port">[]> {
    const environment = { ...process.env, ...access };
    const packages = [
        awsPackage({ simulation: aws, account: ACCOUNT }),
        kubernetesPackage({
            helm,
            directory,
            environment,
            rewriteKubeconfig: (kubeconfig) => withExecEnvironment(kubeconfig, access),
        }),
        tlsPackage(),
        commandPackage({ directory, environment }),
    ];
    const served = await Promise.all(packages.filter(({ name }) => !plugins.some((plugin) => plugin.name === name)).map(serve));
    for (const { close } of served) started.defer(close);
    const eks = await serveEksComponent(folder, environment);
    started.defer(eks.close);
    return [...served, eks];
}

/** Runs the stand-in for `eks` as a process of its own: a component needs the SDK, whose state belongs to the process. */
async function serveEksComponent(folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
    // Detached: an interrupt on the terminal would end it before the engine has finished its running operations.
    const child = spawn(process.execPath, [EKS_PROVIDER], { stdio: ["pipe", "pipe", "inherit"], cwd: folder, detached: true, env });
    const ended = once(child, "exit");
    const [line] = await Promise.race([
        once(createInterface(child.stdout), "line"),
        ended.then(([code]) => Promise.reject(new Error(`the lab's stand-in for the provider eks exited at start with code ${code}`))),
    ]);
    return {
        name: "eks",
        port: Number(line),
        close: async () => {
            child.kill();
            await ended;
        },
    };
}

/** Makes the state backend and Pulumi's home in the lab's folder. @returns Pulumi's settings, as environment variables */
function pulumiSettings(folder: string, plugins: readonly RealPlugin[], served: readonly Pick<Served, "name" | "port">[]): Environment {
    const state = join(folder, "state");
    mkdirSync(state, { recursive: true });
    const home = join(folder, "pulumi");
    linkPlugins(plugins, home);
    return {
        // Without metadata=skip the backend keeps a file of attributes beside each state and truncates it before each write: a kill in
        // between leaves a stack that cannot be opened ("failed to load checkpoint: EOF").
        PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
        PULUMI_HOME: home,
        PULUMI_CONFIG_PASSPHRASE: randomBytes(24).toString("base64"),
        PULUMI_DEBUG_PROVIDERS: debugProviders(served),
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
}

/** Points cluster stacks to the chart in the lab's cache: the lab has no network to a chart repository. */
function withChart(stacks: StackFiles, chart: string): StackFiles {
    return Object.fromEntries(
        Object.entries(stacks).map(([stack, settings]) => {
            const { kind, cilium } = settings as { kind: string; cilium?: object };
            return [stack, kind === "cluster" ? { ...settings, cilium: { ...cilium, chart } } : settings];
        }),
    );
}

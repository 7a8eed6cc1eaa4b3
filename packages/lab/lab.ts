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
import { type DataPlane, startDataPlane } from "./nodes-real/data-plane.ts";
import { simulatedDataPlane } from "./nodes-simulated/data-plane.ts";
import { writeShellFile } from "./process/shell.ts";
import { makeProject, type StackFiles, writeStackFiles } from "./project.ts";
import { awsPackage } from "./providers/aws/package.ts";
import { commandPackage } from "./providers/command.ts";
import { kubernetesPackage } from "./providers/kubernetes/provider.ts";
import type { Package } from "./providers/provider.ts";
import { linkPlugins, realPlugins } from "./providers/real.ts";
import { debugProviders, serve } from "./providers/server.ts";
import { tlsPackage } from "./providers/tls.ts";
import { ciliumChart } from "./tools/cilium.ts";
import { ensureTools } from "./tools/tools.ts";

const BIN = resolve(import.meta.dirname, "aws-cli/bin");
const EKS_PROVIDER = resolve(import.meta.dirname, "providers/eks/main.ts");

/** The account whose credentials the lab has. Others are reached through roles. */
export const ACCOUNT = "111111111111";

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

export interface LabOptions {
    /** Where everything of this lab lives: state, logs, the project's folder. Nothing is written elsewhere but to the cache of tools. */
    folder: string;
    stacks: StackFiles;
    log: (line: string) => void;
    /** Providers whose real plugins take the stand-ins' place. Default: all of tls, kubernetes and command that are installed. */
    real?: readonly string[];
    /** Nodes are kwok's even where this machine could run real ones: seconds faster, and a quarter of the memory. Default false. */
    simulatedNodes?: boolean;
    /** Faults, clock and speed of the simulated AWS. Default: everything is ready at the next look. */
    aws?: Omit<SimulationOptions, "file">;
}

/** A running lab. */
export interface Lab {
    aws: SimulatedAws;
    clusters: Clusters;
    dataPlane: DataPlane;
    /** The folder in which Pulumi runs. */
    project: string;
    /** Pulumi's environment: backend, passphrase, providers, and the programs on the PATH. */
    env: Record<string, string>;
    /** Writes stack files, new ones or in place of those that are there. */
    configure(stacks: StackFiles): void;
    /** File to source in a shell that is to do what this process can. */
    shellFile: string;
    /** Ends all processes. What has been deployed stays in the folder. */
    stop(): Promise<void>;
    /** Stops it and removes its folder. */
    destroy(): Promise<void>;
}

/** Starts the lab: the simulated AWS, and the providers to which the engine attaches. Clusters start when the program makes them. A start that fails leaves its folder alone. */
export async function startLab(options: LabOptions): Promise<Lab> {
    const running = new AsyncDisposableStack();
    try {
        return await startWith(running, options);
    } catch (error) {
        await running.disposeAsync();
        throw error;
    }
}

/** @param started takes what ends each part, the last one first */
async function startWith(
    started: AsyncDisposableStack,
    { folder, stacks, log, real, simulatedNodes = false, aws: simulation }: LabOptions,
): Promise<Lab> {
    const plugins = realPlugins(real);
    const [tools, chart] = await Promise.all([ensureTools(TOOLS, { log }), ciliumChart({ log })]);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const project = join(folder, "project");
    makeProject(project, withChart(stacks, chart));

    const aws = simulatedAws({ backed: true, speed: Number.POSITIVE_INFINITY, ...simulation, file: join(folder, "aws.json") });
    const tokens = join(folder, "tokens.json");
    writeFileSync(tokens, "{}", { mode: 0o600 });
    const running = () => clusters.running();
    const dataPlane = await (simulatedNodes ? simulatedDataPlane : startDataPlane)({ aws, running, folder, log });
    started.defer(() => dataPlane.close());
    const clusters: Clusters = realClusters({
        folder: join(folder, "clusters"),
        tokens,
        tools,
        log,
        nodes: dataPlane.nodes,
    });
    started.defer(() => clusters.stop());
    const serving = serveEks(aws, clusters);
    started.defer(() => serving.stop());

    // `aws` is asked by the engine's children, by this process and by Helm; the SDK finds the engine on this process's PATH.
    const socket = join(folder, "aws.sock");
    const commandLine = await serveAwsCli(aws, { account: ACCOUNT, socket });
    started.defer(() => commandLine.close());
    Object.assign(process.env, { CLUSTERMESH_LAB_TOKENS: tokens, CLUSTERMESH_LAB_AWS: socket });
    const programs = [BIN, dirname(process.execPath), dirname(tools.pulumi), dirname(tools["pulumi-language-nodejs"])];
    process.env.PATH = [...new Set([...programs, ...(process.env.PATH ?? "").split(delimiter)])].join(delimiter);
    const packages: Package[] = [
        awsPackage({ simulation: aws, account: ACCOUNT }),
        kubernetesPackage({ helm: tools.helm, directory: project }),
        tlsPackage(),
        commandPackage({ directory: project, environment: process.env }),
    ];
    for (const { name, path } of plugins) log(`${name}: the real plugin, ${path}`);
    const served = await Promise.all(packages.filter(({ name }) => !plugins.some((plugin) => plugin.name === name)).map(serve));
    for (const { close } of served) started.defer(close);
    const eks = await serveEksComponent(folder);
    started.defer(eks.close);

    const state = join(folder, "state");
    mkdirSync(state, { recursive: true });
    const pulumiHome = join(folder, "pulumi");
    linkPlugins(plugins, pulumiHome);
    const settings = {
        CLUSTERMESH_LAB_TOKENS: tokens,
        CLUSTERMESH_LAB_AWS: socket,
        // Beside each state the backend would keep a file of its attributes, which it truncates before it writes: a kill in between leaves a stack that
        // cannot be opened ("failed to load checkpoint: EOF").
        PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
        PULUMI_HOME: pulumiHome,
        PULUMI_CONFIG_PASSPHRASE: randomBytes(24).toString("base64"),
        PULUMI_DEBUG_PROVIDERS: debugProviders([...served, eks]),
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    const shellFile = join(folder, "env");
    writeShellFile(shellFile, settings, programs);
    let stopping: Promise<void> | undefined;
    const stop = () => {
        stopping ??= started.disposeAsync();
        return stopping;
    };
    return {
        aws,
        clusters,
        dataPlane,
        project,
        env: { ...settings, PATH: process.env.PATH },
        shellFile,
        configure: (changed) => writeStackFiles(project, withChart(changed, chart)),
        stop,
        async destroy() {
            await stop();
            await rm(folder, { recursive: true, force: true });
        },
    };
}

/** Cluster stacks take the chart that the lab has: there is no network to a repository. */
function withChart(stacks: StackFiles, chart: string): StackFiles {
    return Object.fromEntries(
        Object.entries(stacks).map(([stack, settings]) => {
            const { kind, cilium } = settings as { kind: string; cilium?: object };
            return [stack, kind === "cluster" ? { ...settings, cilium: { ...cilium, chart } } : settings];
        }),
    );
}

/** The stand-in for `eks` is a process: a component runs on the SDK, whose state is the process's. */
async function serveEksComponent(folder: string): Promise<{ name: string; port: number; close(): Promise<void> }> {
    // Detached: an interrupt on the terminal would end it before the engine has ended what is under way.
    const child = spawn(process.execPath, [EKS_PROVIDER], { stdio: ["pipe", "pipe", "inherit"], cwd: folder, detached: true });
    const ended = once(child, "exit");
    const [line] = await Promise.race([
        once(createInterface(child.stdout), "line"),
        ended.then(([code]) => Promise.reject(new Error(`the lab's stand-in for the provider eks ended at once, with ${code}`))),
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

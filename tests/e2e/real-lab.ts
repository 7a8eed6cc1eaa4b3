import { join } from "node:path";
import { AppsV1Api, CoreV1Api, type KubernetesObject, KubernetesObjectApi, PatchStrategy } from "@kubernetes/client-node";
import { type DriverOptions, deployMesh, type Stacks } from "../../cli/engine/driver.ts";
import { readProject } from "../../cli/project/stack-files.ts";
import { type VerifyOptions, verify } from "../../cli/verify.ts";
import { laggingPeers } from "../../core/cilium/readiness.ts";
import type { Agent } from "../../core/gate.ts";
import type { VerifyReport } from "../../core/verify/report.ts";
import { inAgent, kubernetesAgents } from "../../kubernetes/agents.ts";
import { type Clients, kubernetesClients } from "../../kubernetes/clients.ts";
import { type Lab, startLab } from "../../packages/lab/lab.ts";
import { until } from "../../packages/lab/process/until.ts";
import type { StackFiles } from "../../packages/lab/project.ts";
import { temporaryFolder, whyNoTools } from "../../packages/lab/tests/harness.ts";
import { whyNoDatapath } from "../../packages/lab/tools/datapath.ts";

export const CLUSTERS = { clusters: ["cluster1", "cluster2"], meshes: [] };
export const MESH = { clusters: [], meshes: ["mesh"] };
export const ALL = { clusters: CLUSTERS.clusters, meshes: MESH.meshes };
export const PLACE = { account: "111111111111", region: "eu-central-1" };

/** Settings of the mesh's gate. In the lab, a few seconds suffice before a restart of a lagging agent. */
export const GATE = { timeoutSeconds: 150, healAfterSeconds: 10 };

const NAMESPACE = "kube-system";
/** Identifies the agents' DaemonSet in a manual patch. */
export const AGENTS = { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "cilium", namespace: NAMESPACE } };
const HEALTHY_MILLISECONDS = 120_000;

/** Why this machine cannot run real nodes; undefined when it can. */
export async function whyNoRealLab(): Promise<string | undefined> {
    const why = (await whyNoTools()) ?? (await whyNoDatapath());
    if (why) console.warn(`skipped: ${why}`);
    return why;
}

/** A lab with real nodes, and the means to inspect and change it. */
export interface RealLab {
    lab: Lab;
    driver: DriverOptions;
    clients(): Clients;
    core(cluster: string): CoreV1Api;
    apps(cluster: string): AppsV1Api;
    agents(cluster: string): Promise<Agent[]>;
    /** Runs a command in an agent's container. */
    inAgent(agent: Agent, ...command: string[]): Promise<string>;
    verify(options?: VerifyOptions): Promise<VerifyReport>;
    /** Deploys the stacks, and returns the engine's output, which includes the gate's lines. */
    up(stacks: Stacks): Promise<string>;
    /** Same as `up`, but refreshes first and so also reverts manual changes. */
    upWithRefresh(stacks: Stacks): Promise<string>;
    /**
     * Waits until every agent sees every other cluster.
     *
     * @returns the time this took, in seconds
     */
    waitUntilHealthy(): Promise<number>;
}

/** The sample mesh stack with these settings of the gate. */
export function meshWith(gate: { timeoutSeconds: number; healAfterSeconds: number }): object {
    const [mesh] = readProject(".").meshes;
    return { ...mesh?.config, gate };
}

/** The sample cluster stacks, with two nodes each. */
export function clusterStacks({ kvstoreMesh }: { kvstoreMesh: boolean }): StackFiles {
    const { clusters } = readProject(".");
    return Object.fromEntries(
        clusters.map(({ stack, config }) => [
            stack,
            { ...config, nodeGroup: { min: 1, desired: 2 }, cilium: { ...config.cilium, kvstoreMesh } },
        ]),
    );
}

/** Starts the lab with the sample stacks, two nodes in each cluster. */
export async function startRealLab(): Promise<RealLab> {
    const stacks = { ...clusterStacks({ kvstoreMesh: false }), mesh: meshWith(GATE) };
    const lab = await startLab({ folder: join(await temporaryFolder(), "lab"), stacks, log: (line) => console.log(line) });
    return wrapLab(lab);
}

export function wrapLab(lab: Lab): RealLab {
    const driver = { folder: lab.project, env: lab.env };
    const kubeconfigs = () => Object.fromEntries(lab.clusters.running().map(({ name, config }) => [name, config.exportConfig()]));
    const clients = () => kubernetesClients(kubeconfigs());
    const anyAgentLagging = async () => {
        const names = lab.clusters.running().map(({ name }) => name);
        const agents = kubernetesAgents(clients());
        const results = names.map(async (cluster) => {
            const { running, expected } = await agents.list(cluster);
            const peers = names.filter((name) => name !== cluster);
            const lagging = await Promise.all(running.map(async (agent) => laggingPeers(await agents.status(agent), peers)));
            return running.length === expected && lagging.flat().length === 0;
        });
        return (await Promise.all(results)).includes(false);
    };
    const up = async (stacks: Stacks, extraOptions: Pick<DriverOptions, "refresh"> = {}) => {
        const output: string[] = [];
        await deployMesh(stacks, { ...driver, ...extraOptions, onOutput: (_, text) => output.push(text) });
        return output.join("");
    };
    return {
        lab,
        driver,
        clients,
        core: (cluster) => clients().client(cluster, CoreV1Api),
        apps: (cluster) => clients().client(cluster, AppsV1Api),
        agents: async (cluster) => (await kubernetesAgents(clients()).list(cluster)).running,
        inAgent: (agent, ...command) => inAgent(clients(), agent, command),
        verify: (options) => verify(kubeconfigs(), options),
        up: (stacks) => up(stacks),
        upWithRefresh: (stacks) => up(stacks, { refresh: true }),
        async waitUntilHealthy() {
            const start = performance.now();
            await until(
                async () => ((await anyAgentLagging()) ? undefined : true),
                HEALTHY_MILLISECONDS,
                "not every agent sees every cluster",
            );
            return (performance.now() - start) / 1000;
        },
    };
}

/**
 * Runs `work` and logs how long it took.
 *
 * @returns that time, in seconds
 */
export async function timed(what: string, work: () => Promise<unknown>): Promise<number> {
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    console.log(`${what}: ${seconds.toFixed(1)} s`);
    return seconds;
}

/** Name of a cluster's node by order of creation, oldest first. Scaling down removes the oldest first. */
export async function nodeOf({ core }: RealLab, cluster: string, index: number): Promise<string> {
    const { items } = await core(cluster).listNode();
    const created = (node: (typeof items)[number]) => Number(node.metadata?.creationTimestamp ?? 0);
    return items.toSorted((a, b) => created(a) - created(b))[index]?.metadata?.name ?? "";
}

/** Restarts every agent of a cluster, as `kubectl rollout restart` does, and waits until all are ready. */
export async function restartAgents(real: RealLab, cluster: string): Promise<void> {
    const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
    const changed = await patchManually(real, cluster, { ...AGENTS, spec: { template: { metadata: { annotations } } } });
    await waitForRollout(real, cluster, changed);
}

/** Changes an object with a merge patch, as `kubectl edit` does and with its field manager. */
export async function patchManually<T extends KubernetesObject>({ clients }: RealLab, cluster: string, object: T): Promise<T> {
    const api = clients().client(cluster, KubernetesObjectApi);
    return api.patch(object, undefined, undefined, "kubectl-edit", undefined, PatchStrategy.MergePatch);
}

/** Waits until all agents of a cluster run the given generation of their DaemonSet, or a later one, and are available. */
export async function waitForRollout({ apps }: RealLab, cluster: string, { metadata }: KubernetesObject): Promise<void> {
    await until(
        async () => {
            const { status } = await apps(cluster).readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE });
            const { observedGeneration = 0, updatedNumberScheduled, numberAvailable, desiredNumberScheduled } = status ?? {};
            const all = updatedNumberScheduled === desiredNumberScheduled && numberAvailable === desiredNumberScheduled;
            return observedGeneration >= (metadata?.generation ?? 0) && all ? true : undefined;
        },
        HEALTHY_MILLISECONDS,
        `the agents of ${cluster} are not ready`,
    );
}

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

/** Seconds are enough here to restart an agent that stays behind. */
export const GATE = { timeoutSeconds: 150, healAfterSeconds: 10 };

const NAMESPACE = "kube-system";
/** To be changed by hand. */
export const AGENTS = { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "cilium", namespace: NAMESPACE } };
const HEALTHY_MILLISECONDS = 120_000;

/** Why this machine cannot run real nodes; undefined when it can. */
export async function whyNoRealLab(): Promise<string | undefined> {
    const why = (await whyNoTools()) ?? (await whyNoDatapath());
    if (why) console.warn(`skipped: ${why}`);
    return why;
}

/** A lab with real nodes, and hands to reach into it. */
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
    /** @returns what the engine said, the gate's own lines among it */
    up(stacks: Stacks): Promise<string>;
    /** What somebody does who finds that things were changed. @returns as `up` */
    putBack(stacks: Stacks): Promise<string>;
    /** Waits until every agent of every cluster sees every other one. @returns seconds */
    healthy(): Promise<number>;
}

/** The sample mesh stack. @param gate its settings */
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
    return handsOn(lab);
}

export function handsOn(lab: Lab): RealLab {
    const driver = { folder: lab.project, env: lab.env };
    const kubeconfigs = () => Object.fromEntries(lab.clusters.running().map(({ name, config }) => [name, config.exportConfig()]));
    const clients = () => kubernetesClients(kubeconfigs());
    const behind = async () => {
        const names = lab.clusters.running().map(({ name }) => name);
        const agents = kubernetesAgents(clients());
        const looks = names.map(async (cluster) => {
            const { running, expected } = await agents.list(cluster);
            const peers = names.filter((name) => name !== cluster);
            const lagging = await Promise.all(running.map(async (agent) => laggingPeers(await agents.status(agent), peers)));
            return running.length === expected && lagging.flat().length === 0;
        });
        return (await Promise.all(looks)).includes(false);
    };
    const up = async (stacks: Stacks, more: Pick<DriverOptions, "refresh"> = {}) => {
        const said: string[] = [];
        await deployMesh(stacks, { ...driver, ...more, onOutput: (_, text) => said.push(text) });
        return said.join("");
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
        putBack: (stacks) => up(stacks, { refresh: true }),
        async healthy() {
            const start = performance.now();
            await until(async () => ((await behind()) ? undefined : true), HEALTHY_MILLISECONDS, "not every agent sees every cluster");
            return (performance.now() - start) / 1000;
        },
    };
}

/** Does something, and tells how long it took. @returns seconds */
export async function timed(what: string, work: () => Promise<unknown>): Promise<number> {
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    console.log(`${what}: ${seconds.toFixed(1)} s`);
    return seconds;
}

/** Name of a node of a cluster, in the order in which they came: the first are the first to go. */
export async function nodeOf({ core }: RealLab, cluster: string, index: number): Promise<string> {
    const { items } = await core(cluster).listNode();
    const came = (node: (typeof items)[number]) => Number(node.metadata?.creationTimestamp ?? 0);
    return items.toSorted((a, b) => came(a) - came(b))[index]?.metadata?.name ?? "";
}

/** Restarts every agent of a cluster, as `kubectl rollout restart` does, and waits until all are ready. */
export async function restartAgents(real: RealLab, cluster: string): Promise<void> {
    const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
    const changed = await byHand(real, cluster, { ...AGENTS, spec: { template: { metadata: { annotations } } } });
    await rolledOut(real, cluster, changed);
}

/** Changes an object as somebody does who has kubectl at hand. */
export async function byHand<T extends KubernetesObject>({ clients }: RealLab, cluster: string, object: T): Promise<T> {
    const api = clients().client(cluster, KubernetesObjectApi);
    return api.patch(object, undefined, undefined, "kubectl-edit", undefined, PatchStrategy.MergePatch);
}

/** Waits until a workload is as it was last told to be. @param daemonSet as it was answered */
export async function rolledOut({ apps }: RealLab, cluster: string, { metadata }: KubernetesObject): Promise<void> {
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

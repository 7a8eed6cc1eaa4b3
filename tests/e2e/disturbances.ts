import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { until } from "../../packages/lab/process/until.ts";
import { tryDatapath } from "../../packages/lab/tools/datapath.ts";
import type { End } from "./held-connection.ts";
import { PLACE, type RealLab } from "./real-lab.ts";

const SYSTEM = "kube-system";
const NAMESPACE = "default";
const TIMEOUT_MILLISECONDS = 120_000;

/** Names of a cluster's clustermesh-apiserver pods that are not being deleted. */
export async function replicaNames({ core }: RealLab, cluster: string): Promise<string[]> {
    const { items } = await core(cluster).listNamespacedPod({ namespace: SYSTEM, labelSelector: "k8s-app=clustermesh-apiserver" });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).flatMap(({ metadata }) => metadata?.name ?? []);
}

/**
 * Kills every process of a program in these pods with SIGKILL, as the kernel's out-of-memory killer does.
 *
 * @returns the number of killed processes
 */
export function killProcesses(pods: readonly string[], program: string): number {
    const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && runsProgram(pid, pods, program));
    for (const pid of found) process.kill(Number(pid), "SIGKILL");
    return found.length;
}

function runsProgram(pid: string, pods: readonly string[], program: string): boolean {
    try {
        const [file, command] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
        const runs = file?.endsWith(`/${program}`) || command === program;
        return runs === true && pods.some((pod) => environment.includes(`HOSTNAME=${pod}`));
    } catch {
        return false;
    }
}

/**
 * Creates a pod in cluster `from`, and waits until the IP cache of every agent of cluster `to` has an entry for its address. This covers the whole path: API
 * server, etcd, agents.
 *
 * @returns seconds, including the pod's start
 */
export async function measurePropagation({ core, agents, inAgent }: RealLab, from: string, to: string): Promise<number> {
    const start = performance.now();
    const name = `propagation-${Math.round(start)}`;
    const api = core(from);
    const containers = [{ name: "idle", image: "busybox", command: ["sleep", "infinity"] }];
    const spec = { containers, terminationGracePeriodSeconds: 0 };
    await api.createNamespacedPod({ namespace: NAMESPACE, body: { metadata: { name }, spec } });
    const address = await until(
        async () => (await api.readNamespacedPod({ name, namespace: NAMESPACE })).status?.podIP,
        TIMEOUT_MILLISECONDS,
        `pod ${name} of ${from} has no address`,
    );
    // Before an agent knows the pod, it takes the address for a node of that cluster or for the world, by a shorter prefix than /32.
    const known = async () => {
        const results = (await agents(to)).map(async (agent) => {
            const list = await inAgent(agent, "cilium-dbg", "bpf", "ipcache", "list");
            return new RegExp(`^${address.replaceAll(".", "\\.")}/32 `, "m").test(list);
        });
        return (await Promise.all(results)).every(Boolean) || undefined;
    };
    await until(known, TIMEOUT_MILLISECONDS, `${to} does not learn of pod ${name} of ${from}`);
    const seconds = (performance.now() - start) / 1000;
    await api.deleteNamespacedPod({ name, namespace: NAMESPACE });
    return seconds;
}

/** Waits until no agent of the clusters `by` lists the cluster `left` or its nodes. */
export async function waitUntilForgotten({ agents, inAgent }: RealLab, left: string, by: readonly string[]): Promise<void> {
    const forgotten = async () => {
        const all = (await Promise.all(by.map(agents))).flat();
        const results = all.map(async (agent) => [
            ...seenPeers(await inAgent(agent, "cilium-dbg", "status", "-o", "json")),
            ...JSON.parse(await inAgent(agent, "cilium-dbg", "node", "list", "-o", "json")).map(
                ({ name }: { name: string }) => name.split("/")[0],
            ),
        ]);
        return (await Promise.all(results)).flat().includes(left) ? undefined : true;
    };
    await until(forgotten, TIMEOUT_MILLISECONDS, `${by.join(", ")} still know ${left}`);
}

function seenPeers(statusJson: string): string[] {
    return (JSON.parse(statusJson)["cluster-mesh"]?.clusters ?? []).map(({ name }: { name: string }) => name);
}

/** Deletes a clustermesh-apiserver replica, and waits until another pod replaces it and all are ready. */
export async function replaceReplica(real: RealLab, cluster: string): Promise<void> {
    const before = await replicaNames(real, cluster);
    await real.core(cluster).deleteNamespacedPod({ name: before[0] ?? "", namespace: SYSTEM });
    const ready = async () => {
        const { status } = await real.apps(cluster).readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: SYSTEM });
        const now = await replicaNames(real, cluster);
        return (status?.readyReplicas === before.length && now.length === before.length && !now.includes(before[0] ?? "")) || undefined;
    };
    await until(ready, TIMEOUT_MILLISECONDS, `a replica of ${cluster}'s clustermesh-apiserver is not replaced`);
}

/** Sets the desired size of a cluster's node group, as an autoscaler does, and waits until each node runs an agent. */
export async function scaleNodeGroup({ lab, core, agents }: RealLab, cluster: string, desiredSize: number): Promise<void> {
    const { eks } = lab.aws.in(PLACE);
    const { nodegroups } = await eks.listNodegroups({ clusterName: cluster });
    await eks.updateNodegroupConfig({ clusterName: cluster, nodegroupName: nodegroups[0] ?? "", scalingConfig: { desiredSize } });
    const scaled = async () => {
        const [{ items }, running] = await Promise.all([core(cluster).listNode(), agents(cluster)]);
        return (items.length === desiredSize && running.length === desiredSize) || undefined;
    };
    await until(scaled, TIMEOUT_MILLISECONDS, `${cluster} does not have ${desiredSize} nodes with an agent each`);
}

/**
 * Drops packets from a node to a TCP port in `block`, with a rule on the node itself: nothing that the program manages has changed.
 *
 * @returns a function that removes the rule
 */
export async function blockTraffic(
    { lab, core }: RealLab,
    { cluster, node }: End,
    block: string,
    port: number,
): Promise<() => Promise<void>> {
    const { network } = lab.dataPlane;
    const { programs } = await tryDatapath();
    if (!network || !programs) throw new Error("the lab has no kernel network");
    const { status } = await core(cluster).readNode({ name: node });
    const own = status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
    const { NetworkInterfaces } = await lab.aws.in(PLACE).ec2.describeNetworkInterfaces({});
    const id = NetworkInterfaces.find(({ PrivateIpAddress }) => PrivateIpAddress === own)?.NetworkInterfaceId ?? "";
    const nft = (rules: string) =>
        promisify(execFile)("nsenter", [`--net=/run/netns/${network.namespaceOf(id)}`, programs.file.nft, rules]);
    const chain = `chain output { type filter hook output priority 0; ip daddr ${block} tcp dport ${port} drop; }`;
    await nft(`table inet blocked { ${chain}; }`);
    return async () => {
        await nft("delete table inet blocked");
    };
}

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { until } from "../../packages/lab/process/until.ts";
import { tryDatapath } from "../../packages/lab/tools/datapath.ts";
import type { End } from "./held-connection.ts";
import { PLACE, type RealLab } from "./real-lab.ts";

const SYSTEM = "kube-system";
const NAMESPACE = "default";
const MILLISECONDS = 120_000;

/** Names of the pods of a cluster's clustermesh-apiserver. */
export async function replicas({ core }: RealLab, cluster: string): Promise<string[]> {
    const { items } = await core(cluster).listNamespacedPod({ namespace: SYSTEM, labelSelector: "k8s-app=clustermesh-apiserver" });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).flatMap(({ metadata }) => metadata?.name ?? []);
}

/** Kills every process of a program in these pods, as the kernel's out-of-memory killer does. @returns how many */
export function killIn(pods: readonly string[], program: string): number {
    const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isOf(pid, pods, program));
    for (const pid of found) process.kill(Number(pid), "SIGKILL");
    return found.length;
}

function isOf(pid: string, pods: readonly string[], program: string): boolean {
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
 * Makes a pod in one cluster, and waits until every agent of the other one takes its address for a pod of that cluster. So the whole way is tried: API server,
 * etcd, agents.
 *
 * @returns seconds, the pod's start among them
 */
export async function propagates({ core, agents, inAgent }: RealLab, from: string, to: string): Promise<number> {
    const start = performance.now();
    const name = `news-${Math.round(start)}`;
    const api = core(from);
    const containers = [{ name: "idle", image: "busybox", command: ["sleep", "infinity"] }];
    const spec = { containers, terminationGracePeriodSeconds: 0 };
    await api.createNamespacedPod({ namespace: NAMESPACE, body: { metadata: { name }, spec } });
    const address = await until(
        async () => (await api.readNamespacedPod({ name, namespace: NAMESPACE })).status?.podIP,
        MILLISECONDS,
        `pod ${name} of ${from} has no address`,
    );
    // Until the pod itself is known, the address is one of its cluster's nodes or of the world.
    const known = async () => {
        const looks = (await agents(to)).map(async (agent) => {
            const list = await inAgent(agent, "cilium-dbg", "bpf", "ipcache", "list");
            return new RegExp(`^${address.replaceAll(".", "\\.")}/32 `, "m").test(list);
        });
        return (await Promise.all(looks)).every(Boolean) || undefined;
    };
    await until(known, MILLISECONDS, `${to} does not hear of pod ${name} of ${from}`);
    const seconds = (performance.now() - start) / 1000;
    await api.deleteNamespacedPod({ name, namespace: NAMESPACE });
    return seconds;
}

/** Waits until no agent of these clusters lists a cluster that has left, nor a node of it. */
export async function forgotten({ agents, inAgent }: RealLab, left: string, by: readonly string[]): Promise<void> {
    const listed = async () => {
        const all = (await Promise.all(by.map(agents))).flat();
        const looks = all.map(async (agent) => [
            ...seenPeers(await inAgent(agent, "cilium-dbg", "status", "-o", "json")),
            ...JSON.parse(await inAgent(agent, "cilium-dbg", "node", "list", "-o", "json")).map(
                ({ name }: { name: string }) => name.split("/")[0],
            ),
        ]);
        return (await Promise.all(looks)).flat().includes(left) ? undefined : true;
    };
    await until(listed, MILLISECONDS, `${by.join(", ")} still know ${left}`);
}

function seenPeers(statusJson: string): string[] {
    return (JSON.parse(statusJson)["cluster-mesh"]?.clusters ?? []).map(({ name }: { name: string }) => name);
}

/** Deletes a replica, and waits until there are as many ready ones as before, all of them others. */
export async function replaceReplica(real: RealLab, cluster: string): Promise<void> {
    const before = await replicas(real, cluster);
    await real.core(cluster).deleteNamespacedPod({ name: before[0] ?? "", namespace: SYSTEM });
    const ready = async () => {
        const { status } = await real.apps(cluster).readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: SYSTEM });
        const now = await replicas(real, cluster);
        return (status?.readyReplicas === before.length && now.length === before.length && !now.includes(before[0] ?? "")) || undefined;
    };
    await until(ready, MILLISECONDS, `a replica of ${cluster}'s clustermesh-apiserver does not come back`);
}

/** Changes how many nodes a cluster's node group has, as an autoscaler does, and waits until an agent runs on each. */
export async function scaleTo({ lab, core, agents }: RealLab, cluster: string, desiredSize: number): Promise<void> {
    const { eks } = lab.aws.in(PLACE);
    const { nodegroups } = await eks.listNodegroups({ clusterName: cluster });
    await eks.updateNodegroupConfig({ clusterName: cluster, nodegroupName: nodegroups[0] ?? "", scalingConfig: { desiredSize } });
    const there = async () => {
        const [{ items }, running] = await Promise.all([core(cluster).listNode(), agents(cluster)]);
        return (items.length === desiredSize && running.length === desiredSize) || undefined;
    };
    await until(there, MILLISECONDS, `${cluster} does not have ${desiredSize} nodes with an agent each`);
}

/**
 * Drops what a node sends to a port of the peer's, as something within the node would; nothing that the program made is to blame.
 *
 * @returns ends it
 */
export async function blockedFrom(
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

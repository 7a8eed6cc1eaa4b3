import { CoreV1Api } from "@kubernetes/client-node";
import { ETCD_PORT, etcdHostname } from "../../../core/cilium/clustermesh-config.ts";
import { explain } from "../../../core/text/explain.ts";
import type { SimulatedAws } from "../aws/aws.ts";
import { findBalancerTargets } from "../aws/elb/forwarding.ts";
import type { Place } from "../aws/memory.ts";
import { interfaceAt, pathBetween } from "../aws/path/path.ts";
import { hasEtcd, type RunningCluster, secretFiles } from "../cluster/clusters.ts";
import type { ExecHandler } from "../cluster/kubelet.ts";
import { causeOf, nodeList } from "./agent-commands.ts";
import { agentStatus, type Peer } from "./remote-clusters.ts";
import type { Replica } from "./replica.ts";
import { type AgentView, simulatedAgentStatus, type World } from "./simulated-agent.ts";

const ANYWHERE: Place = { account: "", region: "" };
const SERVER_CERTIFICATE = "clustermesh-apiserver-server-cert";
const KNOWN = "cilium-dbg status -o json, cilium-dbg node list -o json and cilium-dbg troubleshoot clustermesh";

export interface Surroundings {
    aws: SimulatedAws;
    running: () => RunningCluster[];
    /** The mesh's client of a cluster. Undefined: this machine cannot run clients, and their answers are computed. */
    replica?: (cluster: RunningCluster) => Replica | undefined;
}

/** Answers `kubectl exec` in the agents of a cluster: the commands of `KNOWN`, and no others. */
export function agentExec(cluster: RunningCluster, surroundings: Surroundings): ExecHandler {
    return async ({ namespace, pod, container, command }) => {
        const line = container === "cilium-agent" ? command.join(" ") : "";
        const { replica } = surroundings;
        if (line === "cilium-dbg status -o json") {
            const view = await agentView(cluster, namespace, pod);
            if (!replica) return { stdout: await simulatedAgentStatus(view, worldOf(cluster, surroundings)) };
            return { stdout: agentStatus(await peersOf(view, cluster, surroundings, replica(cluster))) };
        }
        const client = replica?.(cluster);
        if (client && line === "cilium-dbg node list -o json") return { stdout: await nodeList(client) };
        const [, peers] = /^cilium-dbg troubleshoot clustermesh ?(.*)$/.exec(line) ?? [];
        if (client && peers !== undefined) return { stdout: await client.troubleshoot(...peers.split(" ").filter(Boolean)) };
        const why =
            replica && !client
                ? `no pod of clustermesh-apiserver runs in ${cluster.name} yet`
                : `agents on the lab's simulated nodes answer only ${KNOWN}`;
        return { stderr: `${command.join(" ")}: ${why}\n`, exitCode: 127 };
    };
}

/** The peers in an agent's Secret, as the cluster's client sees them. */
async function peersOf(view: AgentView, cluster: RunningCluster, surroundings: Surroundings, client: Replica | undefined): Promise<Peer[]> {
    // Cilium's own rule for what a peer is.
    const names = Object.entries(view.clustermesh).flatMap(([name, file]) =>
        file.includes("endpoints:") && name !== view.cluster ? [name] : [],
    );
    const remotes = await client?.remoteClusters().catch((error) => `the mesh's client does not respond: ${explain(error)}`);
    return Promise.all(
        names.map(async (name): Promise<Peer> => {
            const unreachable = client?.kvstoreMesh ? undefined : dropped(view, name, cluster, surroundings);
            if (unreachable) return { name, unreachable };
            if (!client || !remotes)
                return { name, why: `no pod of clustermesh-apiserver runs in ${view.cluster} yet, so the mesh's client does not either` };
            if (typeof remotes === "string") return { name, why: remotes };
            const remote = remotes.find((candidate) => candidate.name === name);
            if (remote?.connected) return { name, remote };
            if (!remote) return { name, why: `the mesh's client has not read the configuration of ${name} yet` };
            return { name, remote, why: await causeOf(client, name) };
        }),
    );
}

/** Why packets from the agent's own node to a peer are lost. Undefined: an address of the peer can be reached, or it has no address. */
function dropped(
    { address, hostAliases }: AgentView,
    peer: string,
    cluster: RunningCluster,
    { aws, running }: Surroundings,
): string | undefined {
    const addresses = hostAliases.filter(({ hostnames }) => hostnames.includes(etcdHostname(peer))).map(({ ip }) => ip);
    const drops: string[] = [];
    for (const to of addresses) {
        const reached = reach({ aws, running }, cluster, address, to);
        if (!("dropped" in reached)) return undefined;
        drops.push(`dial tcp ${to}:${ETCD_PORT}: i/o timeout (${reached.dropped})`);
    }
    return drops.join("; ") || undefined;
}

/** The cluster whose etcd a connection from an address in a cluster's VPC reaches, by the path that the simulated AWS computes. */
export function reach(
    { aws, running }: Pick<Surroundings, "aws" | "running">,
    { account, region, vpcId }: RunningCluster,
    source: string,
    to: string,
): RunningCluster | { dropped: string } {
    const target = running().find((other) => aws.edit(other, (scope) => interfaceAt(scope, other.vpcId, to)) !== undefined);
    if (!target) return { dropped: `no cluster has an interface with the address ${to}` };
    const path = aws.edit(ANYWHERE, (scope) =>
        pathBetween(
            scope,
            { account, region, vpcId, address: source },
            { ...target, address: to },
            { protocol: "tcp", port: ETCD_PORT },
            findBalancerTargets,
        ),
    );
    return path.open ? target : { dropped: path.summary };
}

async function agentView(cluster: RunningCluster, namespace: string, name: string): Promise<AgentView> {
    const core = cluster.config.makeApiClient(CoreV1Api);
    const pod = await core.readNamespacedPod({ name, namespace });
    const [node, clustermesh, kvstoremesh] = await Promise.all([
        core.readNode({ name: pod.spec?.nodeName ?? "" }),
        secretFiles(cluster.config, "cilium-clustermesh"),
        secretFiles(cluster.config, "cilium-kvstoremesh"),
    ]);
    return {
        cluster: cluster.name,
        address: node.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
        clustermesh,
        kvstoremesh,
        hostAliases: (pod.spec?.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
    };
}

/** The network, seen from a cluster's VPC, and the etcds in it. For agents whose answers are computed. */
function worldOf(from: RunningCluster, surroundings: Surroundings): World {
    return {
        async dial(source, to) {
            const target = reach(surroundings, from, source, to);
            if ("dropped" in target) return target;
            if (!(await hasEtcd(target.config))) return { dropped: `clustermesh-apiserver of ${target.name} has no ready replica` };
            const { "tls.crt": certificate = "", "ca.crt": clientCa = "" } = await secretFiles(target.config, SERVER_CERTIFICATE);
            return { cluster: target.name, certificate, clientCa };
        },
    };
}

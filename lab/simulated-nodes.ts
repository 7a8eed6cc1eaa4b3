import { CoreV1Api } from "@kubernetes/client-node";
import type { SimulatedAws } from "./aws/aws.ts";
import { behindBalancers } from "./aws/elb-path.ts";
import type { Place } from "./aws/memory.ts";
import { interfaceAt, pathBetween } from "./aws/path.ts";
import { hasEtcd, type RunningCluster, secretFiles } from "./clusters.ts";
import type { ExecHandler } from "./kubelet.ts";
import { type AgentView, simulatedAgentStatus, type World } from "./simulated-agent.ts";

const ANYWHERE: Place = { account: "", region: "" };
const SERVER_CERTIFICATE = "clustermesh-apiserver-server-cert";

export interface Surroundings {
    aws: SimulatedAws;
    running: () => RunningCluster[];
}

/** Answers `kubectl exec` in the pods of a cluster: an agent tells its status, and no other command is known. */
export function agentExec(cluster: RunningCluster, surroundings: Surroundings): ExecHandler {
    return async ({ namespace, pod, container, command }) => {
        if (container !== "cilium-agent" || command.join(" ") !== "cilium-dbg status -o json") {
            return {
                stderr: `the lab's simulated nodes answer cilium-dbg status -o json alone, not ${command.join(" ")}\n`,
                exitCode: 127,
            };
        }
        const view = await agentView(cluster, namespace, pod);
        return { stdout: await simulatedAgentStatus(view, worldOf(cluster, surroundings)) };
    };
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

/** The network as the simulated AWS computes it, from a cluster's VPC, and the etcds in it. */
function worldOf(from: RunningCluster, { aws, running }: Surroundings): World {
    return {
        async dial(source, to, port) {
            const target = running().find((other) => aws.edit(other, (scope) => interfaceAt(scope, other.vpcId, to)) !== undefined);
            if (!target) return { dropped: `no cluster has anything at ${to}` };
            const { account, region, vpcId } = from;
            const path = aws.edit(ANYWHERE, (scope) =>
                pathBetween(
                    scope,
                    { account, region, vpcId, address: source },
                    { ...target, address: to },
                    { protocol: "tcp", port },
                    behindBalancers,
                ),
            );
            if (!path.open) return { dropped: path.said };
            if (!(await hasEtcd(target.config))) return { dropped: `clustermesh-apiserver of ${target.name} has no replica that is ready` };
            const { "tls.crt": certificate = "", "ca.crt": clientCa = "" } = await secretFiles(target.config, SERVER_CERTIFICATE);
            return { cluster: target.name, certificate, clientCa };
        },
    };
}

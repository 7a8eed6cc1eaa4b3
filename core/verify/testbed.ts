import type { KubernetesObject } from "@kubernetes/client-node";
import type { Agent, Agents, Clock } from "../gate.ts";
import type { MeshNode } from "./nodes.ts";
import type { Role, ServiceName } from "./objects.ts";
import type { Answer, Probe } from "./probe.ts";

/** A pod that verify created. */
export interface TestPod {
    cluster: string;
    role: Role;
    name: string;
    node: string;
    /** Empty until the pod has an address; the same holds for `nodeAddress`. */
    address: string;
    nodeAddress: string;
    ready: boolean;
    /** Why the pod is not ready, as far as Kubernetes reports it. */
    waitsFor: string;
}

/** What verify needs from the mesh's clusters. Every method may throw; findings show the error's text as the reason. */
export interface Testbed {
    agents: Pick<Agents, "list" | "status">;
    /** Output of `cilium-dbg node list -o json`. */
    nodeList(agent: Agent): Promise<string>;
    /** Output of `cilium-dbg troubleshoot clustermesh <peer>`. */
    troubleshoot(agent: Agent, peer: string): Promise<string>;
    /** Nodes on which Cilium runs or should run. */
    nodes(cluster: string): Promise<MeshNode[]>;
    /** Creates the namespace of this run. Fails if it already exists, because it belongs to someone else then. */
    createNamespace(cluster: string): Promise<void>;
    /** Creates or updates an object in the namespace. */
    apply(cluster: string, object: KubernetesObject): Promise<void>;
    /** Pods in the namespace that are not being deleted. */
    pods(cluster: string): Promise<TestPod[]>;
    serviceAddress(cluster: string, service: ServiceName): Promise<string>;
    /** Warning events in the namespace. */
    warnings(cluster: string): Promise<string[]>;
    /** Sends requests from a pod. */
    probe(from: TestPod, probe: Probe): Promise<Answer[]>;
    /** Deletes the namespace if this run created it, and waits until it is gone. Works after an abort. */
    removeNamespace(cluster: string): Promise<void>;
    /**
     * Deletes namespaces of earlier runs that were killed.
     *
     * @returns their names
     */
    removeExpired(cluster: string): Promise<string[]>;
}

/** What all checks share. */
export interface VerifyContext {
    testbed: Testbed;
    clusters: readonly string[];
    clock: Clock;
    /** Port of test pods and services. */
    port: number;
    /** Seconds that the mesh has to reach the expected state: to synchronize, to enforce a policy, to fail over. */
    settleSeconds: number;
}

/** Commands and requests that run in parallel, over all clusters. */
export const MAX_PARALLEL = 16;

const POLL_MILLISECONDS = 1000;

/**
 * Polls until the result is as expected or the time is up.
 *
 * @param deadline in the clock's milliseconds
 * @returns the last result
 */
export async function settle<T>(clock: Clock, deadline: number, fetch: () => Promise<T>, isExpected: (result: T) => boolean): Promise<T> {
    for (;;) {
        const result = await fetch();
        if (isExpected(result) || clock.now() >= deadline) return result;
        await clock.sleep(POLL_MILLISECONDS);
    }
}

/** When something that starts now must have settled. */
export function deadline({ clock, settleSeconds }: VerifyContext): number {
    return clock.now() + settleSeconds * 1000;
}

/** "in c1: kubectl -n kube-system exec <pod> -c cilium-agent -- <command>" */
export function agentCommand(agent: Pick<Agent, "cluster" | "pod">, command: string): string {
    return `in ${agent.cluster}: kubectl -n kube-system exec ${agent.pod} -c cilium-agent -- ${command}`;
}

/** The same for the agent on a node; the reader's shell looks up the pod. */
export function nodeAgentCommand(cluster: string, node: string, command: string): string {
    const pod = `$(kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=${node} -o name)`;
    return agentCommand({ cluster, pod }, command);
}

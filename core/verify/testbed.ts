import type { KubernetesObject } from "@kubernetes/client-node";
import type { Agent, Agents, Clock } from "../gate.ts";
import type { Role, ServiceName } from "./objects.ts";
import type { Answer, Probe } from "./probe.ts";

/** A node on which test pods may run. */
export interface MeshNode {
    name: string;
    /** Availability zone; empty when the node tells none. */
    zone: string;
    /** Ready, and takes pods. */
    ready: boolean;
}

/** A pod that verify made. */
export interface TestPod {
    cluster: string;
    role: Role;
    name: string;
    node: string;
    /** Empty until it has one, likewise `nodeAddress`. */
    address: string;
    nodeAddress: string;
    ready: boolean;
    /** Why it is not ready, as far as Kubernetes says. */
    waitsFor: string;
}

/** What verify asks of the mesh's clusters. Everything may throw; the text of an error is shown as a reason. */
export interface Testbed {
    agents: Pick<Agents, "list" | "status">;
    /** Output of `cilium-dbg node list -o json`. */
    nodeList(agent: Agent): Promise<string>;
    /** Output of `cilium-dbg troubleshoot clustermesh <peer>`. */
    troubleshoot(agent: Agent, peer: string): Promise<string>;
    /** Nodes on which Cilium runs, or should. */
    nodes(cluster: string): Promise<MeshNode[]>;
    /** Makes the namespace of this run. Fails where it is already: it is somebody else's then. */
    createNamespace(cluster: string): Promise<void>;
    /** Makes an object of the namespace, or makes it so. */
    apply(cluster: string, object: KubernetesObject): Promise<void>;
    /** Pods of the namespace that are not being deleted. */
    pods(cluster: string): Promise<TestPod[]>;
    serviceAddress(cluster: string, service: ServiceName): Promise<string>;
    /** What Kubernetes warned of in the namespace. */
    warnings(cluster: string): Promise<string[]>;
    /** Sends requests from a pod. */
    probe(from: TestPod, probe: Probe): Promise<Answer[]>;
    /** Removes the namespace, if this run made it, and waits until it is gone. Works after an abort. */
    removeNamespace(cluster: string): Promise<void>;
    /** Removes namespaces of earlier runs that were killed. @returns their names */
    removeExpired(cluster: string): Promise<string[]>;
}

/** What all checks share. */
export interface Course {
    bed: Testbed;
    clusters: readonly string[];
    clock: Clock;
    /** Where test pods and services listen. */
    port: number;
    /** Seconds that the mesh is given to become what is asked of it: to synchronise, to enforce, to fail over. */
    settleSeconds: number;
}

/** Commands and requests that run at a time, over all clusters. */
export const MOST_AT_A_TIME = 16;

const LOOK_AGAIN_MILLISECONDS = 1000;

/** A look at something, until it is good or the time is over. @param deadline as the clock counts @returns the last look */
export async function settle<T>(clock: Clock, deadline: number, look: () => Promise<T>, good: (seen: T) => boolean): Promise<T> {
    for (;;) {
        const seen = await look();
        if (good(seen) || clock.now() >= deadline) return seen;
        await clock.sleep(LOOK_AGAIN_MILLISECONDS);
    }
}

/** When what starts now must have settled. */
export function deadline({ clock, settleSeconds }: Course): number {
    return clock.now() + settleSeconds * 1000;
}

/** "in c1: kubectl -n kube-system exec <pod> -c cilium-agent -- <command>" */
export function askAgent(agent: Pick<Agent, "cluster" | "pod">, command: string): string {
    return `in ${agent.cluster}: kubectl -n kube-system exec ${agent.pod} -c cilium-agent -- ${command}`;
}

/** The same for the agent of a node, which the reader's shell looks up. */
export function askAgentOf(cluster: string, node: string, command: string): string {
    const pod = `$(kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=${node} -o name)`;
    return askAgent({ cluster, pod }, command);
}

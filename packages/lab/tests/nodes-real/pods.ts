import { rm } from "node:fs/promises";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { CoreV1Api } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll } from "vitest";
import { nodePrograms } from "../../nodes-real/node-programs.ts";
import { until } from "../../process/until.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { BUILD_TIMEOUT, temporaryFolder } from "../harness.ts";
import { client, exec, isReady, type NodeCluster, nodeCluster, podIs } from "./harness.ts";

const WAIT = 60_000;
const NAMESPACE = "default";

/** Shell commands that wait for TERM. */
export const STAY = "trap 'exit 0' TERM; sleep 1000 & wait";

/** A container that runs a script with the machine's shell and tools. */
export function shell(script: string, more: Partial<V1Container> = {}): V1Container {
    return { name: "c", image: "busybox", command: ["/bin/sh", "-c", script], ...more };
}

/** Creates and inspects the pods of a test, each with a container named c. */
export function podTools(cluster: NodeCluster) {
    const core = client(cluster, CoreV1Api);
    const created: string[] = [];
    const log = (name: string, more: { container?: string; previous?: boolean; follow?: boolean } = {}) =>
        core.readNamespacedPodLog({ name, namespace: NAMESPACE, ...more });
    return {
        core,
        log,
        run(name: string, spec: V1PodSpec) {
            created.push(name);
            return core.createNamespacedPod({ namespace: NAMESPACE, body: { metadata: { name }, spec } });
        },
        /** Waits until the pod is ready. */
        running: (name: string) => podIs(cluster, name, isReady),
        exec: (pod: string, command: string[], input?: string) => exec(cluster, { pod }, command, input),
        logged: (name: string, wanted: (text: string) => boolean) =>
            until(
                async () => {
                    const text = await log(name);
                    return wanted(text) ? text : undefined;
                },
                WAIT,
                `pod ${name} has not logged the expected output`,
            ),
        gone: (name: string) =>
            until(
                async () => {
                    const { items } = await core.listNamespacedPod({ namespace: NAMESPACE, fieldSelector: `metadata.name=${name}` });
                    return items.length === 0 || undefined;
                },
                WAIT,
                `pod ${name} still exists`,
            ),
        /** Deletes the test's pods: the node's prefix has 13 addresses, and all tests together need more. */
        clear: () =>
            Promise.all(
                created
                    .splice(0)
                    .map((name) => core.deleteNamespacedPod({ name, namespace: NAMESPACE, gracePeriodSeconds: 0 }).catch(() => {})),
            ),
    };
}
type Pods = ReturnType<typeof podTools>;

/**
 * Starts a cluster without Cilium for the tests of a file, and ends it after them.
 *
 * @param started is called with the cluster, which has no node yet
 */
export function withCluster(started: (folder: string, cluster: NodeCluster, pods: Pods) => Promise<void>): void {
    let folder: string;
    let cluster: NodeCluster;
    let pods: Pods;
    beforeAll(async () => {
        folder = await temporaryFolder();
        const datapath = await tryDatapath({ log: console.log });
        if (!datapath.programs) throw new Error(datapath.why);
        const programs = await nodePrograms(datapath.programs, { log: console.log }, ["agnhost", "kube-proxy"]);
        cluster = await nodeCluster(folder, programs, { backOffMilliseconds: 500 });
        pods = podTools(cluster);
        await started(folder, cluster, pods);
    }, BUILD_TIMEOUT);
    afterEach(() => pods.clear());
    afterAll(async () => {
        await cluster?.stop();
        if (folder) await rm(folder, { recursive: true, force: true });
    });
}

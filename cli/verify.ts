import { randomInt } from "node:crypto";
import { type Clock, machineClock } from "../core/gate.ts";
import { DEFAULT_IMAGE } from "../core/verify/objects.ts";
import { PARTS, type Part, type VerifyReport } from "../core/verify/report.ts";
import { VerifyRun } from "../core/verify/run.ts";
import type { Testbed } from "../core/verify/testbed.ts";
import { KubernetesTestbed } from "../kubernetes/testbed.ts";

export interface VerifyOptions {
    /** Parts to run; `["agents"]` creates nothing in the clusters. Default: all. */
    only?: readonly Part[];
    /** Image of the test pods: agnhost, with a shell and curl. Default: the Kubernetes project's image from its registry. */
    image?: string;
    /** Port of the test pods, which the mesh's `ingress` must admit. Default: 8080. */
    port?: number;
    /** Nodes of each cluster on which test pods run, from every zone in turn. Default: 3. */
    nodesPerCluster?: number;
    /** Seconds within which the test pods must be ready, including the image pull. Default: 180. */
    startSeconds?: number;
    /** Seconds that the mesh has to synchronize, to enforce a policy, to fail over. Default: 60. */
    settleSeconds?: number;
    /** Seconds that the removal of the test pods may take. Default: 120. */
    removeSeconds?: number;
    /** Once aborted, no further check starts, everything that was created is removed, and the abort's reason is thrown. */
    signal?: AbortSignal;
    /** Progress, one line per step. */
    log?: (line: string) => void;
}

/** Longer than any run takes, whatever fails: an older namespace was left behind by a killed run. */
const EXPIRY_HOURS = 6;

/**
 * Verifies one mesh through the API servers of its clusters alone, and reports which agents, nodes, pairs or services fail and why. Failed checks are in the
 * report, not thrown; `allPassed` judges it.
 *
 * Creates a namespace in every cluster, with a pod on `nodesPerCluster` nodes, a backend and two services. The namespace is removed at the end, whatever
 * happens. Cost with c clusters, n nodes in all and k = `nodesPerCluster`: commands run in containers are 2n for the agents, ck(c-1) for the pairs, 3c² for the
 * policy and 5ck or more for the services (each retry costs one more); 16 run in parallel. None grows with the square of the nodes.
 *
 * @param kubeconfigs of the mesh's clusters, by Cilium's cluster name; they need permission to create namespaces, to run commands in pods, and to read nodes
 * @throws the abort's reason; Error when a kubeconfig cannot be read or there are fewer than two
 */
export async function verify(kubeconfigs: Record<string, string>, options: VerifyOptions = {}): Promise<VerifyReport> {
    const { signal, removeSeconds = 120 } = options;
    const namespace = `clustermesh-verify-${randomInt(36 ** 6)
        .toString(36)
        .padStart(6, "0")}`;
    const expires = new Date(Date.now() + EXPIRY_HOURS * 3_600_000);
    const testbed = new KubernetesTestbed({ kubeconfigs, namespace, expires, removeSeconds, signal });
    return verifyMesh(testbed, Object.keys(kubeconfigs), namespace, options, machineClock(signal));
}

/**
 * The same over any testbed.
 *
 * @param namespace of the test pods
 * @param clock its `sleep` rejects after an abort
 */
export async function verifyMesh(
    testbed: Testbed,
    clusters: readonly string[],
    namespace: string,
    options: VerifyOptions,
    clock: Clock,
): Promise<VerifyReport> {
    if (clusters.length < 2) throw new Error(`verify needs a mesh of at least two clusters; got ${clusters.length}`);
    // Defaults also apply to an option that is set to undefined.
    const { only = PARTS, image = DEFAULT_IMAGE, port = 8080, nodesPerCluster = 3, startSeconds = 180, settleSeconds = 60 } = options;
    const { log = () => {}, signal } = options;
    const pods = { namespace, image, port, nodesPerCluster, startSeconds };
    return new VerifyRun({ testbed, clusters, clock, port, settleSeconds }, { only, pods, log, signal }).run();
}

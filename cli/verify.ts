import { randomInt } from "node:crypto";
import { type Clock, machineClock } from "../core/gate.ts";
import { explain } from "../core/text/explain.ts";
import { checkAgents } from "../core/verify/agents.ts";
import { DEFAULT_IMAGE } from "../core/verify/objects.ts";
import { checkPairs } from "../core/verify/pairs.ts";
import { type PodSettings, startPods } from "../core/verify/pods.ts";
import { checkPolicy } from "../core/verify/policy.ts";
import { CHECKS, type Check, type CheckId, type Finding, PARTS, type Part, tally, type VerifyReport } from "../core/verify/report.ts";
import { checkFailover, checkServices } from "../core/verify/services.ts";
import type { Course, Testbed } from "../core/verify/testbed.ts";
import { kubernetesTestbed } from "../kubernetes/testbed.ts";

export interface VerifyOptions {
    /** What to do; `["agents"]` makes nothing in the clusters. Default: everything. */
    only?: readonly Part[];
    /** Image of the test pods: agnhost, with a shell and curl. Default: the Kubernetes project's, from its registry. */
    image?: string;
    /** Where the test pods listen, and what the mesh's `ingress` must admit. Default 8080. */
    port?: number;
    /** Nodes of each cluster on which test pods run, of every zone in turn. Default 3. */
    nodesPerCluster?: number;
    /** Seconds until the test pods must be ready; the image may have to be pulled. Default 180. */
    startSeconds?: number;
    /** Seconds that the mesh is given to synchronise, to enforce a policy, to fail over. Default 60. */
    settleSeconds?: number;
    /** Seconds that the test pods are given to go. Default 120. */
    removeSeconds?: number;
    /** Once aborted: nothing further is tried, what was made is removed, and the abort's reason is thrown. */
    signal?: AbortSignal;
    /** Progress, a line for each step. */
    log?: (line: string) => void;
}

type Settings = Required<Omit<VerifyOptions, "signal">> & Pick<VerifyOptions, "signal">;

/** No run takes that long, however much fails: by then the namespace was left by one that was killed. */
const EXPIRY_HOURS = 6;

/**
 * Proves a mesh through its clusters' API servers alone, or says which agents, nodes, pairs or services fail and why. What fails is in the report, not
 * thrown; `allPassed` judges it.
 *
 * What it makes: in every cluster a namespace of its own, with a pod on `nodesPerCluster` nodes, a backend and two services. It is removed at the end,
 * whatever happens. What it costs, with c clusters, n nodes in all and k = `nodesPerCluster`: commands run in containers are 2n for the agents, ck(c-1)
 * for the pairs, 3c² for the policy and 5ck or more for the services (each look again at what is not yet as it should be costs one more); 16 run at a
 * time. None grows with the square of the nodes.
 *
 * @param kubeconfigs by the cluster's name, as Cilium knows it; they need the rights to make namespaces, to run commands in pods, and to read nodes
 * @throws the abort's reason, and Error when a kubeconfig cannot be read or there are fewer than two
 */
export async function verify(kubeconfigs: Record<string, string>, options: VerifyOptions = {}): Promise<VerifyReport> {
    const { signal, removeSeconds = 120 } = options;
    const namespace = `clustermesh-verify-${randomInt(36 ** 6)
        .toString(36)
        .padStart(6, "0")}`;
    const expires = new Date(Date.now() + EXPIRY_HOURS * 3_600_000);
    const bed = kubernetesTestbed({ kubeconfigs, namespace, expires, removeSeconds, signal });
    return verifyMesh(bed, Object.keys(kubeconfigs), namespace, options, machineClock(signal));
}

/** The same over any testbed. @param namespace of the test pods @param clock its `sleep` rejects after an abort */
export async function verifyMesh(
    bed: Testbed,
    clusters: readonly string[],
    namespace: string,
    options: VerifyOptions,
    clock: Clock,
): Promise<VerifyReport> {
    if (clusters.length < 2) throw new Error(`a mesh has two clusters or more, not ${clusters.length}: nothing to verify`);
    const settings = withDefaults(options);
    const course: Course = { bed, clusters, clock, port: settings.port, settleSeconds: settings.settleSeconds };
    const start = clock.now();
    const checks: Check[] = [];
    const facts: Pick<VerifyReport, "readiness" | "nodeLists" | "pairs" | "services"> = {
        readiness: [],
        nodeLists: [],
        pairs: [],
        services: [],
    };

    const wants = (part: Part) => settings.only.includes(part);
    if (settings.only.every((part) => part === "agents")) await askAgents();
    else {
        try {
            await tryAll({ ...settings, namespace });
        } finally {
            record("cleanup", clock.now(), await cleanUp());
        }
    }
    const seconds = elapsed(start);
    return { version: 1, startedAt: new Date(start).toISOString(), seconds, clusters: [...clusters], checks, ...facts };

    async function askAgents(): Promise<void> {
        const since = clock.now();
        const { agents, nodes, readiness, nodeLists } = await checkAgents(course);
        Object.assign(facts, { readiness, nodeLists });
        record("agents", since, agents);
        record("nodes", since, nodes);
        settings.signal?.throwIfAborted();
    }

    async function tryAll(pods: PodSettings): Promise<void> {
        await sweep();
        const since = clock.now();
        // All of both is let end before an error goes on: a namespace that is still being made could not be removed.
        const [asked, starting] = await Promise.allSettled([wants("agents") ? askAgents() : undefined, startPods(course, pods)]);
        if (asked.status === "rejected") throw asked.reason;
        if (starting.status === "rejected") throw starting.reason;
        const { findings, started } = starting.value;
        record("pods", since, findings);

        await step("pairs", async (begun) => {
            const { pairs, small, large } = await checkPairs(course, started);
            facts.pairs = pairs;
            record("pairs", begun, small);
            record("large", begun, large);
        });
        await step("services", async (begun) => {
            const { services, global, affinity } = await checkServices(course, started);
            facts.services = services;
            record("global", begun, global);
            record("affinity", begun, affinity);
        });
        await step("failover", async (begun) => record("failover", begun, await checkFailover(course, started)));
        // Last, since it leaves its policy on the backends.
        await step("policy", async (begun) => record("policy", begun, await checkPolicy(course, started)));
    }

    async function step(part: Part, run: (begun: number) => Promise<void>): Promise<void> {
        settings.signal?.throwIfAborted();
        if (!wants(part)) return;
        await run(clock.now());
        settings.signal?.throwIfAborted();
    }

    /** What cannot be removed now is no fault of this mesh. */
    async function sweep(): Promise<void> {
        const told = (cluster: string) => (names: string[]) => {
            for (const name of names) settings.log(`${cluster}: removed ${name}, left by an earlier run`);
        };
        await Promise.all(clusters.map((cluster) => bed.removeExpired(cluster).then(told(cluster), () => {})));
    }

    function cleanUp(): Promise<Finding[]> {
        return Promise.all(
            clusters.map(async (cluster): Promise<Finding> => {
                const about = { subject: cluster, tried: `namespace ${namespace} is removed` };
                try {
                    await bed.removeNamespace(cluster);
                    return { ...about, outcome: "passed" };
                } catch (error) {
                    return {
                        ...about,
                        outcome: "failed",
                        why: explain(error),
                        next: `in ${cluster}: kubectl delete namespace ${namespace}`,
                    };
                }
            }),
        );
    }

    function record(id: CheckId, since: number, findings: Finding[]): void {
        checks.push({ id, title: CHECKS[id], seconds: elapsed(since), findings });
        const { passed, failed, skipped } = tally(findings);
        const rest = [...(failed > 0 ? [`${failed} failed`] : []), ...(skipped > 0 ? [`${skipped} skipped`] : [])];
        settings.log(`${Math.round(elapsed(start))} s  ${CHECKS[id]}: ${[`${passed} of ${findings.length}`, ...rest].join(", ")}`);
        const first = findings.find(({ outcome }) => outcome === "failed");
        if (first) settings.log(`      ${first.subject}: ${first.why}`);
    }

    function elapsed(since: number): number {
        return (clock.now() - since) / 1000;
    }
}

/** An option that is there but undefined is one that is not given. */
function withDefaults({
    only = PARTS,
    image = DEFAULT_IMAGE,
    port = 8080,
    nodesPerCluster = 3,
    startSeconds = 180,
    settleSeconds = 60,
    removeSeconds = 120,
    log = () => {},
    signal,
}: VerifyOptions): Settings {
    return { only, image, port, nodesPerCluster, startSeconds, settleSeconds, removeSeconds, log, ...(signal && { signal }) };
}

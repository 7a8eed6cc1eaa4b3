import { explain } from "../text/explain.ts";
import { backend, probes, sampleNodes, service, type TestPods } from "./objects.ts";
import type { Finding } from "./report.ts";
import { type Course, settle, type TestPod } from "./testbed.ts";

export interface PodSettings extends Omit<TestPods, "nodes"> {
    /** Nodes of a cluster on which test pods run. */
    nodesPerCluster: number;
    /** Seconds until the pods must be ready. */
    startSeconds: number;
}

/** A cluster's test pods that are ready, and its share of the services. */
export interface Started {
    cluster: string;
    pods: TestPods;
    probes: TestPod[];
    /** Addresses of the services, `address:port`. */
    global: string;
    local: string;
}

/** Starts the test pods of every cluster and waits for them. Clusters where they do not start are told and left out. */
export async function startPods(course: Course, settings: PodSettings): Promise<{ findings: Finding[]; started: Started[] }> {
    const results = await Promise.all(course.clusters.map((cluster) => startIn(course, cluster, settings)));
    return { findings: results.flatMap(({ findings }) => findings), started: results.flatMap(({ started }) => started ?? []) };
}

async function startIn(
    course: Course,
    cluster: string,
    { nodesPerCluster, startSeconds, ...common }: PodSettings,
): Promise<{ findings: Finding[]; started?: Started }> {
    const { bed, clock, port } = course;
    const tried = `pods of ${common.image} become ready within ${startSeconds} s`;
    const failed = (subject: string, why: string, next?: string): Finding => ({
        subject,
        tried,
        outcome: "failed",
        why,
        ...(next ? { next } : {}),
    });
    const until = clock.now() + startSeconds * 1000;
    try {
        const nodes = sampleNodes(await bed.nodes(cluster), nodesPerCluster);
        if (nodes.length === 0)
            return { findings: [failed(cluster, "no node is ready and takes pods", `in ${cluster}: kubectl get nodes`)] };
        const pods = { ...common, nodes };
        await bed.createNamespace(cluster);
        for (const object of [service("global", pods), service("global-local", pods), backend(cluster, 1, pods), probes(pods)])
            await bed.apply(cluster, object);

        const seen = await settle(
            clock,
            until,
            () => bed.pods(cluster),
            (all) => wanted(all, nodes).every(({ pod }) => pod?.ready),
        );
        const slots = wanted(seen, nodes);
        const warnings = slots.every(({ pod }) => pod?.ready) ? [] : await bed.warnings(cluster);
        const findings = slots.map(({ where, pod }): Finding => {
            const subject = `${cluster}/${where}`;
            if (pod?.ready) return { subject, tried, outcome: "passed" };
            const why = [pod ? pod.waitsFor : "the pod was not made", ...warnings.slice(-2)].join("; ");
            return failed(
                subject,
                why,
                `in ${cluster}: kubectl get events -A --field-selector type=Warning; an image of your own registry: --image`,
            );
        });
        const ready = slots.flatMap(({ pod }) => (pod?.ready && pod.role === "probe" ? [pod] : []));
        if (ready.length === 0) return { findings };
        const [global, local] = await Promise.all([bed.serviceAddress(cluster, "global"), bed.serviceAddress(cluster, "global-local")]);
        return { findings, started: { cluster, pods, probes: ready, global: `${global}:${port}`, local: `${local}:${port}` } };
    } catch (error) {
        return { findings: [failed(cluster, explain(error))] };
    }
}

/** The pods that there should be: one on each node, and a backend. */
function wanted(pods: readonly TestPod[], nodes: readonly string[]): { where: string; pod: TestPod | undefined }[] {
    return [
        ...nodes.map((node) => ({ where: node, pod: pods.find((pod) => pod.role === "probe" && pod.node === node) })),
        { where: "backend", pod: pods.find(({ role }) => role === "backend") },
    ];
}

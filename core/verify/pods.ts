import { explain } from "../text/explain.ts";
import { sampleNodes } from "./nodes.ts";
import { backend, probes, service, type TestPods } from "./objects.ts";
import type { Finding } from "./report.ts";
import { settle, type TestPod, type VerifyContext } from "./testbed.ts";

export interface PodSettings extends Omit<TestPods, "nodes"> {
    /** Nodes of each cluster on which test pods run. */
    nodesPerCluster: number;
    /** Seconds within which the pods must be ready. */
    startSeconds: number;
}

/** A cluster whose test pods run: its ready pods and its services. */
export interface StartedCluster {
    cluster: string;
    pods: TestPods;
    probes: TestPod[];
    /** Addresses of the services, `address:port`. */
    global: string;
    local: string;
}

interface Started {
    findings: Finding[];
    started?: StartedCluster;
}

/** A pod that verify expects: one on each chosen node, and a backend. */
interface ExpectedPod {
    place: string;
    pod: TestPod | undefined;
}

/** Starts the test pods of every cluster and waits for them. Clusters where they do not start are in the findings only. */
export async function startPods(
    context: VerifyContext,
    settings: PodSettings,
): Promise<{ findings: Finding[]; started: StartedCluster[] }> {
    const results = await Promise.all(context.clusters.map((cluster) => startIn(context, cluster, settings)));
    return { findings: results.flatMap(({ findings }) => findings), started: results.flatMap(({ started }) => started ?? []) };
}

async function startIn(context: VerifyContext, cluster: string, settings: PodSettings): Promise<Started> {
    const { testbed, clock, port } = context;
    const { nodesPerCluster, startSeconds, ...podSettings } = settings;
    const until = clock.now() + startSeconds * 1000;
    try {
        const nodes = sampleNodes(await testbed.nodes(cluster), nodesPerCluster);
        if (nodes.length === 0)
            return { findings: [failed(settings, cluster, "no node is ready and schedulable", `in ${cluster}: kubectl get nodes`)] };
        const pods = { ...podSettings, nodes };
        await createObjects(context, cluster, pods);

        const found = await settle(
            clock,
            until,
            () => testbed.pods(cluster),
            (all) => expectedPods(all, nodes).every(({ pod }) => pod?.ready),
        );
        const expected = expectedPods(found, nodes);
        const warnings = expected.every(({ pod }) => pod?.ready) ? [] : await testbed.warnings(cluster);
        const findings = expected.map((slot) => podFinding(settings, cluster, slot, warnings));
        const ready = expected.flatMap(({ pod }) => (pod?.ready && pod.role === "probe" ? [pod] : []));
        if (ready.length === 0) return { findings };
        const [global, local] = await Promise.all([
            testbed.serviceAddress(cluster, "global"),
            testbed.serviceAddress(cluster, "global-local"),
        ]);
        return { findings, started: { cluster, pods, probes: ready, global: `${global}:${port}`, local: `${local}:${port}` } };
    } catch (error) {
        return { findings: [failed(settings, cluster, explain(error))] };
    }
}

async function createObjects({ testbed }: VerifyContext, cluster: string, pods: TestPods): Promise<void> {
    await testbed.createNamespace(cluster);
    for (const object of [service("global", pods), service("global-local", pods), backend(cluster, 1, pods), probes(pods)])
        await testbed.apply(cluster, object);
}

function podFinding(settings: PodSettings, cluster: string, { place, pod }: ExpectedPod, warnings: readonly string[]): Finding {
    const subject = `${cluster}/${place}`;
    if (pod?.ready) return { subject, tried: tried(settings), outcome: "passed" };
    return failed(
        settings,
        subject,
        [pod ? pod.waitsFor : "the pod was not created", ...warnings.slice(-2)].join("; "),
        `in ${cluster}: kubectl get events -A --field-selector type=Warning; to use an image in your own registry: npx clustermesh verify --image <image>`,
    );
}

function failed(settings: PodSettings, subject: string, why: string, next?: string): Finding {
    return { subject, tried: tried(settings), outcome: "failed", why, ...(next ? { next } : {}) };
}

function tried({ image, startSeconds }: PodSettings): string {
    return `pods with image ${image} become ready within ${startSeconds} s`;
}

function expectedPods(pods: readonly TestPod[], nodes: readonly string[]): ExpectedPod[] {
    return [
        ...nodes.map((node) => ({ place: node, pod: pods.find((pod) => pod.role === "probe" && pod.node === node) })),
        { place: "backend", pod: pods.find(({ role }) => role === "backend") },
    ];
}

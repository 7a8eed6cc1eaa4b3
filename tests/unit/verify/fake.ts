import type { V1DaemonSet, V1Deployment } from "@kubernetes/client-node";
import { type VerifyOptions, verifyMesh } from "../../../cli/verify.ts";
import type { CiliumNetworkPolicy, ServiceName } from "../../../core/verify/objects.ts";
import type { Answer, Exchange, Probe } from "../../../core/verify/probe.ts";
import type { CheckId, VerifyReport } from "../../../core/verify/report.ts";
import type { Testbed, TestPod } from "../../../core/verify/testbed.ts";

export const NAMESPACE = "clustermesh-verify-000000";
const OK: Exchange = { exit: 0, status: 200, body: "", error: "", connected: true, milliseconds: 0.4, received: 0 };
export const TIMED_OUT: Exchange = { ...OK, exit: 28, status: 0, error: "timed out", connected: false };

/** What is wrong in the fake mesh. `seconds`: since the start, so that things can come late. */
export interface Faults {
    route?(client: TestPod, server: TestPod): Exchange | undefined;
    source?(client: TestPod, server: TestPod): string;
    large?(client: TestPod, server: TestPod): Exchange | undefined;
    /** The cluster to which the server assigns the client. "unenforced": no policy is enforced. "silent": the probe prints nothing. */
    identity?(client: TestPod, server: TestPod, seconds: number): string | "unenforced" | "silent";
    /** Clusters whose backends the client's cluster uses, instead of those that run. */
    service?(client: TestPod, service: ServiceName, running: string[], seconds: number): string[] | undefined;
    status?(cluster: string, node: string, seconds: number): string;
    nodeList?(cluster: string, node: string, seconds: number): string;
    /** Output of `cilium-dbg troubleshoot clustermesh`. */
    trouble?(cluster: string, node: string, peer: string): string;
    nodes?(cluster: string): string[];
    agents?(cluster: string): string[];
    /** Why a pod does not become ready. */
    stuck?(cluster: string, role: string): string | undefined;
    warnings?: string[];
    /** Error message that a call throws. */
    fails?(call: keyof Testbed | "agents", cluster: string, kind?: string): string | undefined;
    /** A call, or a call with the kind of its object: "apply Service". */
    abortAt?: string;
}

export const remote = (name: string) => ({
    name,
    ready: true,
    connected: true,
    config: { required: true, retrieved: true },
    synced: { nodes: true, endpoints: true, identities: true, services: true },
});

/** Clusters c1, c2, ... of two nodes, as verify sees them: the objects that it applies decide what its requests get. The clock advances only by waiting. */
export function fakeMesh(count: number, faults: Faults = {}) {
    const clusters = Array.from({ length: count }, (_, i) => `c${i + 1}`);
    const nodesOf = (cluster: string) => faults.nodes?.(cluster) ?? ["n1", "n2"];
    const state = new Map(
        clusters.map((name) => [name, { nodes: [] as string[], replicas: 0, generation: 0, admitted: undefined as string[] | undefined }]),
    );
    const namespaces = new Set<string>();
    const lines: string[] = [];
    const calls: string[] = [];
    const abort = new AbortController();
    let now = 0;

    const stateOf = (cluster: string) => {
        const found = state.get(cluster);
        if (!found) throw new Error(`unknown cluster ${cluster}`);
        return found;
    };
    const index = (cluster: string) => clusters.indexOf(cluster) + 1;
    const nodeAddress = (cluster: string, node: string) => `10.${index(cluster)}.0.${node.slice(1)}`;
    const pod = (cluster: string, role: "probe" | "backend", node: string): TestPod => {
        const stuck = faults.stuck?.(cluster, role);
        const generation = role === "probe" ? 0 : stateOf(cluster).generation;
        return {
            cluster,
            role,
            node,
            name: role === "probe" ? `probe-${node}` : `backend-${cluster}-5d8f9-x${generation}`,
            address: `10.${index(cluster)}.${role === "probe" ? 1 : 2 + generation}.${node.slice(1)}`,
            nodeAddress: nodeAddress(cluster, node),
            ready: stuck === undefined,
            waitsFor: stuck ?? "",
        };
    };
    const pods = (cluster: string) => [
        ...stateOf(cluster).nodes.map((node) => pod(cluster, "probe", node)),
        ...(stateOf(cluster).replicas > 0 ? [pod(cluster, "backend", "n1")] : []),
    ];
    const running = () => clusters.filter((cluster) => pods(cluster).some(({ role, ready }) => role === "backend" && ready));

    /** The result of one request to a pod. */
    const toPod = (client: TestPod, server: TestPod, { path }: Probe): Exchange => {
        const { admitted } = stateOf(server.cluster);
        const identity = faults.identity?.(client, server, now / 1000) ?? client.cluster;
        const dropped = server.role === "backend" && admitted && identity !== "unenforced" && !admitted.includes(identity);
        if (dropped) return TIMED_OUT;
        const lost = faults.route?.(client, server);
        const body = path === "/clientip" ? `${faults.source?.(client, server) ?? client.address}:40000` : server.name;
        return lost ?? { ...OK, body };
    };
    const toService = (client: TestPod, service: ServiceName, turn: number): Exchange => {
        const all = running();
        const own = service === "global-local" && all.includes(client.cluster);
        const known = faults.service?.(client, service, all, now / 1000) ?? (own ? [client.cluster] : all);
        const cluster = known[turn % known.length];
        return cluster ? { ...OK, body: pod(cluster, "backend", "n1").name } : { ...OK, exit: 7, status: 0, error: "Connection refused" };
    };

    async function called(call: keyof Testbed | "agents", cluster: string, kind?: string): Promise<void> {
        calls.push(`${call} ${cluster}`);
        if (faults.abortAt === call || faults.abortAt === `${call} ${kind}`) abort.abort(new Error("stopped by hand"));
        if (abort.signal.aborted && call !== "removeNamespace") throw abort.signal.reason;
        const error = faults.fails?.(call, cluster, kind);
        if (error) throw new Error(error);
    }

    const testbed: Testbed = {
        agents: {
            async list(cluster) {
                await called("agents", cluster);
                const running = (faults.agents?.(cluster) ?? nodesOf(cluster)).map((node) => ({
                    cluster,
                    node,
                    pod: `cilium-${node}`,
                    uid: node,
                }));
                return { running, expected: nodesOf(cluster).length };
            },
            async status({ cluster, node }) {
                const peers = clusters.filter((name) => name !== cluster).map(remote);
                return faults.status?.(cluster, node, now / 1000) ?? JSON.stringify({ "cluster-mesh": { clusters: peers } });
            },
        },
        async nodeList({ cluster, node }) {
            await called("nodeList", cluster);
            const all = clusters.flatMap((name) => nodesOf(name).map((listed) => ({ name: `${name}/${listed}`, source: "clustermesh" })));
            return faults.nodeList?.(cluster, node, now / 1000) ?? JSON.stringify(all);
        },
        async troubleshoot({ cluster, node }, peer) {
            await called("troubleshoot", cluster);
            return faults.trouble?.(cluster, node, peer) ?? "";
        },
        async nodes(cluster) {
            await called("nodes", cluster);
            return nodesOf(cluster).map((name) => ({ name, zone: name, ready: true }));
        },
        async createNamespace(cluster) {
            await called("createNamespace", cluster);
            namespaces.add(cluster);
        },
        async apply(cluster, object) {
            await called("apply", cluster, object.kind);
            if (!namespaces.has(cluster)) throw new Error("namespace not found");
            if (object.metadata?.namespace !== NAMESPACE) throw new Error("outside of the namespace");
            if (object.kind === "DaemonSet") stateOf(cluster).nodes = nodesOfPods(object as V1DaemonSet);
            if (object.kind === "Deployment") {
                const replicas = (object as V1Deployment).spec?.replicas ?? 0;
                if (replicas > stateOf(cluster).replicas) stateOf(cluster).generation += 1;
                stateOf(cluster).replicas = replicas;
            }
            if (object.kind === "CiliumNetworkPolicy") stateOf(cluster).admitted = admittedBy(object as CiliumNetworkPolicy);
        },
        async pods(cluster) {
            await called("pods", cluster);
            return pods(cluster);
        },
        async serviceAddress(cluster, service) {
            return `${service}.${cluster}`;
        },
        async warnings() {
            return faults.warnings ?? [];
        },
        async probe(client, probe) {
            await called("probe", client.cluster);
            return probe.targets.map((target): Answer => {
                const [host = ""] = target.split(":");
                const [service, cluster] = host.split(".", 2);
                if (service === "global" || service === "global-local") {
                    if (cluster !== client.cluster) throw new Error("a service's address works in its own cluster only");
                    const all = Array.from({ length: probe.times }, (_, turn) => toService(client, service, turn));
                    return { target, small: untilFailure(all) };
                }
                const server = clusters.flatMap(pods).find(({ address }) => address === host);
                if (!server) return { target, small: [TIMED_OUT] };
                if (stateOf(server.cluster).admitted && faults.identity?.(client, server, now / 1000) === "silent")
                    return { target, small: [] };
                const small = untilFailure(Array.from({ length: probe.times }, () => toPod(client, server, probe)));
                if (probe.largeBytes === 0 || small.some(({ exit }) => exit !== 0)) return { target, small };
                return { target, small, large: faults.large?.(client, server) ?? { ...OK, received: probe.largeBytes } };
            });
        },
        async removeNamespace(cluster) {
            await called("removeNamespace", cluster);
            namespaces.delete(cluster);
        },
        async removeExpired(cluster) {
            await called("removeExpired", cluster);
            return cluster === "c1" ? ["clustermesh-verify-old"] : [];
        },
    };

    const clock = {
        now: () => now,
        sleep: async (milliseconds: number) => {
            if (abort.signal.aborted) throw abort.signal.reason;
            now += milliseconds;
        },
    };
    return {
        run: (options: VerifyOptions = {}): Promise<VerifyReport> =>
            verifyMesh(testbed, clusters, NAMESPACE, { log: (line) => void lines.push(line), signal: abort.signal, ...options }, clock),
        lines,
        calls,
        namespaces,
    };
}

/** "c1/n1 → c2/n1: why" for each failure of a check. */
export function failures(report: VerifyReport, id: CheckId): string[] {
    const check = report.checks.find((check) => check.id === id);
    return (check?.findings ?? []).flatMap(({ subject, outcome, why }) => (outcome === "failed" ? [`${subject}: ${why}`] : []));
}

function untilFailure(exchanges: Exchange[]): Exchange[] {
    const failed = exchanges.findIndex(({ exit }) => exit !== 0);
    return failed < 0 ? exchanges : exchanges.slice(0, failed + 1);
}

function nodesOfPods({ spec }: V1DaemonSet): string[] {
    const terms = spec?.template.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
    return terms.flatMap(({ matchFields }) => matchFields?.flatMap(({ values }) => values ?? []) ?? []);
}

function admittedBy({ spec }: CiliumNetworkPolicy): string[] {
    return spec.ingress.flatMap(({ fromEndpoints }) =>
        fromEndpoints.flatMap(({ matchLabels }) => matchLabels["io.cilium.k8s.policy.cluster"] ?? []),
    );
}

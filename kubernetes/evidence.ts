import { AppsV1Api, CoreV1Api, VersionApi } from "@kubernetes/client-node";
import type { KubernetesEvidence } from "../core/doctor/evidence.ts";
import { fetchers } from "../core/doctor/fetch.ts";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { agentEvidence, type EvidenceRequest } from "./agent-evidence.ts";
import { WITH_AGENT } from "./agents.ts";
import type { Clients } from "./clients.ts";
import { orNull } from "./or-null.ts";
import { podEvidence } from "./pod-evidence.ts";
import { CERTIFICATE_SECRETS, secretEvidence } from "./secret-evidence.ts";

const NAMESPACE = "kube-system";
/** Keys of cilium-config that are gathered. The rest does not concern the mesh. */
const CONFIG_KEYS = [
    "cluster-id",
    "cluster-name",
    "cni-chaining-mode",
    "enable-identity-mark",
    "enable-ipv4-masquerade",
    "identity-allocation-mode",
    "max-connected-clusters",
    "mtu",
    "policy-default-local-cluster",
    "routing-mode",
];

/** Names of all nodes that have an agent or should have one. */
export async function nodeNames(clients: Clients, cluster: string): Promise<string[]> {
    const { items } = await clients.client(cluster, CoreV1Api).listNode({ labelSelector: WITH_AGENT });
    return items.map(({ metadata }) => metadata?.name ?? "");
}

/** Evidence from a cluster's API server and agents. A part that cannot be read holds the reason. */
export async function kubernetesEvidence(clients: Clients, request: EvidenceRequest): Promise<KubernetesEvidence> {
    const { name, wiring } = request.cluster;
    const core = clients.client(name, CoreV1Api);
    const apps = clients.client(name, AppsV1Api);
    const { fetch, fetchForDoctor } = fetchers(request.depth);

    // First and alone: it fetches the token that the other requests share, and fails early when the server does not answer.
    const version = await fetch(async () => (await clients.client(name, VersionApi).getCode()).gitVersion);
    if ("unknown" in version) return unreachableEvidence(version.unknown, wiring);
    const [config, daemonSet, agents, apiserver, vpcCni, pods, secrets] = await Promise.all([
        fetch(() => readConfig(core)),
        fetch(() => readDaemonSet(apps)),
        fetch(() => agentEvidence(clients, request)),
        fetch(() => readApiserver(core, apps)),
        fetchForDoctor(() => readVpcCni(apps)),
        fetchForDoctor(() => podEvidence(clients, name)),
        secretEvidence(clients, request),
    ]);
    return { version, config, daemonSet, agents, apiserver, vpcCni, pods, ...secrets };
}

/** Evidence of a cluster whose API server does not answer. */
export function unreachableEvidence(why: string, wiring: ClusterFacts["wiring"]): KubernetesEvidence {
    const unknown = { unknown: why };
    return {
        version: unknown,
        config: unknown,
        daemonSet: unknown,
        agents: unknown,
        apiserver: unknown,
        vpcCni: unknown,
        pods: unknown,
        material: Object.fromEntries(CERTIFICATE_SECRETS.map((name) => [name, unknown])),
        peers: unknown,
        ...(wiring === "kvstoremesh" && { cached: unknown }),
        remoteUsers: unknown,
    };
}

async function readConfig(core: CoreV1Api) {
    const { data = {} } = await core.readNamespacedConfigMap({ name: "cilium-config", namespace: NAMESPACE });
    return Object.fromEntries(Object.entries(data).filter(([key]) => CONFIG_KEYS.includes(key)));
}

async function readDaemonSet(apps: AppsV1Api) {
    const { spec, status } = await apps.readNamespacedDaemonSet({ name: "cilium", namespace: NAMESPACE });
    return {
        desired: status?.desiredNumberScheduled ?? 0,
        ready: status?.numberReady ?? 0,
        updated: status?.updatedNumberScheduled ?? 0,
        aliases: (spec?.template.spec?.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
    };
}

async function readVpcCni(apps: AppsV1Api) {
    const { spec } = await apps.readNamespacedDaemonSet({ name: "aws-node", namespace: NAMESPACE });
    const env = spec?.template.spec?.containers.find((container) => container.name === "aws-node")?.env ?? [];
    return Object.fromEntries(env.filter(({ name }) => /SNAT|MTU/.test(name)).map(({ name, value = "" }) => [name, value]));
}

async function readApiserver(core: CoreV1Api, apps: AppsV1Api) {
    const deployment = await orNull(apps.readNamespacedDeployment({ name: "clustermesh-apiserver", namespace: NAMESPACE }));
    if (!deployment) return null;
    const { items } = await core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "k8s-app=clustermesh-apiserver" });
    const waiting = items.flatMap(({ metadata, status }) =>
        [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
            .filter(({ ready, state }) => !ready && !state?.terminated)
            .map(({ name, state }) => `${metadata?.name}/${name} ${state?.waiting?.reason ?? "not ready"}`),
    );
    return {
        replicas: deployment.spec?.replicas ?? 1,
        ready: deployment.status?.readyReplicas ?? 0,
        containers: (deployment.spec?.template.spec?.containers ?? []).map(({ name }) => name),
        waiting,
    };
}

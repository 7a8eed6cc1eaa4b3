import type { KubernetesObject, V1DaemonSet, V1Deployment, V1Namespace, V1PodTemplateSpec, V1Service } from "@kubernetes/client-node";
import type { MeshNode } from "./testbed.ts";

/** Has all that the checks need: netexec (test/images/agnhost of Kubernetes 1.36), a shell and curl. */
export const DEFAULT_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";

/** Namespaces of verify carry it; no other one is ever touched. */
export const OWNER = { "app.kubernetes.io/managed-by": "clustermesh-verify" };
/** When a run must have ended, ISO 8601: what is still there later was left by one that was killed. */
export const EXPIRES = "clustermesh/expires";

export const ROLE = "clustermesh/role";
/** `probe`: clients, and servers by IP, one on each chosen node. `backend`: of the services, one in each cluster. */
export type Role = "probe" | "backend";
/** `global`: answered by all clusters alike. `global-local`: by the own one while it has backends. */
export type ServiceName = "global" | "global-local";

export interface TestPods {
    namespace: string;
    image: string;
    port: number;
    /** Names of the nodes to run on. */
    nodes: readonly string[];
}

/** CiliumNetworkPolicy, as far as it is used here. */
export interface CiliumNetworkPolicy extends KubernetesObject {
    spec: {
        endpointSelector: { matchLabels: Record<string, string> };
        ingress: { fromEndpoints: { matchLabels: Record<string, string> }[] }[];
    };
}

export function namespaceObject(name: string, expires: Date): V1Namespace {
    return {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: {
            name,
            labels: {
                ...OWNER,
                "pod-security.kubernetes.io/enforce": "restricted",
                // A sidecar would answer in the pods' place, from an address of its own choice.
                "istio-injection": "disabled",
            },
            annotations: { [EXPIRES]: expires.toISOString() },
        },
    };
}

/** Clients and servers on the chosen nodes. */
export function probes(pods: TestPods): V1DaemonSet {
    return {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name: "probe", namespace: pods.namespace },
        spec: { selector: { matchLabels: { [ROLE]: "probe" } }, template: template("probe", pods) },
    };
}

/** A cluster's share of the global services. Its pods' names tell the cluster, since an answer is a pod's name (`answeringCluster`). */
export function backend(cluster: string, replicas: 0 | 1, pods: TestPods): V1Deployment {
    return {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: `backend-${cluster}`, namespace: pods.namespace },
        spec: { replicas, selector: { matchLabels: { [ROLE]: "backend" } }, template: template("backend", pods) },
    };
}

/** The cluster whose backend has this name; undefined when it is no backend's. */
export function answeringCluster(podName: string): string | undefined {
    return /^backend-(.+)-[^-]+-[^-]+$/.exec(podName)?.[1];
}

export function service(name: ServiceName, { namespace, port }: Pick<TestPods, "namespace" | "port">): V1Service {
    return {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
            name,
            namespace,
            annotations: {
                "service.cilium.io/global": "true",
                ...(name === "global-local" ? { "service.cilium.io/affinity": "local" } : {}),
            },
        },
        spec: { selector: { [ROLE]: "backend" }, ports: [{ port, targetPort: port, protocol: "TCP" }] },
    };
}

/** Lets pods of these clusters' verify namespaces reach the backends, and nobody else's. */
export function admitOnly(clusters: readonly string[], namespace: string): CiliumNetworkPolicy {
    return {
        apiVersion: "cilium.io/v2",
        kind: "CiliumNetworkPolicy",
        metadata: { name: "backend", namespace },
        spec: {
            endpointSelector: { matchLabels: { [ROLE]: "backend" } },
            ingress: [{ fromEndpoints: clusters.map((cluster) => ({ matchLabels: { "io.cilium.k8s.policy.cluster": cluster } })) }],
        },
    };
}

/** Up to `count` ready nodes, of every zone in turn: route tables differ by zone. */
export function sampleNodes(nodes: readonly MeshNode[], count: number): string[] {
    const byZone = Map.groupBy(
        nodes.filter(({ ready }) => ready).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        ({ zone }) => zone,
    );
    const zones = [...byZone].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, inZone]) => inZone.map(({ name }) => name));
    const most = Math.max(0, ...zones.map(({ length }) => length));
    return Array.from({ length: most }, (_, turn) => zones.flatMap((names) => names.slice(turn, turn + 1)))
        .flat()
        .slice(0, count);
}

function template(role: Role, { image, port, nodes }: TestPods): V1PodTemplateSpec {
    const http = { httpGet: { path: "/readyz", port }, periodSeconds: 1 };
    return {
        metadata: { labels: { [ROLE]: role } },
        spec: {
            affinity: {
                nodeAffinity: {
                    requiredDuringSchedulingIgnoredDuringExecution: {
                        // The name itself, a term each: the hostname label may say something else, and a field takes one value only.
                        nodeSelectorTerms: nodes.map((name) => ({
                            matchFields: [{ key: "metadata.name", operator: "In", values: [name] }],
                        })),
                    },
                },
            },
            tolerations: [{ operator: "Exists" }],
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 1,
            securityContext: { runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
                {
                    name: "agnhost",
                    image,
                    args: ["netexec", `--http-port=${port}`],
                    ports: [{ containerPort: port, protocol: "TCP" }],
                    readinessProbe: http,
                    resources: { requests: { cpu: "10m", memory: "16Mi" } },
                    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
                },
            ],
        },
    };
}

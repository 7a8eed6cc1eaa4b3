import type { KubernetesObject, V1DaemonSet, V1Deployment, V1Namespace, V1PodTemplateSpec, V1Service } from "@kubernetes/client-node";

/** Has everything the checks need: netexec (test/images/agnhost of Kubernetes 1.36), a shell and curl. */
export const DEFAULT_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";

/** Label of verify's own namespaces. Verify never touches a namespace without it. */
export const OWNER = { "app.kubernetes.io/managed-by": "clustermesh-verify" };
/** Annotation: when the run must have ended, ISO 8601. A namespace that is older was left behind by a killed run. */
export const EXPIRES = "clustermesh/expires";

export const ROLE = "clustermesh/role";
/** `probe`: clients, and servers by IP, one on each chosen node. `backend`: serves the services, one in each cluster. */
export type Role = "probe" | "backend";
/** `global`: answered by all clusters alike. `global-local`: answered by the local cluster while it has backends. */
export type ServiceName = "global" | "global-local";

export interface TestPods {
    namespace: string;
    image: string;
    port: number;
    /** Names of the nodes on which the pods run. */
    nodes: readonly string[];
}

/** CiliumNetworkPolicy, only the fields that are used here. */
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
                // A sidecar would answer instead of the pod, and from another source address.
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

/** A cluster's backend of the global services. An answer is the pod's name, so the name contains the cluster (`answeringCluster`). */
export function backend(cluster: string, replicas: 0 | 1, pods: TestPods): V1Deployment {
    return {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: `backend-${cluster}`, namespace: pods.namespace },
        spec: { replicas, selector: { matchLabels: { [ROLE]: "backend" } }, template: template("backend", pods) },
    };
}

/** The cluster whose backend has this pod name; undefined when the name is not a backend's. */
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

/** Allows only pods in the verify namespaces of these clusters to reach the backends. */
export function allowOnly(clusters: readonly string[], namespace: string): CiliumNetworkPolicy {
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

function template(role: Role, { image, port, nodes }: TestPods): V1PodTemplateSpec {
    const http = { httpGet: { path: "/readyz", port }, periodSeconds: 1 };
    return {
        metadata: { labels: { [ROLE]: role } },
        spec: {
            affinity: {
                nodeAffinity: {
                    requiredDuringSchedulingIgnoredDuringExecution: {
                        // By metadata.name, since the hostname label may differ. One term per node: matchFields takes a single value.
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

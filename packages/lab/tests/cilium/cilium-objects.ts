import { testNode } from "../harness.ts";

export const NOT_READY = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NoExecute" };

/** The CiliumNode that the node's agent creates. */
export function ciliumNode(index: number) {
    const { name, internalIp } = testNode(index);
    return {
        apiVersion: "cilium.io/v2",
        kind: "CiliumNode",
        metadata: { name },
        spec: { addresses: [{ type: "InternalIP", ip: internalIp }], ipam: {} },
    };
}

export function agentPod(nodeName: string, name = "cilium-1") {
    const metadata = { name, namespace: "kube-system", labels: { "k8s-app": "cilium" } };
    return { ...pod(name, nodeName), metadata };
}

export function pod(name: string, nodeName: string) {
    return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default" },
        spec: { nodeName, hostNetwork: true, tolerations: [{ operator: "Exists" }], containers: [{ name: "one", image: "one" }] },
    };
}

/** The CiliumEndpoint that an agent creates for a pod. */
export function endpoint(name: string) {
    return {
        apiVersion: "cilium.io/v2",
        kind: "CiliumEndpoint",
        metadata: { name, namespace: "default" },
        status: {
            id: 7,
            identity: { id: 70000, labels: ["k8s:app=web"] },
            networking: { addressing: [{ ipv4: "10.0.101.7" }], node: "10.0.1.1" },
            state: "ready",
        },
    };
}

export const ENDPOINT_SLICE = {
    apiVersion: "cilium.io/v2alpha1",
    kind: "CiliumEndpointSlice",
    metadata: { name: "web" },
    namespace: "default",
    endpoints: [{ name: "web-2", id: 70000, networking: { addressing: [{ ipv4: "10.0.101.9" }], node: "10.0.1.1" }, encryption: {} }],
};

/** Objects of the agent and of Kubernetes for a pod behind a global service. */
export const MESHED = [
    {
        apiVersion: "cilium.io/v2",
        kind: "CiliumIdentity",
        metadata: { name: "70000", labels: { "io.kubernetes.pod.namespace": "default" } },
        "security-labels": { "k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "default", "k8s:io.cilium.k8s.policy.cluster": "east" },
    },
    endpoint("web-1"),
    {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace: "default", annotations: { "service.cilium.io/global": "true" } },
        spec: { ports: [{ name: "http", port: 80 }] },
    },
    {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
        addressType: "IPv4",
        ports: [{ name: "http", port: 80, protocol: "TCP" }],
        endpoints: [{ addresses: ["10.0.101.7"], conditions: { ready: true } }],
    },
];

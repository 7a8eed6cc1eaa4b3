import type { V1Node, V1Taint } from "@kubernetes/client-node";
import { DECLARED_FEATURES } from "./kubelet.ts";

/** Annotation that makes kwok simulate a node. kwok ignores nodes without it. */
export const SIMULATED_BY_KWOK = { "kwok.x-k8s.io/node": "fake" };

/** A node as it registers itself in Kubernetes, with the labels and taints of its EKS managed node group. */
export interface RegisteredNode {
    /** On EKS the private DNS name, `ip-10-0-1-5.eu-west-1.compute.internal`. */
    name: string;
    internalIp: string;
    nodeGroup: string;
    /** `eu-west-1a` */
    zone: string;
    region: string;
    instanceType: string;
    /** `aws:///<zone>/<instance id>` */
    providerId: string;
    labels?: Record<string, string>;
    taints?: readonly V1Taint[];
    /** The block of its pods' addresses. Without it kwok assigns addresses from 10.0.0.0/24, the same on every node. */
    podCidr?: string;
    /** Prefixes from which a node that runs its pods assigns their addresses. */
    podPrefixes?: readonly string[];
}

/**
 * The Node object.
 *
 * @param kubeletPort port on this machine to which the API server sends exec and logs requests
 * @param runtime what runs the node: `kwok` simulates it, `crun` runs its containers
 */
export function nodeObject(
    node: RegisteredNode,
    kubeletPort: number,
    kubernetesVersion: string,
    runtime: "kwok" | "crun" = "kwok",
): V1Node {
    const resources = { cpu: "4", memory: "16Gi", "ephemeral-storage": "50Gi", pods: "110" };
    return {
        apiVersion: "v1",
        kind: "Node",
        metadata: {
            name: node.name,
            ...(runtime === "kwok" && { annotations: SIMULATED_BY_KWOK }),
            labels: {
                "kubernetes.io/hostname": node.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": node.instanceType,
                "topology.kubernetes.io/region": node.region,
                "topology.kubernetes.io/zone": node.zone,
                "eks.amazonaws.com/nodegroup": node.nodeGroup,
                "eks.amazonaws.com/capacityType": "ON_DEMAND",
                ...node.labels,
            },
        },
        spec: {
            providerID: node.providerId,
            ...(node.podCidr ? { podCIDR: node.podCidr, podCIDRs: [node.podCidr] } : {}),
            ...(node.taints ? { taints: [...node.taints] } : {}),
        },
        status: {
            // The API server connects to ExternalDNS: the internal address exists only in the simulated VPC.
            addresses: [
                { type: "InternalIP", address: node.internalIp },
                { type: "InternalDNS", address: node.name },
                { type: "Hostname", address: node.name },
                { type: "ExternalDNS", address: "localhost" },
            ],
            capacity: resources,
            allocatable: resources,
            daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
            declaredFeatures: DECLARED_FEATURES,
            nodeInfo: {
                architecture: "amd64",
                bootID: "",
                containerRuntimeVersion: `${runtime}://`,
                kernelVersion: "",
                kubeProxyVersion: "",
                kubeletVersion: kubernetesVersion,
                machineID: "",
                operatingSystem: "linux",
                osImage: runtime === "kwok" ? "simulated by kwok" : "the lab's machine",
                systemUUID: "",
            },
        },
    };
}

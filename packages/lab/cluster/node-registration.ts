import type { V1Node, V1Taint } from "@kubernetes/client-node";
import { DECLARED_FEATURES } from "./kubelet.ts";

/** kwok plays the nodes that carry it, and leaves others to real agents. */
export const PLAYED_BY_KWOK = { "kwok.x-k8s.io/node": "fake" };

/** A node as EKS registers it from a managed node group. */
export interface NodeSpec {
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
    /** Where its pods get their addresses; kwok takes them from 10.0.0.0/24 otherwise, the same on every node. */
    podCidr?: string;
    /** Blocks from which a node that the lab runs gives its pods addresses. */
    podPrefixes?: readonly string[];
}

/** The Node object. @param kubeletPort where the API server sends exec, on this machine @param by who plays or runs it */
export function nodeObject(spec: NodeSpec, kubeletPort: number, kubernetesVersion: string, by: "kwok" | "lab" = "kwok"): V1Node {
    const resources = { cpu: "4", memory: "16Gi", "ephemeral-storage": "50Gi", pods: "110" };
    return {
        apiVersion: "v1",
        kind: "Node",
        metadata: {
            name: spec.name,
            ...(by === "kwok" && { annotations: PLAYED_BY_KWOK }),
            labels: {
                "kubernetes.io/hostname": spec.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": spec.instanceType,
                "topology.kubernetes.io/region": spec.region,
                "topology.kubernetes.io/zone": spec.zone,
                "eks.amazonaws.com/nodegroup": spec.nodeGroup,
                "eks.amazonaws.com/capacityType": "ON_DEMAND",
                ...spec.labels,
            },
        },
        spec: {
            providerID: spec.providerId,
            ...(spec.podCidr ? { podCIDR: spec.podCidr, podCIDRs: [spec.podCidr] } : {}),
            ...(spec.taints ? { taints: [...spec.taints] } : {}),
        },
        status: {
            // ExternalDNS is the API server's way to the node: its internal address exists in the simulated VPC only.
            addresses: [
                { type: "InternalIP", address: spec.internalIp },
                { type: "InternalDNS", address: spec.name },
                { type: "Hostname", address: spec.name },
                { type: "ExternalDNS", address: "localhost" },
            ],
            capacity: resources,
            allocatable: resources,
            daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
            declaredFeatures: DECLARED_FEATURES,
            nodeInfo: {
                architecture: "amd64",
                bootID: "",
                containerRuntimeVersion: by === "kwok" ? "kwok://" : "crun://",
                kernelVersion: "",
                kubeProxyVersion: "",
                kubeletVersion: kubernetesVersion,
                machineID: "",
                operatingSystem: "linux",
                osImage: by === "kwok" ? "played by kwok" : "the lab's machine",
                systemUUID: "",
            },
        },
    };
}

import { type KubeConfig, type KubernetesObject, KubernetesObjectApi, PatchStrategy, type V1Container } from "@kubernetes/client-node";
import { parse, stringify } from "yaml";
import { addressAt } from "../../../core/network/cidr.ts";
import type { AddonSpec } from "../aws/eks/specs.ts";
import { ignoreStatus } from "../cluster/api-errors.ts";

const NAMESPACE = "kube-system";
/** The field manager of EKS in the objects of its add-ons. */
const FIELD_MANAGER = "eks";
/** The cluster DNS has the tenth address of the service CIDR. */
const DNS_INDEX = 10;
const API_PORT = 443;

interface AddonSurroundings {
    serviceCidr: string;
    /** Addresses of the API server's interfaces in the VPC. */
    apiAddresses: readonly string[];
}

/** The objects that EKS creates for an add-on, as far as the lab's nodes can use them. Empty for an add-on that the lab does not know. */
export function addonObjects(addon: AddonSpec, surroundings: AddonSurroundings): KubernetesObject[] {
    const image = (path: string) => `602401143452.dkr.ecr.${addon.region}.amazonaws.com/${path}:${addon.version}`;
    const settings = (parse(addon.configurationValues ?? "") ?? {}) as Settings;
    if (addon.name === "vpc-cni") return awsNode(image, settings);
    if (addon.name === "kube-proxy") return kubeProxy(image, settings, surroundings);
    if (addon.name === "coredns") return coreDns(image, settings, surroundings);
    return [];
}

type Settings = { env?: Record<string, string>; mode?: string; replicaCount?: number; tolerations?: object[] };
type ImageOf = (path: string) => string;

/** The DaemonSet of the VPC CNI. The init container installs the plugins, the container writes the conflist. */
function awsNode(image: ImageOf, { env = {} }: Settings): KubernetesObject[] {
    const variables = { AWS_VPC_ENI_MTU: "9001", ...env };
    const mount = (name: string, mountPath: string) => ({ name, mountPath });
    const init: V1Container = {
        name: "aws-vpc-cni-init",
        image: image("amazon-k8s-cni-init"),
        securityContext: { privileged: true },
        volumeMounts: [mount("cni-bin-dir", "/host/opt/cni/bin")],
    };
    const container: V1Container = {
        name: "aws-node",
        image: image("amazon-k8s-cni"),
        env: Object.entries(variables).map(([name, value]) => ({ name, value })),
        securityContext: { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
        volumeMounts: [mount("cni-bin-dir", "/host/opt/cni/bin"), mount("cni-net-dir", "/host/etc/cni/net.d")],
    };
    const spec = {
        serviceAccountName: "aws-node",
        initContainers: [init],
        containers: [container],
        terminationGracePeriodSeconds: 10,
        volumes: [hostPath("cni-bin-dir", "/opt/cni/bin"), hostPath("cni-net-dir", "/etc/cni/net.d")],
    };
    return [serviceAccount("aws-node"), daemonSet("aws-node", spec)];
}

function kubeProxy(image: ImageOf, { mode = "iptables" }: Settings, { apiAddresses }: AddonSurroundings): KubernetesObject[] {
    const container: V1Container = {
        name: "kube-proxy",
        image: image("eks/kube-proxy"),
        command: ["kube-proxy", "--v=2", "--config=/var/lib/kube-proxy-config/config", "--hostname-override=$(NODE_NAME)"],
        env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
        securityContext: { privileged: true },
        volumeMounts: [
            { name: "kubeconfig", mountPath: "/var/lib/kube-proxy/" },
            { name: "config", mountPath: "/var/lib/kube-proxy-config/" },
            { name: "xtables-lock", mountPath: "/run/xtables.lock" },
            { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
        ],
    };
    const spec = {
        serviceAccountName: "kube-proxy",
        containers: [container],
        volumes: [
            { name: "kubeconfig", configMap: { name: "kube-proxy" } },
            { name: "config", configMap: { name: "kube-proxy-config" } },
            { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
            hostPath("lib-modules", "/lib/modules"),
        ],
    };
    const binding = {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRoleBinding",
        metadata: { name: "eks:kube-proxy" },
        subjects: [{ kind: "ServiceAccount", name: "kube-proxy", namespace: NAMESPACE }],
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node-proxier" },
    };
    return [
        serviceAccount("kube-proxy"),
        binding,
        configMap("kube-proxy", { kubeconfig: stringify(kubeProxyKubeconfig(apiAddresses)) }),
        configMap("kube-proxy-config", { config: stringify(kubeProxyConfiguration(mode)) }),
        daemonSet("kube-proxy", spec),
    ];
}

function kubeProxyKubeconfig(apiAddresses: readonly string[]) {
    const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
    const cluster = {
        "certificate-authority": `${serviceAccountFolder}/ca.crt`,
        // Not the service's address, which works only once kube-proxy runs, and not the endpoint's name, for which the lab has no DNS.
        server: `https://${apiAddresses[0]}:${API_PORT}`,
        "tls-server-name": "kubernetes.default",
    };
    return {
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "default", cluster }],
        contexts: [{ name: "default", context: { cluster: "default", namespace: "default", user: "default" } }],
        "current-context": "default",
        users: [{ name: "default", user: { tokenFile: `${serviceAccountFolder}/token` } }],
    };
}

function kubeProxyConfiguration(mode: string) {
    return {
        apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
        kind: "KubeProxyConfiguration",
        bindAddress: "0.0.0.0",
        clientConnection: { kubeconfig: "/var/lib/kube-proxy/kubeconfig" },
        // The conntrack settings are those of the whole machine: leave them alone.
        conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
        healthzBindAddress: "0.0.0.0:10256",
        metricsBindAddress: "0.0.0.0:10249",
        mode,
    };
}

/** The lab runs no program for coredns: its pods are always ready, but resolve no name. */
function coreDns(image: ImageOf, { replicaCount = 2, tolerations }: Settings, { serviceCidr }: AddonSurroundings): KubernetesObject[] {
    const labels = { "k8s-app": "kube-dns", "eks.amazonaws.com/component": "coredns" };
    const ports = [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
    ];
    const spec = {
        serviceAccountName: "coredns",
        containers: [{ name: "coredns", image: image("eks/coredns") }],
        tolerations: tolerations ?? [
            { key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" },
            { key: "CriticalAddonsOnly", operator: "Exists" },
        ],
    };
    return [
        serviceAccount("coredns"),
        {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "coredns", namespace: NAMESPACE, labels },
            spec: { replicas: replicaCount, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
        } as KubernetesObject,
        {
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: "kube-dns", namespace: NAMESPACE, labels },
            spec: { clusterIP: addressAt(serviceCidr, DNS_INDEX), selector: { "k8s-app": "kube-dns" }, ports },
        } as KubernetesObject,
    ];
}

function daemonSet(name: string, spec: object): KubernetesObject {
    const labels = { "k8s-app": name };
    const systemPod = { hostNetwork: true, priorityClassName: "system-node-critical", tolerations: [{ operator: "Exists" }] };
    return {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name, namespace: NAMESPACE, labels },
        spec: {
            selector: { matchLabels: labels },
            updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
            template: { metadata: { labels }, spec: { ...systemPod, ...spec } },
        },
    } as KubernetesObject;
}

function serviceAccount(name: string): KubernetesObject {
    return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: NAMESPACE } };
}

function configMap(name: string, data: Record<string, string>): KubernetesObject {
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: NAMESPACE }, data } as KubernetesObject;
}

function hostPath(name: string, path: string) {
    return { name, hostPath: { path } };
}

/** Creates the objects, or updates those that already exist. */
export async function applyObjects(config: KubeConfig, objects: readonly KubernetesObject[]): Promise<void> {
    const api = KubernetesObjectApi.makeApiClient(config);
    for (const object of objects) await api.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
}

/** Deletes the objects. Objects that do not exist are ignored. */
export async function deleteObjects(config: KubeConfig, objects: readonly KubernetesObject[]): Promise<void> {
    const api = KubernetesObjectApi.makeApiClient(config);
    for (const object of objects.toReversed()) {
        await api.delete(object).catch(ignoreStatus(404));
    }
}

import { join } from "node:path";
import type { ToolName } from "../tools/catalog.ts";
import { KUBELET_CLIENT } from "./kubelet.ts";
import { SIMULATED_BY_KWOK } from "./node-object.ts";
import type { Holder } from "./pki.ts";

/** The programs of one cluster. */
export type Program = Extract<ToolName, "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kwok">;

/**
 * Sockets in the data folder, which only the lab's user can access. Any user of this machine could connect to a port, and with TLS each of
 * an API server's some 200 connections would need a handshake. The path is relative to the working directory: a socket's path may have only
 * about 100 characters.
 */
const ETCD = "unix://etcd.sock";
const ETCD_PEER = "unix://etcd-peer.sock";

/** Loopback ports of one cluster. They are kept in its data folder, so that kubeconfigs stay valid across restarts. */
export interface Ports {
    api: number;
    kubelet: number;
}

/** The control plane's certificates: name of the file, and holder. */
export const HOLDERS = {
    kubelet: { commonName: "kubelet", names: ["localhost", "127.0.0.1"] },
    "kubelet-client": { commonName: KUBELET_CLIENT },
    // These are administrators, so that a new cluster need not wait for RBAC's default roles.
    "controller-manager": { commonName: "system:kube-controller-manager", organization: "system:masters" },
    scheduler: { commonName: "system:kube-scheduler", organization: "system:masters" },
    kwok: { commonName: "kwok", organization: "system:masters" },
} satisfies Record<string, Holder>;

/** Controllers that pods, Services and namespaces need. Leaving out the others saves watches and memory. */
const CONTROLLERS = [
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "taint-eviction-controller",
    "ttl-after-finished-controller",
];

export interface Settings {
    name: string;
    /** Data folder. */
    folder: string;
    ports: Ports;
    serviceCidr: string;
    /** File with kwok's stages. */
    stages: string;
}

/** Arguments of each program. */
export function programArguments(program: Program, settings: Settings): string[] {
    return ARGUMENTS[program](settings);
}

const ARGUMENTS: Readonly<Record<Program, (settings: Settings) => string[]>> = {
    etcd: etcdArguments,
    "kube-apiserver": apiServerArguments,
    "kube-controller-manager": controllerManagerArguments,
    "kube-scheduler": ({ folder }) => [
        `--kubeconfig=${join(folder, "scheduler.json")}`,
        "--secure-port=0",
        "--leader-elect=false",
        "--profiling=false",
    ],
    kwok: kwokArguments,
};

function etcdArguments({ name, folder }: Settings): string[] {
    return [
        `--name=${name}`,
        `--data-dir=${join(folder, "etcd")}`,
        `--listen-client-urls=${ETCD}`,
        `--advertise-client-urls=${ETCD}`,
        `--listen-peer-urls=${ETCD_PEER}`,
        `--initial-advertise-peer-urls=${ETCD_PEER}`,
        `--initial-cluster=${name}=${ETCD_PEER}`,
        // Otherwise every write waits for the disk. Data is lost only if the machine loses power, not if the process is killed.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ];
}

function apiServerArguments({ folder, ports, serviceCidr }: Settings): string[] {
    const pki = (file: string) => join(folder, "pki", file);
    return [
        "--bind-address=127.0.0.1",
        `--secure-port=${ports.api}`,
        "--advertise-address=127.0.0.1",
        // Endpoints on loopback are rejected, so the API server would retry those of `kubernetes.default` forever.
        "--endpoint-reconciler-type=none",
        `--etcd-servers=${ETCD}`,
        `--tls-cert-file=${pki("apiserver.crt")}`,
        `--tls-private-key-file=${pki("apiserver.key")}`,
        `--client-ca-file=${pki("ca.crt")}`,
        `--token-auth-file=${pki("tokens.csv")}`,
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        `--service-cluster-ip-range=${serviceCidr}`,
        "--service-account-issuer=https://kubernetes.default.svc",
        `--service-account-signing-key-file=${pki("service-accounts.key")}`,
        `--service-account-key-file=${pki("service-accounts.pub")}`,
        `--kubelet-certificate-authority=${pki("ca.crt")}`,
        `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
        `--kubelet-client-key=${pki("kubelet-client.key")}`,
        "--kubelet-preferred-address-types=ExternalDNS,InternalIP",
        `--cert-dir=${pki("")}`,
        "--enable-priority-and-fairness=false",
        "--profiling=false",
        "--event-ttl=15m",
        // Otherwise every stop waits for load balancers, which do not exist here.
        "--shutdown-delay-duration=0s",
    ];
}

function controllerManagerArguments({ folder }: Settings): string[] {
    return [
        `--kubeconfig=${join(folder, "controller-manager.json")}`,
        "--secure-port=0",
        "--leader-elect=false",
        `--controllers=${CONTROLLERS.join(",")}`,
        `--root-ca-file=${join(folder, "pki", "ca.crt")}`,
        "--profiling=false",
    ];
}

function kwokArguments({ folder, stages }: Settings): string[] {
    const [[annotation, value] = []] = Object.entries(SIMULATED_BY_KWOK);
    return [
        `--kubeconfig=${join(folder, "kwok.json")}`,
        `--config=${stages}`,
        `--manage-nodes-with-annotation-selector=${annotation}=${value}`,
        "--node-lease-duration-seconds=40",
    ];
}

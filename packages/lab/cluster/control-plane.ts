import { join } from "node:path";
import type { ToolName } from "../tools/catalog.ts";
import { KUBELET_CLIENT } from "./kubelet.ts";
import { PLAYED_BY_KWOK } from "./node-registration.ts";
import type { Holder } from "./pki.ts";

/** The programs of one cluster. */
export type Program = Extract<ToolName, "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kwok">;

/**
 * Sockets in the data folder, which only the lab's user may enter: a port would be everybody's on this machine, and an API server opens some 200
 * connections, each with a TLS handshake of its own. Relative to the working folder, because a socket's path may have only about 100 characters.
 */
const ETCD = "unix://etcd.sock";
const ETCD_PEER = "unix://etcd-peer.sock";

/** Loopback ports of one cluster, kept in its data folder: kubeconfigs that were handed out stay valid over a restart. */
export interface Ports {
    api: number;
    kubelet: number;
}

/** The control plane's certificates: the file's name, and its holder. */
export const HOLDERS = {
    kubelet: { commonName: "kubelet", names: ["localhost", "127.0.0.1"] },
    "kubelet-client": { commonName: KUBELET_CLIENT },
    // With a right to everything each, so that a cluster that starts need not wait for RBAC's own roles.
    "controller-manager": { commonName: "system:kube-controller-manager", organization: "system:masters" },
    scheduler: { commonName: "system:kube-scheduler", organization: "system:masters" },
    kwok: { commonName: "kwok", organization: "system:masters" },
} satisfies Record<string, Holder>;

/** Controllers that a cluster of pods, services and namespaces needs; each left out saves its watches and its memory. */
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
    /** File of kwok's stages. */
    stages: string;
}

/** What each program is started with. */
export function programArguments(program: Program, { name, folder, ports, serviceCidr, stages }: Settings): string[] {
    const file = (path: string) => join(folder, path);
    const pki = (path: string) => join(folder, "pki", path);
    switch (program) {
        case "etcd":
            return [
                `--name=${name}`,
                `--data-dir=${file("etcd")}`,
                `--listen-client-urls=${ETCD}`,
                `--advertise-client-urls=${ETCD}`,
                `--listen-peer-urls=${ETCD_PEER}`,
                `--initial-advertise-peer-urls=${ETCD_PEER}`,
                `--initial-cluster=${name}=${ETCD_PEER}`,
                // A killed process loses nothing by it, only a machine that loses power; every write would wait for the disk otherwise.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ];
        case "kube-apiserver":
            return [
                "--bind-address=127.0.0.1",
                `--secure-port=${ports.api}`,
                "--advertise-address=127.0.0.1",
                // Endpoints on loopback are refused, so `kubernetes.default` would be retried for ever.
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
                // It waits that long on every stop otherwise, for load balancers that are not there.
                "--shutdown-delay-duration=0s",
            ];
        case "kube-controller-manager":
            return [
                `--kubeconfig=${file("controller-manager.json")}`,
                "--secure-port=0",
                "--leader-elect=false",
                `--controllers=${CONTROLLERS.join(",")}`,
                `--root-ca-file=${pki("ca.crt")}`,
                "--profiling=false",
            ];
        case "kube-scheduler":
            return [`--kubeconfig=${file("scheduler.json")}`, "--secure-port=0", "--leader-elect=false", "--profiling=false"];
        case "kwok": {
            const [[annotation, value] = []] = Object.entries(PLAYED_BY_KWOK);
            return [
                `--kubeconfig=${file("kwok.json")}`,
                `--config=${stages}`,
                `--manage-nodes-with-annotation-selector=${annotation}=${value}`,
                "--node-lease-duration-seconds=40",
            ];
        }
    }
}

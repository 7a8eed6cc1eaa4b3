import type { V1Container, V1DaemonSet, V1Pod } from "@kubernetes/client-node";
import { MOUNT_PATH } from "../../../core/cilium/clustermesh-config.ts";
import { MAX_CONNECTED_CLUSTERS } from "../../../core/cilium/helm-values.ts";

/** Name of the container that runs the mesh's client. */
export const CLIENT = "kvstoremesh";
/** How programs of the image find the etcd in their pod. */
export const ETCD_CONFIG = "--kvstore-opt=etcd.config=/var/lib/cilium/etcd-config.yaml";

/** The pod as the lab runs it without root: with the mesh's client, and without users and groups. */
export function replicaPod(pod: V1Pod, agents: V1DaemonSet): V1Pod {
    return withoutUsers(withClient(pod, agents));
}

/**
 * Adds the mesh's client to the pod. With KVStoreMesh it is the pod's own kvstoremesh, which reads the Secret cilium-kvstoremesh. With
 * direct wiring agents are the clients: in their place runs a kvstoremesh that reads their volume, with the Secret cilium-clustermesh, and
 * writes what it reads into the cluster's own etcd.
 */
function withClient(pod: V1Pod, agents: V1DaemonSet): V1Pod {
    const { containers = [], volumes = [] } = pod.spec ?? {};
    const apiserver = containers.find(({ name }) => name === "apiserver");
    if (!apiserver || containers.some(({ name }) => name === CLIENT)) return pod;
    const secrets = agents.spec?.template.spec?.volumes?.find(({ name }) => name === "clustermesh-secrets");
    if (!secrets) throw new Error("the DaemonSet cilium has no volume clustermesh-secrets");
    const client: V1Container = {
        ...apiserver,
        name: CLIENT,
        args: [
            ...["kvstoremesh", "--cluster-name=$(CLUSTER_NAME)", "--cluster-id=$(CLUSTER_ID)", "--enable-heartbeat=false"],
            ...[ETCD_CONFIG, "--kvstore-opt=etcd.bootstrapQps=10000"],
            ...[`--clustermesh-config=${MOUNT_PATH}`, `--max-connected-clusters=${MAX_CONNECTED_CLUSTERS}`, "--health-port=9881"],
        ],
        volumeMounts: [...(apiserver.volumeMounts ?? []), { name: secrets.name, mountPath: MOUNT_PATH }],
    };
    return { ...pod, spec: { ...pod.spec, containers: [...containers, client], volumes: [...volumes, secrets] } };
}

/** Without root, files cannot be given to other users and groups. */
function withoutUsers({ spec, ...pod }: V1Pod): V1Pod {
    const { securityContext: _, containers = [], ...rest } = spec ?? {};
    return { ...pod, spec: { ...rest, containers } };
}

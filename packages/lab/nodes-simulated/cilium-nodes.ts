import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CustomObjectsApi, type KubeConfig, KubernetesObjectApi, type V1Node } from "@kubernetes/client-node";
import { parse } from "yaml";
import { ignoreStatus } from "../cluster/api-errors.ts";
import { follow } from "../nodes-real/pods/watched-objects.ts";
import { until } from "../process/until.ts";

/**
 * CRDs that clustermesh-apiserver waits for (Cilium's pkg/k8s/synced/crd.go). Cilium's operator registers them, and the lab runs none
 * without root.
 */
const CRDS = ["ciliumnodes", "ciliumidentities", "ciliumendpoints"];
const PLACE = { group: "cilium.io", version: "v2", plural: "ciliumnodes" };
const TIMEOUT_MILLISECONDS = 30_000;

/** Annotation of each CiliumNode that the lab writes in an agent's place. */
const SIMULATED = { "clustermesh.lab/simulated": "no agent runs on this node" };

/**
 * Writes a CiliumNode for each node of the cluster, as agents do, and deletes it with the node. No pod runs, so there are no
 * CiliumIdentities and CiliumEndpoints.
 *
 * @param sources folder of Cilium's sources
 * @returns a function that stops it
 */
export async function simulateCiliumNodes(config: KubeConfig, sources: string, log: (line: string) => void): Promise<() => void> {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const custom = config.makeApiClient(CustomObjectsApi);
    for (const name of CRDS) {
        const crd = parse(readFileSync(join(sources, "pkg/k8s/apis/cilium.io/client/crds/v2", `${name}.yaml`), "utf8"));
        await objects.create(crd).catch(ignoreStatus(409));
    }
    await until(() => custom.listClusterCustomObject(PLACE), TIMEOUT_MILLISECONDS, "CiliumNodes could not be listed");
    // Write in order: the deletion of an old node must not hit a new node of the same name.
    let stopped = false;
    let writing: Promise<unknown> = Promise.resolve();
    const nodes = follow<V1Node>(config, "/api/v1/nodes", {}, (key, node) => {
        const name = key.split("/")[1] ?? "";
        const write = node
            ? () => custom.createClusterCustomObject({ ...PLACE, body: ciliumNode(node) }).catch(ignoreStatus(409))
            : () => custom.deleteClusterCustomObject({ ...PLACE, name }).catch(ignoreStatus(404));
        writing = writing.then(write).catch((error) => {
            if (!stopped) log(`CiliumNode ${name} cannot be written: ${error instanceof Error ? error.message : error}`);
        });
    });
    return () => {
        stopped = true;
        nodes.stop();
    };
}

function ciliumNode({ metadata, spec, status }: V1Node) {
    const addresses = status?.addresses?.filter(({ type }) => type === "InternalIP") ?? [];
    return {
        apiVersion: `${PLACE.group}/${PLACE.version}`,
        kind: "CiliumNode",
        metadata: { name: metadata?.name ?? "", annotations: SIMULATED, ...(metadata?.labels && { labels: metadata.labels }) },
        spec: {
            addresses: addresses.map(({ address, type }) => ({ ip: address, type })),
            ipam: { podCIDRs: spec?.podCIDRs ?? [] },
        },
    };
}

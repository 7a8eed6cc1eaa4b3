import { readFileSync } from "node:fs";
import { diagnose } from "../../../core/doctor/diagnose.ts";
import { type ClusterEvidence, Evidence, type Known, type PeersEvidence } from "../../../core/doctor/evidence.ts";

/** Written by `doctor --evidence` in the lab, with its two sample clusters, real agents, and nothing wrong. */
export const RECORDED = readFileSync(new URL("../recorded/healthy-mesh.json", import.meta.url), "utf8");
export const OTHER = "192.168.0.0/16";

/** The recorded mesh, to be broken. */
export interface Broken {
    evidence: Evidence;
    cluster1: ClusterEvidence;
    cluster2: ClusterEvidence;
}

/** The rule, how to break the mesh, the finding's subject and text. Nothing else may be found but the consequences listed last. */
export type Failure = [string, (broken: Broken) => void, string, RegExp, string[]?];

/** The recorded mesh with a change. */
export function mesh(change: (broken: Broken) => void = () => {}): Evidence {
    const evidence = Evidence.parse(JSON.parse(RECORDED));
    const [cluster1, cluster2] = evidence.clusters;
    if (!cluster1 || !cluster2) throw new Error("the record has fewer than two clusters");
    change({ evidence, cluster1, cluster2 });
    return Evidence.parse(JSON.parse(JSON.stringify(evidence)));
}

export function value<T>(part: Known<T | null> | undefined): T {
    if (!part || !("value" in part) || part.value === null) throw new Error("the record lacks this part");
    return part.value;
}

export const found = (evidence: Evidence) =>
    diagnose(evidence).flatMap(({ id, findings }) => findings.map((finding) => ({ id, ...finding })));

export const days = (evidence: Evidence, count: number) => new Date(Date.parse(evidence.gatheredAt) + count * 86_400_000).toISOString();
export const agents = (cluster: ClusterEvidence) => value(cluster.kubernetes.agents);
export const config = (cluster: ClusterEvidence) => value(cluster.kubernetes.config);
export const entry = (cluster: ClusterEvidence, peer: string) => {
    const found = value<PeersEvidence>(cluster.kubernetes.peers).peers[peer];
    if (!found) throw new Error(`no entry for ${peer}`);
    return found;
};
export const server = ({ kubernetes }: ClusterEvidence) => value(kubernetes.material["clustermesh-apiserver-server-cert"]);
export const behind = (cluster: ClusterEvidence, peer: string, why: string, trouble?: string) => {
    for (const agent of agents(cluster)) agent.lagging = { value: [{ peer, why, ...(trouble && { trouble }) }] };
};

/** The clusters are in two regions, each attached to its region's Transit Gateway. */
export const overTransitGateways = ({ evidence, cluster1, cluster2 }: Broken) => {
    const [mesh] = evidence.meshes;
    if (!mesh) throw new Error("the record has no mesh");
    Object.assign(cluster2.facts, { region: "us-east-1" });
    Object.assign(mesh, { network: "transit-gateway", connections: { "eu-central-1": "tgw-1", "us-east-1": "tgw-2" } });
    for (const [cluster, gateway] of [
        [cluster1, "tgw-1"],
        [cluster2, "tgw-2"],
    ] as const) {
        cluster.aws.connections = { value: { [gateway]: "available" } };
        for (const route of value(cluster.aws.routes)) if (route.target.startsWith("pcx-")) route.target = gateway;
    }
};

/** The first cluster connects through kvstoremesh. */
export const byKvstoreMesh = ({ cluster1, cluster2 }: Broken) => {
    Object.assign(cluster1.facts, { wiring: "kvstoremesh" });
    value(cluster1.kubernetes.apiserver).containers.push("kvstoremesh");
    value(cluster1.kubernetes.daemonSet).aliases = [];
    entry(cluster1, "cluster2").aliases = [{ hostname: "cluster2.mesh.cilium.io", ips: [...cluster2.facts.etcd.addresses] }];
    const endpoints = ["https://clustermesh-apiserver.kube-system.svc:2379"];
    cluster1.kubernetes.cached = { value: { peers: { cluster2: { endpoints, aliases: [], ca: [], client: null, keyFits: false } } } };
};

import { CoreV1Api } from "@kubernetes/client-node";
import type { KubernetesEvidence } from "../core/doctor/evidence.ts";
import { fetchers } from "../core/doctor/fetch.ts";
import { readMaterial, readPeers } from "../core/doctor/secrets.ts";
import type { EvidenceRequest } from "./agent-evidence.ts";
import type { Clients } from "./clients.ts";
import { orNull } from "./or-null.ts";

const NAMESPACE = "kube-system";

/** Secrets with clustermesh-apiserver's certificates. */
export const CERTIFICATE_SECRETS = ["server", "admin", "remote", "local"].map((role) => `clustermesh-apiserver-${role}-cert`);

/** A cluster's Secrets and ConfigMaps of the mesh: certificates without their keys, and how peers are dialed. For doctor only. */
export async function secretEvidence(
    clients: Clients,
    { cluster: { name, wiring }, authorities, depth }: EvidenceRequest,
): Promise<Pick<KubernetesEvidence, "peers" | "cached" | "remoteUsers" | "material">> {
    const core = clients.client(name, CoreV1Api);
    const { fetchForDoctor } = fetchers(depth);
    const fetchPeers = (secret: string) =>
        fetchForDoctor(async () => {
            const files = await readSecret(core, secret);
            return files && readPeers(files, name, authorities);
        });
    const fetchMaterial = (secret: string) =>
        fetchForDoctor(async () => {
            const files = await readSecret(core, secret);
            return files && readMaterial(files, authorities);
        });
    const [peers, cached, remoteUsers, ...material] = await Promise.all([
        fetchPeers(wiring === "direct" ? "cilium-clustermesh" : "cilium-kvstoremesh"),
        wiring === "kvstoremesh" ? fetchPeers("cilium-clustermesh") : undefined,
        fetchForDoctor(async () => {
            const users = core.readNamespacedConfigMap({ name: "clustermesh-remote-users", namespace: NAMESPACE });
            return (await orNull(users)) !== null;
        }),
        ...CERTIFICATE_SECRETS.map(fetchMaterial),
    ]);
    return {
        peers,
        ...(cached && { cached }),
        remoteUsers,
        material: Object.fromEntries(material.map((content, i) => [CERTIFICATE_SECRETS[i] ?? "", content])),
    };
}

/** The files of a Secret; null when it does not exist. */
async function readSecret(core: CoreV1Api, name: string): Promise<Record<string, string> | null> {
    const secret = await orNull(core.readNamespacedSecret({ name, namespace: NAMESPACE }));
    if (!secret) return null;
    return Object.fromEntries(Object.entries(secret.data ?? {}).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]));
}

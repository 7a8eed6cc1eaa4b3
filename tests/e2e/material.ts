import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Agent } from "../../core/gate.ts";
import { until } from "../../packages/lab/process/until.ts";
import { makeTls } from "../../packages/lab/providers/tls.ts";
import { patchManually, type RealLab } from "./real-lab.ts";

const SYSTEM = "kube-system";
const RESTART_MILLISECONDS = 60_000;

/** Where to inject a fault: a cluster, its peer, and a node, for faults of a single node. */
export interface FaultTarget {
    cluster: string;
    peer: string;
    node: string;
}

/** The CA and client certificate that the cluster gives its peers, in base64: easily mistaken for the peer's. */
export async function ownMaterial({ core }: RealLab, { cluster }: FaultTarget): Promise<Record<string, string>> {
    const { data } = await core(cluster).readNamespacedSecret({ name: "clustermesh-apiserver-remote-cert", namespace: SYSTEM });
    return data ?? {};
}

/**
 * Changes the peer's files in a cluster's Secret `cilium-clustermesh`, and restarts the target node's agent, because an open connection keeps the credentials
 * it was opened with.
 */
export async function configurePeer(real: RealLab, target: FaultTarget, data: Record<string, string>): Promise<void> {
    const { cluster } = target;
    const agent = await agentOf(real, target);
    const metadata = { name: "cilium-clustermesh", namespace: SYSTEM };
    await patchManually(real, cluster, { apiVersion: "v1", kind: "Secret", metadata, data });
    const [file = "", text = ""] = Object.entries(data)[0] ?? [];
    const read = async () => btoa(await real.inAgent(agent, "cat", `/var/lib/cilium/clustermesh/${file}`)) === text || undefined;
    await until(read, RESTART_MILLISECONDS, "the agent's files are not updated from the Secret");
    await restartAgent(real, target);
}

async function agentOf(real: RealLab, { cluster, node }: FaultTarget): Promise<Agent> {
    const agent = (await real.agents(cluster)).find((agent) => agent.node === node);
    if (!agent) throw new Error(`no agent runs on ${node}`);
    return agent;
}

/** Restarts the agent on the target's node, and waits until the new agent responds. */
export async function restartAgent(real: RealLab, target: FaultTarget): Promise<void> {
    const before = await agentOf(real, target);
    await real.core(target.cluster).deleteNamespacedPod({ name: before.pod, namespace: SYSTEM });
    const responds = async () => {
        const after = await agentOf(real, target);
        return after.uid === before.uid ? undefined : real.inAgent(after, "cilium-dbg", "status", "-o", "json");
    };
    await until(responds, RESTART_MILLISECONDS, `the agent on ${target.node} does not restart`);
}

export interface Leaf {
    commonName: string;
    use: "client_auth" | "server_auth";
    dnsNames?: string[];
    ipAddresses?: string[];
}

/** Issues a certificate from a cluster's CA, whose key it reads from the state of the cluster's stack. */
export async function issueCertificate(
    { driver }: RealLab,
    cluster: string,
    { commonName, use, ...names }: Leaf,
): Promise<{ cert: string; key: string }> {
    const args = ["stack", "export", "--show-secrets", "-s", cluster];
    const { stdout } = await promisify(execFile)("pulumi", args, {
        cwd: driver.folder,
        env: { ...process.env, ...driver.env },
        maxBuffer: 1e8,
    });
    const { resources } = JSON.parse(stdout).deployment as {
        resources: { type: string; urn: string; outputs?: Record<string, unknown> }[];
    };
    const ca = (type: string, key: string) => {
        const found = resources.find((resource) => resource.type === type && resource.urn.endsWith("-ca"))?.outputs?.[key];
        const plain = typeof found === "object" && found !== null && "plaintext" in found ? JSON.parse(String(found.plaintext)) : found;
        return String(plain);
    };
    const privateKey = await makeTls("tls:index/privateKey:PrivateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const request = await makeTls("tls:index/certRequest:CertRequest", {
        privateKeyPem: privateKey.privateKeyPem,
        subject: { commonName },
        ...names,
    });
    const cert = await makeTls("tls:index/locallySignedCert:LocallySignedCert", {
        certRequestPem: request.certRequestPem,
        caCertPem: ca("tls:index/selfSignedCert:SelfSignedCert", "certPem"),
        caPrivateKeyPem: ca("tls:index/privateKey:PrivateKey", "privateKeyPem"),
        allowedUses: ["digital_signature", use],
        validityPeriodHours: 24,
    });
    return { cert: String(cert.certPem), key: String(privateKey.privateKeyPem) };
}

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Agent } from "../../core/gate.ts";
import { until } from "../../packages/lab/process/until.ts";
import { makeTls } from "../../packages/lab/providers/tls.ts";
import { byHand, type RealLab } from "./real-lab.ts";

const SYSTEM = "kube-system";
const RESTART_MILLISECONDS = 60_000;

/** Whom a fault is made for: a cluster, its peer, and a node if only that is to be hit. */
export interface Victim {
    cluster: string;
    peer: string;
    node: string;
}

/** What the cluster itself hands out to its peers, base64: easily taken for theirs. */
export async function ownMaterial({ core }: RealLab, { cluster }: Victim): Promise<Record<string, string>> {
    const { data } = await core(cluster).readNamespacedSecret({ name: "clustermesh-apiserver-remote-cert", namespace: SYSTEM });
    return data ?? {};
}

/**
 * Changes what the agents of a cluster are told of their peer, and restarts the one of the node: a connection that is there goes on with what it came about
 * with.
 */
export async function log(real: RealLab, victim: Victim, data: Record<string, string>): Promise<void> {
    const { cluster } = victim;
    const agent = await agentOf(real, victim);
    const metadata = { name: "cilium-clustermesh", namespace: SYSTEM };
    await byHand(real, cluster, { apiVersion: "v1", kind: "Secret", metadata, data });
    const [file = "", text = ""] = Object.entries(data)[0] ?? [];
    const read = async () => btoa(await real.inAgent(agent, "cat", `/var/lib/cilium/clustermesh/${file}`)) === text || undefined;
    await until(read, RESTART_MILLISECONDS, "the agent's files do not follow the Secret");
    await restartAgent(real, victim);
}

async function agentOf(real: RealLab, { cluster, node }: Victim): Promise<Agent> {
    const agent = (await real.agents(cluster)).find((one) => one.node === node);
    if (!agent) throw new Error(`no agent runs on ${node}`);
    return agent;
}

/** Restarts the agent of a node, and waits until it answers. */
export async function restartAgent(real: RealLab, victim: Victim): Promise<void> {
    const before = await agentOf(real, victim);
    await real.core(victim.cluster).deleteNamespacedPod({ name: before.pod, namespace: SYSTEM });
    const answers = async () => {
        const after = await agentOf(real, victim);
        return after.uid === before.uid ? undefined : real.inAgent(after, "cilium-dbg", "status", "-o", "json");
    };
    await until(answers, RESTART_MILLISECONDS, `the agent of ${victim.node} does not come back`);
}

export interface Leaf {
    commonName: string;
    use: "client_auth" | "server_auth";
    dnsNames?: string[];
    ipAddresses?: string[];
}

/** A certificate by a cluster's CA, whose key is in its stack. */
export async function signedBy(
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
        const found = resources.find((one) => one.type === type && one.urn.endsWith("-ca"))?.outputs?.[key];
        const plain = typeof found === "object" && found !== null && "plaintext" in found ? JSON.parse(String(found.plaintext)) : found;
        return String(plain);
    };
    const own = await makeTls("tls:index/privateKey:PrivateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const request = await makeTls("tls:index/certRequest:CertRequest", {
        privateKeyPem: own.privateKeyPem,
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
    return { cert: String(cert.certPem), key: String(own.privateKeyPem) };
}

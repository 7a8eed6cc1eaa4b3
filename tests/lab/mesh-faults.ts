import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { etcdClientFiles, etcdHostname } from "../../core/clustermesh-config.ts";
import { makeTls } from "../../lab/providers/tls.ts";
import { until } from "../../lab/until.ts";
import { AGENTS, byHand, PLACE, type RealLab, rolledOut } from "./real-lab.ts";

/** Whom a fault is made for: a cluster, its peer, and a node if only that is to be hit. */
export interface Victim {
    cluster: string;
    peer: string;
    node: string;
}

/** What somebody breaks, and all that verify must say of it. */
export interface Fault {
    make(real: RealLab, victim: Victim): Promise<unknown>;
    check: "agents" | "pairs";
    /** Whom the failures are about. */
    subject(victim: Victim): string;
    why(victim: Victim): string;
    /** What he must undo by hand who made it. */
    undo?(real: RealLab, victim: Victim): Promise<unknown>;
}

const BLOCKS: Record<string, string> = { cluster1: "10.248.0.0/18", cluster2: "192.168.0.0/16" };
/** Nobody has this one. */
const WRONG_ADDRESS = "192.168.0.99";
const SYSTEM = "kube-system";
const RESTART_MILLISECONDS = 60_000;

export const SOURCE_NAT: Fault = {
    // As `aws eks update-addon` does.
    make: ({ lab }, { cluster }) =>
        lab.aws.in(PLACE).eks.updateAddon({
            clusterName: cluster,
            addonName: "vpc-cni",
            configurationValues: JSON.stringify({ env: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false" } }),
        }),
    check: "pairs",
    subject: ({ cluster, peer }) => `^${cluster}/.* → ${peer}/`,
    why: () => "^arrived from [\\d.]+, the node's address, not from the pod's [\\d.]+: source NAT is on",
};

/** Packets for the peer take the default route then, and a NAT gateway lets them through: only the address tells. */
export const NO_ROUTE: Fault = {
    async make({ lab, core }, { cluster, peer, node }) {
        const { ec2 } = lab.aws.in(PLACE);
        const { status } = await core(cluster).readNode({ name: node });
        const own = status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
        const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({});
        const subnet = NetworkInterfaces.find(({ PrivateIpAddress }) => PrivateIpAddress === own)?.SubnetId;
        const { RouteTables } = await ec2.describeRouteTables({});
        const table = RouteTables.find(({ Associations }) => Associations.some(({ SubnetId }) => SubnetId === subnet));
        await ec2.deleteRoute({ RouteTableId: table?.RouteTableId ?? "", DestinationCidrBlock: BLOCKS[peer] ?? "" });
    },
    check: "pairs",
    subject: ({ cluster, peer, node }) => `^${cluster}/${node} → ${peer}/|^${peer}/.* → ${cluster}/${node}$`,
    why: ({ cluster, peer }) =>
        `^arrived from .*a NAT gateway where the route to ${peer} is missing|translated: in ${cluster} a route to ${peer} is missing`,
};

export const NO_INGRESS: Fault = {
    async make({ lab }, { peer }) {
        const { ec2 } = lab.aws.in(PLACE);
        const { SecurityGroupRules } = await ec2.describeSecurityGroupRules({});
        const rules = SecurityGroupRules.filter((rule) => !rule.IsEgress && rule.CidrIpv4 === BLOCKS[peer] && rule.IpProtocol === "-1");
        for (const { GroupId, SecurityGroupRuleId } of rules)
            await ec2.revokeSecurityGroupIngress({ GroupId, SecurityGroupRuleIds: [SecurityGroupRuleId] });
    },
    check: "pairs",
    subject: ({ cluster, peer }) => `^${peer}/.* → ${cluster}/`,
    why: ({ cluster, peer }) =>
        `the other way works and so the routes are right: tcp/8080 from ${peer} is not admitted to ${cluster}'s nodes`,
};

export const OTHER_CA: Fault = {
    async make(real, victim) {
        await tell(real, victim, { [etcdClientFiles(victim.peer).ca]: (await ownMaterial(real, victim))["ca.crt"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*certificate signed by unknown authority`,
};

export const OTHER_CLIENT_CA: Fault = {
    async make(real, victim) {
        const { cert, key } = etcdClientFiles(victim.peer);
        const own = await ownMaterial(real, victim);
        await tell(real, victim, { [cert]: own["tls.crt"] ?? "", [key]: own["tls.key"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*client certificate is not signed by any acceptable CA`,
};

export const UNKNOWN_USER: Fault = {
    async make(real, victim) {
        const files = etcdClientFiles(victim.peer);
        const { cert, key } = await signedBy(real, victim.peer, "somebody");
        await tell(real, victim, { [files.cert]: btoa(cert), [files.key]: btoa(key) });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*permission denied`,
};

export const WRONG_ALIAS: Fault = {
    async make(real, { cluster, peer }) {
        const hostAliases = [{ ip: WRONG_ADDRESS, hostnames: [etcdHostname(peer)] }];
        await rolledOut(real, cluster, await byHand(real, cluster, { ...AGENTS, spec: { template: { spec: { hostAliases } } } }));
    },
    check: "agents",
    subject: ({ cluster }) => `^${cluster}/`,
    why: ({ peer }) => `${notConnected(peer)}Cannot establish TCP connection to ${etcdHostname(peer)}:2379: dial tcp ${WRONG_ADDRESS}`,
    // Aliases are entries by address, each its maker's: the program puts its own back beside the wrong one, and takes nobody's away.
    async undo(real, { cluster }) {
        const agents = { name: "cilium", namespace: SYSTEM };
        const { spec } = await real.apps(cluster).readNamespacedDaemonSet(agents);
        const index = spec?.template.spec?.hostAliases?.findIndex(({ ip }) => ip === WRONG_ADDRESS);
        const body = [{ op: "remove", path: `/spec/template/spec/hostAliases/${index}` }];
        await rolledOut(real, cluster, await real.apps(cluster).patchNamespacedDaemonSet({ ...agents, body }));
    },
};

function oneAgent({ cluster, node }: Victim): string {
    return `^${cluster}/${node}$`;
}

function notConnected(peer: string): string {
    return `^${peer}: no connection to its etcd after \\d+ failures \\(.*\\): `;
}

/** What the cluster itself hands out to its peers, base64: easily taken for theirs. */
async function ownMaterial({ core }: RealLab, { cluster }: Victim): Promise<Record<string, string>> {
    const { data } = await core(cluster).readNamespacedSecret({ name: "clustermesh-apiserver-remote-cert", namespace: SYSTEM });
    return data ?? {};
}

/**
 * Changes what the agents of a cluster are told of their peer, and restarts the one of the node: a connection that is there goes on with what it came about
 * with.
 */
async function tell(real: RealLab, { cluster, node }: Victim, data: Record<string, string>): Promise<void> {
    const agent = async () => (await real.agents(cluster)).find((one) => one.node === node);
    const before = await agent();
    if (!before) throw new Error(`no agent runs on ${node}`);
    const metadata = { name: "cilium-clustermesh", namespace: SYSTEM };
    await byHand(real, cluster, { apiVersion: "v1", kind: "Secret", metadata, data });
    const [file = "", text = ""] = Object.entries(data)[0] ?? [];
    const read = async () => btoa(await real.inAgent(before, "cat", `/var/lib/cilium/clustermesh/${file}`)) === text || undefined;
    await until(read, RESTART_MILLISECONDS, "the agent's files do not follow the Secret");
    await real.core(cluster).deleteNamespacedPod({ name: before.pod, namespace: SYSTEM });
    const answers = async () => {
        const after = await agent();
        if (!after || after.uid === before.uid) return undefined;
        return real.inAgent(after, "cilium-dbg", "status", "-o", "json");
    };
    await until(answers, RESTART_MILLISECONDS, `the agent of ${node} does not come back`);
}

/** A client certificate by a cluster's CA, whose key is in its stack. */
async function signedBy({ driver }: RealLab, cluster: string, commonName: string): Promise<{ cert: string; key: string }> {
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
    const request = await makeTls("tls:index/certRequest:CertRequest", { privateKeyPem: own.privateKeyPem, subject: { commonName } });
    const cert = await makeTls("tls:index/locallySignedCert:LocallySignedCert", {
        certRequestPem: request.certRequestPem,
        caCertPem: ca("tls:index/selfSignedCert:SelfSignedCert", "certPem"),
        caPrivateKeyPem: ca("tls:index/privateKey:PrivateKey", "privateKeyPem"),
        allowedUses: ["digital_signature", "client_auth"],
        validityPeriodHours: 24,
    });
    return { cert: String(cert.certPem), key: String(own.privateKeyPem) };
}

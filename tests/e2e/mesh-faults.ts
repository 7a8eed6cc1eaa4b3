import { etcdClientFiles, etcdHostname } from "../../core/cilium/clustermesh-config.ts";
import { tlsLeaves } from "../../core/cilium/tls-leaves.ts";
import { configurePeer, type FaultTarget, issueCertificate, ownMaterial, restartAgent } from "./material.ts";
import { AGENTS, PLACE, patchManually, type RealLab, waitForRollout } from "./real-lab.ts";

/** A fault to inject, and the failures that verify must report for it. */
export interface Fault {
    make(real: RealLab, target: FaultTarget): Promise<unknown>;
    check: "agents" | "pairs";
    /** Pattern for the subjects of the failures. */
    subject(target: FaultTarget): string;
    /** Pattern for the reason of each failure. */
    why(target: FaultTarget): string;
    /** Undoes what `up` with a refresh does not restore. */
    undo?(real: RealLab, target: FaultTarget): Promise<unknown>;
}

const BLOCKS: Record<string, string> = { cluster1: "10.248.0.0/18", cluster2: "192.168.0.0/16" };
/** An unused address. */
const WRONG_ADDRESS = "192.168.0.99";
/** An unused domain. */
const WRONG_DOMAIN = "mesh.example.org";
const SYSTEM = "kube-system";

export const SOURCE_NAT: Fault = {
    // The same call as `aws eks update-addon`.
    make: ({ lab }, { cluster }) =>
        lab.aws.in(PLACE).eks.updateAddon({
            clusterName: cluster,
            addonName: "vpc-cni",
            configurationValues: JSON.stringify({ env: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false" } }),
        }),
    check: "pairs",
    subject: ({ cluster, peer }) => `^${cluster}/.* → ${peer}/`,
    why: () => "^arrived from [\\d.]+, the node's address, instead of the pod's [\\d.]+: source NAT is on",
};

/** Packets to the peer then take the default route through a NAT gateway and still arrive: only their source address reveals the fault. */
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
        `^arrived from .*a NAT gateway where the route to ${peer} is missing|translated: ${cluster} has no route to ${peer}`,
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
    why: ({ cluster, peer }) => `the reverse path works, so the routes are right: nodes of ${cluster} do not admit tcp/8080 from ${peer}`,
};

export const OTHER_CA: Fault = {
    async make(real, target) {
        await configurePeer(real, target, { [etcdClientFiles(target.peer).ca]: (await ownMaterial(real, target))["ca.crt"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*certificate signed by unknown authority`,
};

export const OTHER_CLIENT_CA: Fault = {
    async make(real, target) {
        const { cert, key } = etcdClientFiles(target.peer);
        const own = await ownMaterial(real, target);
        await configurePeer(real, target, { [cert]: own["tls.crt"] ?? "", [key]: own["tls.key"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*client certificate is not signed by any acceptable CA`,
};

export const UNKNOWN_USER: Fault = {
    async make(real, target) {
        const files = etcdClientFiles(target.peer);
        const { cert, key } = await issueCertificate(real, target.peer, { commonName: "unknown", use: "client_auth" });
        await configurePeer(real, target, { [files.cert]: btoa(cert), [files.key]: btoa(key) });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*permission denied`,
};

/** The certificate of the peer's etcd, so `up` must restore the peer's stack. Only other clusters fail to connect: names within the peer stay valid. */
export const WRONG_SERVER_NAME: Fault = {
    async make(real, target) {
        const { commonName, use, ipAddresses } = tlsLeaves(target.peer).server;
        const dnsNames = [commonName, `*.${WRONG_DOMAIN}`];
        const { cert, key } = await issueCertificate(real, target.peer, { commonName, use, dnsNames, ipAddresses: [...ipAddresses] });
        const metadata = { name: "clustermesh-apiserver-server-cert", namespace: SYSTEM };
        const data = { "tls.crt": btoa(cert), "tls.key": btoa(key) };
        await patchManually(real, target.peer, { apiVersion: "v1", kind: "Secret", metadata, data });
        await restartAgent(real, target);
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) =>
        `${notConnected(peer)}.*certificate is valid for .*${WRONG_DOMAIN.replaceAll(".", "\\.")}, not ${etcdHostname(peer)}`,
};

/** The agent's cluster id differs from the rest of its cluster, as after an edit of `cilium-config` and a restart of its node. */
function agentWithId(id: (target: FaultTarget) => number): Pick<Fault, "make" | "undo" | "check" | "subject"> {
    const restartWith = async (real: RealLab, target: FaultTarget, id: number) => {
        const metadata = { name: "cilium-config", namespace: SYSTEM };
        await patchManually(real, target.cluster, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "cluster-id": `${id}` } });
        await restartAgent(real, target);
    };
    return {
        make: (real, target) => restartWith(real, target, id(target)),
        // Objects that Cilium's chart creates are not in the state, so a refresh checks only the release.
        undo: (real, target) => restartWith(real, target, idOf(target.cluster)),
        check: "agents",
        subject: oneAgent,
    };
}

/** Makes Cilium refuse the peer. */
export const PEERS_ID: Fault = {
    ...agentWithId(({ peer }) => idOf(peer)),
    why: ({ cluster, peer }) =>
        `^${peer}: refused: it has cluster id ${idOf(peer)}, the same as this agent's own cluster; ${idMismatch(cluster, peer, idOf(peer))}`,
};

/** Cilium reports no error, but peers drop what the agent announces. */
export const UNUSED_ID: Fault = {
    ...agentWithId(() => 9),
    why: ({ cluster, peer }) => `${idMismatch(cluster, peer, 9)}`,
};

export const WRONG_ALIAS: Fault = {
    async make(real, { cluster, peer }) {
        const hostAliases = [{ ip: WRONG_ADDRESS, hostnames: [etcdHostname(peer)] }];
        await waitForRollout(
            real,
            cluster,
            await patchManually(real, cluster, { ...AGENTS, spec: { template: { spec: { hostAliases } } } }),
        );
    },
    check: "agents",
    subject: ({ cluster }) => `^${cluster}/`,
    why: ({ peer }) => `${notConnected(peer)}Cannot establish TCP connection to ${etcdHostname(peer)}:2379: dial tcp ${WRONG_ADDRESS}`,
    // Host aliases are list entries keyed by IP, each with its own field manager: the program restores its own entries and does not remove the wrong one.
    async undo(real, { cluster }) {
        const agents = { name: "cilium", namespace: SYSTEM };
        const { spec } = await real.apps(cluster).readNamespacedDaemonSet(agents);
        const index = spec?.template.spec?.hostAliases?.findIndex(({ ip }) => ip === WRONG_ADDRESS);
        const body = [{ op: "remove", path: `/spec/template/spec/hostAliases/${index}` }];
        await waitForRollout(real, cluster, await real.apps(cluster).patchNamespacedDaemonSet({ ...agents, body }));
    },
};

function oneAgent({ cluster, node }: FaultTarget): string {
    return `^${cluster}/${node}$`;
}

function idMismatch(cluster: string, peer: string, id: number): string {
    return `it runs with cluster id ${id}, but ${peer} knows ${cluster} by id ${idOf(cluster)}$`;
}

/** The cluster's id in the sample stacks. */
function idOf(cluster: string): number {
    return Number(cluster.slice(-1));
}

function notConnected(peer: string): string {
    return `^${peer}: no connection to its etcd after \\d+ failures \\(.*\\): `;
}

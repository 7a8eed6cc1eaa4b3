import { etcdClientFiles, etcdHostname } from "../../core/cilium/clustermesh-config.ts";
import { tlsLeaves } from "../../core/cilium/tls-leaves.ts";
import { log, ownMaterial, restartAgent, signedBy, type Victim } from "./material.ts";
import { AGENTS, byHand, PLACE, type RealLab, rolledOut } from "./real-lab.ts";

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
/** Nor this. */
const WRONG_DOMAIN = "mesh.example.org";
const SYSTEM = "kube-system";

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
    why: () => "^arrived from [\\d.]+, the node's address, instead of the pod's [\\d.]+: source NAT is on",
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
    async make(real, victim) {
        await log(real, victim, { [etcdClientFiles(victim.peer).ca]: (await ownMaterial(real, victim))["ca.crt"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*certificate signed by unknown authority`,
};

export const OTHER_CLIENT_CA: Fault = {
    async make(real, victim) {
        const { cert, key } = etcdClientFiles(victim.peer);
        const own = await ownMaterial(real, victim);
        await log(real, victim, { [cert]: own["tls.crt"] ?? "", [key]: own["tls.key"] ?? "" });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*client certificate is not signed by any acceptable CA`,
};

export const UNKNOWN_USER: Fault = {
    async make(real, victim) {
        const files = etcdClientFiles(victim.peer);
        const { cert, key } = await signedBy(real, victim.peer, { commonName: "somebody", use: "client_auth" });
        await log(real, victim, { [files.cert]: btoa(cert), [files.key]: btoa(key) });
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) => `${notConnected(peer)}.*permission denied`,
};

/** Of the peer's etcd, whose stack it is to be put back by: for all but peers it goes by its right names. */
export const WRONG_SERVER_NAME: Fault = {
    async make(real, victim) {
        const { commonName, use, ipAddresses } = tlsLeaves(victim.peer).server;
        const dnsNames = [commonName, `*.${WRONG_DOMAIN}`];
        const { cert, key } = await signedBy(real, victim.peer, { commonName, use, dnsNames, ipAddresses: [...ipAddresses] });
        const metadata = { name: "clustermesh-apiserver-server-cert", namespace: SYSTEM };
        const data = { "tls.crt": btoa(cert), "tls.key": btoa(key) };
        await byHand(real, victim.peer, { apiVersion: "v1", kind: "Secret", metadata, data });
        await restartAgent(real, victim);
    },
    check: "agents",
    subject: oneAgent,
    why: ({ peer }) =>
        `${notConnected(peer)}.*certificate is valid for .*${WRONG_DOMAIN.replaceAll(".", "\\.")}, not ${etcdHostname(peer)}`,
};

/** The agent runs with another cluster id than everything else of its cluster, as after an edit of `cilium-config` and a restart of its node. */
function runningWith(id: (victim: Victim) => number): Pick<Fault, "make" | "undo" | "check" | "subject"> {
    const restartWith = async (real: RealLab, victim: Victim, id: number) => {
        const metadata = { name: "cilium-config", namespace: SYSTEM };
        await byHand(real, victim.cluster, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "cluster-id": `${id}` } });
        await restartAgent(real, victim);
    };
    return {
        make: (real, victim) => restartWith(real, victim, id(victim)),
        // What Cilium's chart made is in no state: a refresh sees the release alone.
        undo: (real, victim) => restartWith(real, victim, idOf(victim.cluster)),
        check: "agents",
        subject: oneAgent,
    };
}

/** Cilium refuses the peer then. */
export const PEERS_ID: Fault = {
    ...runningWith(({ peer }) => idOf(peer)),
    why: ({ cluster, peer }) =>
        `^${peer}: refused: it has cluster id ${idOf(peer)}, the same as this agent's own cluster; ${otherId(cluster, peer, idOf(peer))}`,
};

/** All of Cilium is content; peers drop what the agent announces. */
export const NOBODYS_ID: Fault = {
    ...runningWith(() => 9),
    why: ({ cluster, peer }) => `${otherId(cluster, peer, 9)}`,
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

function otherId(cluster: string, peer: string, id: number): string {
    return `it runs with cluster id ${id}, but ${peer} knows ${cluster} by id ${idOf(cluster)}$`;
}

/** Of the sample stacks. */
function idOf(cluster: string): number {
    return Number(cluster.slice(-1));
}

function notConnected(peer: string): string {
    return `^${peer}: no connection to its etcd after \\d+ failures \\(.*\\): `;
}

import { z } from "zod";
import { shortStackName } from "../stack-names.ts";

/** Raised with every change after which the outputs of an older program can no longer be read. */
export const CONTRACT_VERSION = 1;

const Facts = z.object({
    /** Version of this contract. */
    contract: z.literal(CONTRACT_VERSION),
    /** Cilium's cluster name; also the name of the EKS cluster. Unique in the mesh. */
    name: z.string(),
    /** Cilium's cluster id, 1 to 127. Unique in the mesh. */
    id: z.int(),
    region: z.string(),
    accountId: z.string(),
    /** Role to assume for the cluster's account. Default: the credentials that run Pulumi. */
    assumeRole: z.string().optional(),
    clusterArn: z.string(),
    /** Minor version, as in "1.35". */
    kubernetesVersion: z.string(),
    ciliumVersion: z.string(),
    /** How Cilium attaches pods. Must be the same in all clusters of a mesh. */
    datapath: z.string(),
    maxConnectedClusters: z.int(),
    /** What connects to the peers' etcds: every agent, or the cluster's kvstoremesh. */
    wiring: z.enum(["direct", "kvstoremesh"]),
    /** Largest packet of a pod, in bytes. */
    mtu: z.int(),
    vpcId: z.string(),
    /** The VPC's IPv4 blocks, from which nodes and pods get their addresses. */
    vpcCidrs: z.array(z.cidrv4()).min(1),
    /** Every route table that a subnet of the VPC uses. */
    routeTableIds: z.array(z.string()).min(1),
    /** A subnet in each zone, for the ENIs of a Transit Gateway attachment. */
    attachmentSubnetIds: z.array(z.string()).min(1),
    serviceCidr: z.cidrv4(),
    /** The block of the nodes' Cilium router addresses. */
    ciliumPoolCidr: z.cidrv4(),
    /** Security groups of the nodes and therefore of the VPC CNI's pods. */
    nodeSecurityGroupIds: z.array(z.string()).min(1),
    /** The load balancer in front of the cluster's clustermesh-apiserver, with a fixed address in each zone. */
    etcd: z.object({ addresses: z.array(z.ipv4()).min(1), port: z.int(), securityGroupId: z.string() }),
    /** When the first of the etcd's certificates expires. A date, because the number of days left would change the output every day. */
    etcdCertificatesExpire: z.iso.datetime({ offset: true }),
});

const EtcdClient = z.object({
    /** PEM. The CA that signed the cluster's etcd server certificate. */
    ca: z.string(),
    /** PEM. The client certificate that peers use to read this cluster's etcd. */
    cert: z.string(),
    /** PEM. */
    key: z.string(),
});

const Secrets = z.object({ kubeconfig: z.string(), etcdClient: EtcdClient });

const Published = z.object({ ...Facts.shape, ...Secrets.shape });
export type Published = z.infer<typeof Published>;

/** Names of a cluster stack's outputs. */
export const PUBLISHED_KEYS = Object.keys(Published.shape) as (keyof Published)[];

/** The facts that a cluster publishes as plain values. The mesh depends on nothing else to decide which resources it has. */
export interface ClusterFacts extends z.infer<typeof Facts> {
    /** Full name of the cluster's stack. */
    stack: string;
}

export type EtcdClient = z.infer<typeof EtcdClient>;

/** The facts and the secrets in plain text, for programs outside the engine. */
export interface PublishedCluster extends ClusterFacts {
    kubeconfig: string;
    etcdClient: EtcdClient;
}

const MeshOutputs = z.object({
    network: z.enum(["peering", "transit-gateway"]),
    /** By cluster name. */
    members: z.record(z.string(), z.object({ ...Facts.shape, stack: z.string() })),
    /** Ids of peering connections by the names of the two clusters ("a.b"), or of Transit Gateways by region. */
    connections: z.record(z.string(), z.string()),
});

export type MeshOutputs = z.infer<typeof MeshOutputs>;

/**
 * Parses the outputs of a cluster stack.
 *
 * @param stack full name of the stack
 * @param outputs the outputs, secrets in plain text
 * @returns the cluster, or the problem as text: why the outputs cannot be used, and what to do
 */
export function parseCluster(stack: string, outputs: Record<string, unknown>): PublishedCluster | string {
    const deploy = `run \`pulumi up -s ${shortStackName(stack)}\``;
    if (Object.values(outputs).every((output) => output === undefined)) return `stack ${stack} has no outputs: ${deploy} first`;
    if (outputs.contract !== CONTRACT_VERSION) {
        return `stack ${stack} was deployed by ${age(outputs.contract)} version of this program (contract ${outputs.contract}, here ${CONTRACT_VERSION}): ${deploy} with this one`;
    }
    const parsed = Published.safeParse(outputs);
    return parsed.success ? { ...parsed.data, stack } : unreadable(stack, parsed.error);
}

/** Parses the outputs of a mesh stack: its clusters and connections. Returns a problem as `parseCluster` does. */
export function parseMesh(stack: string, outputs: Record<string, unknown>): MeshOutputs | string {
    if (Object.keys(outputs).length === 0) return `stack ${stack} has no outputs: run \`pulumi up -s ${shortStackName(stack)}\` first`;
    const parsed = MeshOutputs.safeParse(outputs);
    return parsed.success ? parsed.data : unreadable(stack, parsed.error);
}

function unreadable(stack: string, { issues }: z.ZodError): string {
    // Paths and reasons only: a value could be part of a private key.
    const missing = issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    return `stack ${stack} does not publish what the mesh needs (${missing.join("; ")}): run \`pulumi up -s ${shortStackName(stack)}\` with this version of the program`;
}

function age(contract: unknown): string {
    return typeof contract === "number" && contract > CONTRACT_VERSION ? "a newer" : "an older";
}

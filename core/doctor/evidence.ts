import { z } from "zod";
import { Certificate } from "../cilium/certificates.ts";
import type { ClusterFacts } from "../facts/schema.ts";

/** A part of the evidence, or why it could not be read. */
export type Known<T> = { value: T } | { unknown: string };

/** A part that was not requested. */
export const NOT_FETCHED = { unknown: "not fetched" } as const;

function known<S extends z.ZodType>(value: S) {
    return z.union([z.strictObject({ value }), z.strictObject({ unknown: z.string() })]);
}

const Alias = z.strictObject({ ip: z.string(), hostnames: z.array(z.string()) });

const Stack = z.strictObject({
    stack: z.string(),
    kind: z.enum(["cluster", "mesh"]),
    last: z.strictObject({ kind: z.string(), result: z.string(), at: z.string() }).optional(),
    locked: z.boolean(),
    pending: z.array(z.string()),
    /** Why its outputs cannot be read. */
    unreadable: z.string().optional(),
});

const Traffic = z.strictObject({ protocol: z.string(), fromPort: z.int().optional(), toPort: z.int().optional() });

/** As parseCluster in core/facts/schema.ts has read them. */
const MemberFacts = z.custom<ClusterFacts>((facts) => typeof facts === "object" && facts !== null && "name" in facts);

const Mesh = z.strictObject({
    stack: z.string(),
    /** Names of the clusters that it connects. */
    members: z.array(z.string()),
    network: z.enum(["peering", "transit-gateway"]),
    ingress: z.union([z.literal("all"), z.array(Traffic)]),
    connections: z.record(z.string(), z.string()),
    /** Differences between what it was last deployed with and what its file or its clusters' stacks say now. */
    outdated: z.array(z.strictObject({ stack: z.string(), what: z.string() })),
});

/** A certificate of a Secret, and whether the key belongs to it. */
const Material = z.strictObject({ certificate: Certificate, ca: z.array(Certificate), keyFits: z.boolean() });

/** How a cluster connects to a peer's etcd. */
const Peer = z.strictObject({
    endpoints: z.array(z.string()),
    aliases: z.array(z.strictObject({ hostname: z.string(), ips: z.array(z.string()) })),
    ca: z.array(Certificate),
    client: Certificate.nullable(),
    keyFits: z.boolean(),
});

/** The peers in a Secret. */
const Peers = z.strictObject({
    /** Why Cilium would reject it. */
    refused: z.string().optional(),
    peers: z.record(z.string(), Peer),
});

const Agent = z.strictObject({
    node: z.string(),
    pod: z.string(),
    ready: z.boolean(),
    /** Tag of its image. */
    version: z.string(),
    started: z.iso.datetime(),
    /** Peers that it does not see ready and synced, and the cause that `cilium-dbg troubleshoot` reports. */
    lagging: known(z.array(z.strictObject({ peer: z.string(), why: z.string(), trouble: z.string().optional() }))),
    /** Cluster ids: its own, and each peer's as published in the peer's etcd. */
    ids: known(z.strictObject({ own: z.int().optional(), peers: z.record(z.string(), z.int()) })),
    nodes: known(z.strictObject({ missing: z.array(z.string()), stale: z.array(z.string()) })),
    /** Nodes that its health checks do not reach. */
    health: known(z.array(z.strictObject({ node: z.string(), probe: z.string(), why: z.string(), at: z.string() }))),
});

export const KubernetesEvidence = z.strictObject({
    /** As in "v1.35.2-eks-1234567". */
    version: known(z.string()),
    /** Keys of `cilium-config` on which the mesh depends. */
    config: known(z.record(z.string(), z.string())),
    daemonSet: known(z.strictObject({ desired: z.int(), ready: z.int(), updated: z.int(), aliases: z.array(Alias) })),
    agents: known(z.array(Agent)),
    /** clustermesh-apiserver; null: it does not exist. */
    apiserver: known(
        z.strictObject({ replicas: z.int(), ready: z.int(), containers: z.array(z.string()), waiting: z.array(z.string()) }).nullable(),
    ),
    /** Environment of the VPC CNI's DaemonSet. */
    vpcCni: known(z.record(z.string(), z.string())),
    /** Running pods outside the host network, and those of them without a CiliumEndpoint. */
    pods: known(
        z.strictObject({
            all: z.int(),
            unmanaged: z.array(z.strictObject({ pod: z.string(), node: z.string(), since: z.iso.datetime(), owner: z.string() })),
        }),
    ),
    /** By the Secret's name; null: it does not exist. */
    material: z.record(z.string(), known(Material.nullable())),
    /** The Secret that connects to the peers: `cilium-clustermesh` with direct wiring, else `cilium-kvstoremesh`; null: it does not exist. */
    peers: known(Peers.nullable()),
    /** With KVStoreMesh: `cilium-clustermesh`, through which agents read the cached peers; null: it does not exist. */
    cached: known(Peers.nullable()).optional(),
    remoteUsers: known(z.boolean()),
});

const Route = z.strictObject({ table: z.string(), destination: z.string(), target: z.string(), state: z.string() });

const Rule = z.strictObject({ ...Traffic.shape, group: z.string(), source: z.string() });

const Target = z.strictObject({ id: z.string(), state: z.string(), reason: z.string().optional() });

const Aws = z.strictObject({
    routes: known(z.array(Route)),
    /** Ingress rules with a CIDR source, of the security groups of nodes and etcd. */
    rules: known(z.array(Rule)),
    /** States of peering connections by id, or of the VPC's attachment by the Transit Gateway's id. */
    connections: known(z.record(z.string(), z.string())),
    /** The load balancer in front of the etcd; null: it does not exist. */
    balancer: known(
        z.strictObject({ name: z.string(), state: z.string(), addresses: z.array(z.string()), targets: z.array(Target) }).nullable(),
    ),
});

const Cluster = z.strictObject({
    facts: MemberFacts,
    /** Stack of the mesh that the cluster belongs to; absent: it is in no deployed mesh. */
    mesh: z.string().optional(),
    /** The certificates that the stack publishes for peers. */
    published: z.strictObject({ ca: z.array(Certificate), client: z.array(Certificate) }),
    kubernetes: KubernetesEvidence,
    aws: Aws,
});

/** Everything that doctor and status judge, as JSON. It contains no keys and no tokens, and of certificates only public fields. */
export const Evidence = z.strictObject({
    version: z.literal(1),
    gatheredAt: z.iso.datetime(),
    stacks: z.array(Stack),
    meshes: z.array(Mesh),
    clusters: z.array(Cluster),
});

export type Evidence = z.infer<typeof Evidence>;
export type ClusterEvidence = z.infer<typeof Cluster>;
export type KubernetesEvidence = z.infer<typeof KubernetesEvidence>;
export type AwsEvidence = z.infer<typeof Aws>;
export type MeshEvidence = z.infer<typeof Mesh>;
export type StackEvidence = z.infer<typeof Stack>;
export type AgentEvidence = z.infer<typeof Agent>;
export type PeersEvidence = z.infer<typeof Peers>;
export type MaterialEvidence = z.infer<typeof Material>;

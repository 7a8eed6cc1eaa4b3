import { z } from "zod";
import { Certificate } from "../cilium/certificates.ts";
import type { ClusterFacts } from "../facts/schema.ts";

/** What was asked for, or why it could not be had. */
export type Known<T> = { value: T } | { unknown: string };

/** Of what was not gathered because nobody asked for it. */
export const LEFT_OUT = { unknown: "not asked for" } as const;

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

/** As contract.ts has read them. */
const MemberFacts = z.custom<ClusterFacts>((facts) => typeof facts === "object" && facts !== null && "name" in facts);

const Mesh = z.strictObject({
    stack: z.string(),
    /** Names of the clusters that it has joined. */
    members: z.array(z.string()),
    network: z.enum(["peering", "transit-gateway"]),
    ingress: z.union([z.literal("all"), z.array(Traffic)]),
    connections: z.record(z.string(), z.string()),
    /** Where what it was last deployed with is no longer what its file or its clusters' stacks say. */
    outdated: z.array(z.strictObject({ stack: z.string(), what: z.string() })),
});

/** A certificate with its key, of a Secret. */
const Material = z.strictObject({ certificate: Certificate, ca: z.array(Certificate), keyFits: z.boolean() });

/** How a cluster dials a peer. */
const Peer = z.strictObject({
    endpoints: z.array(z.string()),
    aliases: z.array(z.strictObject({ hostname: z.string(), ips: z.array(z.string()) })),
    ca: z.array(Certificate),
    client: Certificate.nullable(),
    keyFits: z.boolean(),
});

/** What a Secret tells of the peers. null: there is none. */
const Peers = z.strictObject({
    /** Why Cilium would refuse it. */
    refused: z.string().optional(),
    peers: z.record(z.string(), Peer),
});

const Agent = z.strictObject({
    node: z.string(),
    pod: z.string(),
    ready: z.boolean(),
    /** Of its image. */
    version: z.string(),
    started: z.iso.datetime(),
    /** Peers that it does not see ready and synced; and what its own troubleshooting says. */
    lagging: known(z.array(z.strictObject({ peer: z.string(), why: z.string(), trouble: z.string().optional() }))),
    /** Cluster ids: its own, and what each peer's etcd tells. */
    ids: known(z.strictObject({ own: z.int().optional(), peers: z.record(z.string(), z.int()) })),
    nodes: known(z.strictObject({ missing: z.array(z.string()), stale: z.array(z.string()) })),
    /** Nodes to which its health checks find no way. */
    health: known(z.array(z.strictObject({ node: z.string(), probe: z.string(), why: z.string(), at: z.string() }))),
});

const Kubernetes = z.strictObject({
    /** As in "v1.35.2-eks-1234567". */
    version: known(z.string()),
    /** Keys of `cilium-config` on which the mesh depends. */
    config: known(z.record(z.string(), z.string())),
    daemonSet: known(z.strictObject({ desired: z.int(), ready: z.int(), updated: z.int(), aliases: z.array(Alias) })),
    agents: known(z.array(Agent)),
    /** clustermesh-apiserver. null: there is none. */
    apiserver: known(
        z.strictObject({ replicas: z.int(), ready: z.int(), containers: z.array(z.string()), waiting: z.array(z.string()) }).nullable(),
    ),
    /** Environment of the VPC CNI's DaemonSet. */
    vpcCni: known(z.record(z.string(), z.string())),
    /** Running pods outside the host's network, and those of them that Cilium knows nothing of. */
    pods: known(
        z.strictObject({
            all: z.int(),
            unmanaged: z.array(z.strictObject({ pod: z.string(), node: z.string(), since: z.iso.datetime(), owner: z.string() })),
        }),
    ),
    /** By the Secret's name. null: there is none. */
    material: z.record(z.string(), known(Material.nullable())),
    /** By whom peers are dialled: `cilium-clustermesh` with direct wiring, else `cilium-kvstoremesh`. */
    peers: known(Peers.nullable()),
    /** With KVStoreMesh: where agents look for the peers. */
    cached: known(Peers.nullable()).optional(),
    remoteUsers: known(z.boolean()),
});

const Route = z.strictObject({ table: z.string(), destination: z.string(), target: z.string(), state: z.string() });

const Rule = z.strictObject({ ...Traffic.shape, group: z.string(), source: z.string() });

const Target = z.strictObject({ id: z.string(), state: z.string(), reason: z.string().optional() });

const Aws = z.strictObject({
    routes: known(z.array(Route)),
    /** Ingress rules for address blocks, of the groups of nodes and etcd. */
    rules: known(z.array(Rule)),
    /** Peering connections by their id, or the attachment by its gateway's. */
    connections: known(z.record(z.string(), z.string())),
    /** The load balancer before the etcd. null: there is none. */
    balancer: known(
        z.strictObject({ name: z.string(), state: z.string(), addresses: z.array(z.string()), targets: z.array(Target) }).nullable(),
    ),
});

const Cluster = z.strictObject({
    facts: MemberFacts,
    /** What the stack hands out to peers. */
    published: z.strictObject({ ca: z.array(Certificate), client: z.array(Certificate) }),
    kubernetes: Kubernetes,
    aws: Aws,
});

/** Everything that doctor and status look at, as JSON: no key and no token is in it, and certificates only by what is public in them. */
export const Evidence = z.strictObject({
    version: z.literal(1),
    gatheredAt: z.iso.datetime(),
    stacks: z.array(Stack),
    meshes: z.array(Mesh),
    clusters: z.array(Cluster),
});

export type Evidence = z.infer<typeof Evidence>;
export type ClusterEvidence = z.infer<typeof Cluster>;
export type KubernetesEvidence = z.infer<typeof Kubernetes>;
export type AwsEvidence = z.infer<typeof Aws>;
export type MeshEvidence = z.infer<typeof Mesh>;
export type StackEvidence = z.infer<typeof Stack>;
export type AgentEvidence = z.infer<typeof Agent>;
export type PeersEvidence = z.infer<typeof Peers>;
export type MaterialEvidence = z.infer<typeof Material>;

/** What `run` gives, or why not: what cannot be gathered is evidence, too. */
export async function attempt<T>(run: () => Promise<T>, explain: (error: unknown) => string): Promise<Known<T>> {
    try {
        return { value: await run() };
    } catch (error) {
        return { unknown: explain(error) };
    }
}

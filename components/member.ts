import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { cachedEntry, directEntry, etcdClientFiles, kvstoremeshEntry, withCertificates } from "../core/cilium/clustermesh-config.ts";
import { hostAliases } from "../core/network/mesh.ts";
import type { Cluster } from "./cluster.ts";
import { forcedSecret } from "./forced-secret.ts";

/** Field manager of the mesh's fields in Cilium's DaemonSet. Helm and kubectl use other names and do not touch them. */
const FIELD_MANAGER = "clustermesh";

export interface MemberArgs {
    self: Cluster;
    peers: readonly Cluster[];
}

/**
 * The mesh configuration of one cluster: its peers, the addresses of their etcds and the credentials for them. Read by its agents (direct wiring) or by its
 * kvstoremesh. Destroying it removes the peers, and the host aliases with them.
 */
export class Member extends pulumi.ComponentResource {
    /** Changes with the mesh configuration, and when `up` reverts a manual change to it. */
    readonly revision: pulumi.Output<string>;

    constructor(name: string, { self, peers }: MemberArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Member", name, {}, opts);
        this.revision = self.wiring === "direct" ? directWiring(name, peers, this) : kvstoremeshWiring(name, peers, this);
        this.registerOutputs({});
    }
}

/** Agents dial the peers' etcds. */
function directWiring(name: string, peers: readonly Cluster[], parent: Member): pulumi.Output<string> {
    const entries = peerEntries(peers, ({ name, etcdClient }) => etcdClient.apply((client) => withCertificates(directEntry(name), client)));
    const secret = peersSecret(name, "cilium-clustermesh", { ...entries, ...clientFiles(peers) }, { parent });
    const aliases = patchHostAliases(name, peers, { parent, dependsOn: secret });
    return pulumi.interpolate`${secret.metadata.resourceVersion} ${aliases.metadata.apply((metadata) => metadata?.generation)}`;
}

/** kvstoremesh dials the peers' etcds; agents read the local etcd. */
function kvstoremeshWiring(name: string, peers: readonly Cluster[], parent: Member): pulumi.Output<string> {
    const entries = peerEntries(peers, ({ name, etcd, etcdClient }) =>
        etcdClient.apply((client) => withCertificates(kvstoremeshEntry(name, etcd.addresses), client)),
    );
    const remote = peersSecret(name, "cilium-kvstoremesh", { ...entries, ...clientFiles(peers) }, { parent });
    // After the remote Secret: otherwise agents would look for peers in a local etcd that nobody fills yet.
    const cached = peersSecret(name, "cilium-clustermesh", peerEntries(peers, cachedEntry), { parent, dependsOn: [remote] });
    // A patch without fields instead of no patch: Pulumi would delete the host aliases of an earlier direct wiring last, and agents would roll after the gate.
    patchHostAliases(name, [], { parent, dependsOn: cached });
    return pulumi.interpolate`${remote.metadata.resourceVersion} ${cached.metadata.resourceVersion}`;
}

function peerEntries(peers: readonly Cluster[], entry: (peer: Cluster) => pulumi.Input<string>): Record<string, pulumi.Input<string>> {
    return Object.fromEntries(peers.map((peer) => [peer.name, entry(peer)]));
}

function peersSecret(name: string, secretName: string, files: Record<string, pulumi.Input<string>>, opts: pulumi.CustomResourceOptions) {
    return forcedSecret(`${name}-${secretName}`, { secretName, files }, opts);
}

/**
 * Lets agents resolve the peers' etcds: they run in the host's network and connect before any cluster DNS works, so the names are in their hosts file. A change
 * rolls the agents.
 */
function patchHostAliases(name: string, peers: readonly Cluster[], opts: pulumi.CustomResourceOptions) {
    const aliases = hostAliases(peers);
    return new kubernetes.apps.v1.DaemonSetPatch(
        `${name}-cilium`,
        {
            metadata: {
                name: "cilium",
                namespace: "kube-system",
                annotations: {
                    "pulumi.com/patchFieldManager": FIELD_MANAGER,
                    "pulumi.com/patchForce": "true",
                    "pulumi.com/timeoutSeconds": "1800",
                },
            },
            ...(aliases.length > 0 && { spec: { template: { spec: { hostAliases: aliases } } } }),
        },
        opts,
    );
}

/** The TLS files for the peers' etcds, by file name. */
function clientFiles(peers: readonly Cluster[]): Record<string, pulumi.Output<string>> {
    return Object.fromEntries(
        peers.flatMap((peer) => {
            const files = etcdClientFiles(peer.name);
            return [
                [files.ca, peer.etcdClient.apply(({ ca }) => ca)],
                [files.cert, peer.etcdClient.apply(({ cert }) => cert)],
                [files.key, peer.etcdClient.apply(({ key }) => key)],
            ];
        }),
    );
}

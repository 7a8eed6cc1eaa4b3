import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { cachedEntry, directEntry, etcdClientFiles, kvstoremeshEntry, withCertificates } from "../core/cilium/clustermesh-config.ts";
import { hostAliases } from "../core/network/mesh.ts";
import type { Cluster } from "./cluster.ts";

/** Owner of the fields that the mesh puts into Cilium's DaemonSet. Helm and kubectl go by other names and leave them alone. */
const FIELD_MANAGER = "clustermesh";

export interface MemberArgs {
    self: Cluster;
    peers: readonly Cluster[];
}

/**
 * What one cluster is told of its peers: who they are, where their etcds are and how to be let in. Read by its agents (direct wiring) or by its kvstoremesh.
 * Destroying it takes the peers away again, and the host aliases with them.
 */
export class Member extends pulumi.ComponentResource {
    /** Changes with whatever the agents are told, also when somebody else has changed it and it is put back. */
    readonly revision: pulumi.Output<string>;

    constructor(name: string, { self, peers }: MemberArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Member", name, {}, opts);
        const parent = this;

        const clientFiles = Object.assign({}, ...peers.map(peerFiles));
        if (self.wiring === "direct") {
            const entries = peerEntries(({ name, etcdClient }) =>
                etcdClient.apply((client) => withCertificates(directEntry(name), client)),
            );
            const secret = peersSecret("cilium-clustermesh", { ...entries, ...clientFiles });
            const aliases = resolvePeers(peers, secret);
            this.revision = pulumi.interpolate`${secret.metadata.resourceVersion} ${aliases.metadata.apply((metadata) => metadata?.generation)}`;
        } else {
            const entries = peerEntries(({ name, etcd, etcdClient }) =>
                etcdClient.apply((client) => withCertificates(kvstoremeshEntry(name, etcd.addresses), client)),
            );
            const remote = peersSecret("cilium-kvstoremesh", { ...entries, ...clientFiles });
            // After it: agents would otherwise look for peers in a local etcd that nobody fills yet.
            const cached = peersSecret("cilium-clustermesh", peerEntries(cachedEntry), [remote]);
            // Empty rather than absent: aliases of an earlier direct wiring would go last of all, and the agents roll after the gate, with nobody waiting.
            resolvePeers([], cached);
            this.revision = pulumi.interpolate`${remote.metadata.resourceVersion} ${cached.metadata.resourceVersion}`;
        }
        this.registerOutputs({});

        function peerEntries(entry: (peer: Cluster) => pulumi.Input<string>): Record<string, pulumi.Input<string>> {
            return Object.fromEntries(peers.map((peer) => [peer.name, entry(peer)]));
        }

        function peersSecret(secretName: string, files: Record<string, pulumi.Input<string>>, dependsOn: pulumi.Resource[] = []) {
            // data, not stringData: a key that leaves stringData stays in the Secret, and the peer in the mesh.
            const data = Object.fromEntries(
                Object.entries(files).map(([file, text]) => [
                    file,
                    pulumi.secret(pulumi.output(text).apply((plain) => Buffer.from(plain).toString("base64"))),
                ]),
            );
            return new kubernetes.core.v1.Secret(
                `${name}-${secretName}`,
                // The mesh's alone: what somebody has changed by hand would otherwise be a conflict at the next `up`, rather than be put back.
                { metadata: { name: secretName, namespace: "kube-system", annotations: { "pulumi.com/patchForce": "true" } }, data },
                { parent, dependsOn },
            );
        }

        /** Agents live in the host's network and dial before any cluster DNS works, so the names stand in their hosts file. Rolls the agents when they change. */
        function resolvePeers(dialled: readonly Cluster[], secret: kubernetes.core.v1.Secret) {
            const aliases = hostAliases(dialled);
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
                { parent, dependsOn: secret },
            );
        }
    }
}

/** The material that a peer handed out, by file name. */
function peerFiles(peer: Cluster): Record<string, pulumi.Output<string>> {
    const files = etcdClientFiles(peer.name);
    return {
        [files.ca]: peer.etcdClient.apply(({ ca }) => ca),
        [files.cert]: peer.etcdClient.apply(({ cert }) => cert),
        [files.key]: peer.etcdClient.apply(({ key }) => key),
    };
}

import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "./cluster.ts";

/** Seconds that the command is given beyond its own limit, to say what is missing. */
const GRACE_SECONDS = 120;

export interface ReadyGateArgs {
    self: Cluster;
    peers: readonly Cluster[];
    /** What the cluster's agents are told, as `Member.revision`. */
    told: pulumi.Output<string>;
    timeoutSeconds: number;
    healAfterSeconds: number;
}

/** Holds `up` until every agent of a cluster sees every other cluster (gate/main.ts). Passes again whenever what the agents are told has changed. */
export class ReadyGate extends pulumi.ComponentResource {
    constructor(name: string, args: ReadyGateArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:ReadyGate", name, {}, opts);
        const { self, peers, told, timeoutSeconds, healAfterSeconds } = args;
        const limit = `${timeoutSeconds + GRACE_SECONDS}s`;
        const settings = { timeoutSeconds, healAfterSeconds, cluster: self.name, peers: peers.map((peer) => peer.name) };
        // Relative to the project's folder, where the provider runs it: an absolute path would be a change on every other machine.
        const run = "node gate/main.ts";
        new command.local.Command(
            name,
            {
                create: run,
                update: run,
                environment: pulumi.secret({
                    CLUSTERMESH_GATE: JSON.stringify(settings),
                    CLUSTERMESH_KUBECONFIG: self.kubeconfig,
                    CLUSTERMESH_REVISION: revision([self, ...peers], told),
                }),
                logging: command.types.enums.local.Logging.StdoutAndStderr,
            },
            { parent: this, customTimeouts: { create: limit, update: limit } },
        );
        this.registerOutputs({});
    }
}

/**
 * Changes with whatever makes agents connect anew: addresses, certificates, versions, and what is put back after somebody has changed it, since an agent that was
 * given another CA keeps it for a quarter of an hour (pkg/kvstore/etcd.go, initialConnectionTimeout). A digest, so it tells nothing.
 */
function revision(members: readonly Cluster[], told: pulumi.Output<string>): pulumi.Output<string> {
    return pulumi.all([pulumi.all(members.map(({ etcdClient }) => etcdClient)), told]).apply(([clients, told]) => {
        const state = members.map(({ name, ciliumVersion, wiring, etcd: { addresses } }, i) => ({
            name,
            ciliumVersion,
            wiring,
            addresses,
            client: clients[i],
        }));
        return createHash("sha256")
            .update(JSON.stringify([told, ...state]))
            .digest("hex");
    });
}

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { extname, join, relative } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "./cluster.ts";

/** Seconds that the command has beyond its own timeout, to report what is missing. */
const GRACE_SECONDS = 120;

export interface ReadyGateArgs {
    self: Cluster;
    peers: readonly Cluster[];
    /** `Member.revision` of the cluster. */
    memberRevision: pulumi.Output<string>;
    timeoutSeconds: number;
    healAfterSeconds: number;
}

/** Blocks `up` until every agent of a cluster sees every other cluster (gate/main.ts). Runs again whenever the mesh configuration of the agents changes. */
export class ReadyGate extends pulumi.ComponentResource {
    constructor(name: string, args: ReadyGateArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:ReadyGate", name, {}, opts);
        const { self, peers, memberRevision, timeoutSeconds, healAfterSeconds } = args;
        const limit = `${timeoutSeconds + GRACE_SECONDS}s`;
        const settings = { timeoutSeconds, healAfterSeconds, cluster: self.name, peers: peers.map((peer) => peer.name) };
        const run = `node ${gateProgram()}`;
        new command.local.Command(
            name,
            {
                create: run,
                update: run,
                environment: pulumi.secret({
                    CLUSTERMESH_GATE: JSON.stringify(settings),
                    CLUSTERMESH_KUBECONFIG: self.kubeconfig,
                    CLUSTERMESH_REVISION: revision([self, ...peers], memberRevision),
                }),
                logging: command.types.enums.local.Logging.StdoutAndStderr,
            },
            { parent: this, customTimeouts: { create: limit, update: limit } },
        );
        this.registerOutputs({});
    }
}

/**
 * Changes with everything that makes agents reconnect: addresses, certificates, versions, and configuration that is restored after a manual change, because an
 * agent that has read a wrong CA keeps it for 15 minutes (pkg/kvstore/etcd.go, initialConnectionTimeout). A digest, so it reveals nothing.
 */
function revision(members: readonly Cluster[], memberRevision: pulumi.Output<string>): pulumi.Output<string> {
    return pulumi.all([pulumi.all(members.map(({ etcdClient }) => etcdClient)), memberRevision]).apply(([clients, own]) => {
        const state = members.map(({ name, ciliumVersion, wiring, etcd: { addresses } }, i) => ({
            name,
            ciliumVersion,
            wiring,
            addresses,
            client: clients[i],
        }));
        return createHash("sha256")
            .update(JSON.stringify([own, ...state]))
            .digest("hex");
    });
}

/**
 * The gate's program: gate/main.ts, or gate/main.js of the package. Relative to the working directory, in which the provider runs it: an absolute path would be
 * a diff on every other machine.
 */
function gateProgram(): string {
    const program = `gate/main${extname(import.meta.filename)}`;
    return existsSync(program) ? program : relative(process.cwd(), join(import.meta.dirname, "..", program));
}

import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../contract.ts";
import { peersOf } from "../core/mesh.ts";

/** Seconds that the command is given beyond its own limit, to say what is missing. */
const GRACE_SECONDS = 120;

export interface ReadyGateArgs {
    members: readonly Cluster[];
    /** What each cluster's agents are told, as `Member.revision`. */
    told: readonly pulumi.Output<string>[];
    timeoutSeconds: number;
    healAfterSeconds: number;
}

/** Holds `up` until every agent of every cluster sees every other one (gate/main.ts). Passes again whenever what the agents are told has changed. */
export class ReadyGate extends pulumi.ComponentResource {
    constructor(name: string, { members, told, timeoutSeconds, healAfterSeconds }: ReadyGateArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:ReadyGate", name, {}, opts);
        const limit = `${timeoutSeconds + GRACE_SECONDS}s`;
        const variable = (member: Cluster) => `CLUSTERMESH_KUBECONFIG_${member.id}`;
        const settings = {
            timeoutSeconds,
            healAfterSeconds,
            members: Object.fromEntries(
                members.map((member) => [
                    member.name,
                    { peers: peersOf(member, members).map((peer) => peer.name), kubeconfigVariable: variable(member) },
                ]),
            ),
        };
        // Relative to the project's folder, where the provider runs it: an absolute path would be a change on every other machine.
        const run = "node gate/main.ts";
        new command.local.Command(
            name,
            {
                create: run,
                update: run,
                environment: pulumi.secret({
                    CLUSTERMESH_GATE: JSON.stringify(settings),
                    CLUSTERMESH_REVISION: revision(members, told),
                    ...Object.fromEntries(members.map((member) => [variable(member), member.kubeconfig])),
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
function revision(members: readonly Cluster[], told: readonly pulumi.Output<string>[]): pulumi.Output<string> {
    const material = pulumi.all(members.map(({ etcdClient }) => etcdClient));
    return pulumi.all([material, pulumi.all([...told])]).apply(([clients, told]) => {
        const state = members.map(({ name, ciliumVersion, wiring, etcd: { addresses } }, i) => ({
            name,
            ciliumVersion,
            wiring,
            addresses,
            client: clients[i],
            told: told[i],
        }));
        return createHash("sha256").update(JSON.stringify(state)).digest("hex");
    });
}

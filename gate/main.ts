import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { awaitMesh } from "../core/gate.ts";
import { kubernetesAgents } from "../kubernetes/agents.ts";
import { kubernetesClients } from "../kubernetes/clients.ts";

/**
 * The ready gate, run by the mesh stack (components/ready-gate.ts). Settings and kubeconfigs come through the environment: a command line can be read by
 * every process of the machine. Ends with 0 when the mesh is ready, with 1 and the reasons when it does not get so in time.
 */
const Settings = z.object({
    timeoutSeconds: z.int(),
    healAfterSeconds: z.int(),
    /** By cluster name: its peers, and the variable that holds its kubeconfig. */
    members: z.record(z.string(), z.object({ peers: z.array(z.string()), kubeconfigVariable: z.string() })),
});

const { members, ...times } = Settings.parse(JSON.parse(process.env.CLUSTERMESH_GATE ?? "{}"));
const kubeconfigs = Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, process.env[member.kubeconfigVariable] ?? ""]),
);
const peers = Object.fromEntries(Object.entries(members).map(([name, member]) => [name, member.peers]));

try {
    await awaitMesh({ ...times, peers }, kubernetesAgents(kubernetesClients(kubeconfigs)), { now: Date.now, sleep }, (line) =>
        console.log(line),
    );
} catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
}
// Connections that are still open must not keep the stack waiting.
process.exit(0);

import { z } from "zod";
import { awaitMesh, machineClock } from "../core/gate.ts";
import { kubernetesAgents } from "../kubernetes/agents.ts";
import { kubernetesClients } from "../kubernetes/clients.ts";

/**
 * A cluster's ready gate, run by the mesh stack (components/ready-gate.ts). Settings and kubeconfig come in the environment, because every process on the machine
 * can read a command line. Exits with 0 when all agents see all peers, and with 1 and the reasons on a timeout.
 */
const Settings = z.object({ timeoutSeconds: z.int(), healAfterSeconds: z.int(), cluster: z.string(), peers: z.array(z.string()) });

const { cluster, peers, ...times } = Settings.parse(JSON.parse(process.env.CLUSTERMESH_GATE ?? "{}"));
const agents = kubernetesAgents(kubernetesClients({ [cluster]: process.env.CLUSTERMESH_KUBECONFIG ?? "" }));

try {
    await awaitMesh({ ...times, peers: { [cluster]: peers } }, agents, machineClock(), (line) => console.log(line));
} catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
}
// Open connections would keep the process, and so the stack, waiting.
process.exit(0);

// Runs a cluster with one node and one pod until it is killed: node packages/lab/tests/nodes-real/owner.ts <folder>
import { mkdirSync } from "node:fs";
import { CoreV1Api } from "@kubernetes/client-node";
import { nodePrograms } from "../../nodes-real/node-programs.ts";
import { ensureDebian } from "../../tools/debian.ts";
import { addon, client, nodeCluster, podIs } from "./harness.ts";

const folder = process.argv[2] ?? "";
mkdirSync(folder, { recursive: true });
const cluster = await nodeCluster(folder, await nodePrograms(await ensureDebian(), {}, []));
await addon(cluster, "vpc-cni");
await cluster.addNode(1);
const container = { name: "c", image: "busybox", command: ["sleep", "1000"] };
await client(cluster, CoreV1Api).createNamespacedPod({
    namespace: "default",
    body: { metadata: { name: "owned" }, spec: { containers: [container] } },
});
await podIs(cluster, "owned", ({ status }) => status?.phase === "Running");
console.log("runs");

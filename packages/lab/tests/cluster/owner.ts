// Runs a cluster until it is killed: node packages/lab/tests/cluster/owner.ts <folder>
import { testCluster, testNode } from "../harness.ts";

const cluster = await testCluster("owned", process.argv[2] ?? "");
await cluster.addNodes([testNode(1)]);
console.log(JSON.stringify({ endpoint: cluster.endpoint, pids: cluster.pids }));

// Builds etcd until it is killed: node packages/lab/tests/tools/builder.ts <cache folder>
import { ensureTools } from "../../tools/tools.ts";

await ensureTools(["etcd"], { path: "", cache: process.argv[2] ?? "", log: (line) => console.log(line) });

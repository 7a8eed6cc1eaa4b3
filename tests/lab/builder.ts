// Builds etcd until it is killed: node tests/lab/builder.ts <cache folder>
import { ensureTools } from "../../lab/tools/tools.ts";

await ensureTools(["etcd"], { path: "", cache: process.argv[2] ?? "", tell: (line) => console.log(line) });

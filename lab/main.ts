import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type DriverOptions, deployMesh, type EngineEvent, previewMesh } from "../cli/driver.ts";
import { readPlan } from "../cli/plan.ts";
import { advance, logLine, type Progress, START } from "../cli/progress.ts";
import { type Lab, startLab } from "./lab.ts";
import { pathMatrix } from "./matrix.ts";

const { values: options } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const started = Date.now();
const elapsed = () => (Date.now() - started) / 1000;
const tell = (line: string) => console.log(`${String(Math.round(elapsed())).padStart(4)} s  ${line}`);

/** Every stack's progress, a line for each resource that is finished. */
function watch(): (stack: string, event: EngineEvent) => void {
    const progress = new Map<string, Progress>();
    return (stack, event) => {
        const next = advance(progress.get(stack) ?? START, event);
        progress.set(stack, next);
        const line = logLine(stack, next, elapsed());
        if (line) console.log(line);
    };
}

const plan = readPlan(".");
const stacks = { clusters: plan.clusters.map(({ stack }) => stack), meshes: plan.meshes.map(({ stack }) => stack) };
const folder = mkdtempSync(join(tmpdir(), "clustermesh-lab-"));
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));

let lab: Lab | undefined;
try {
    lab = await startLab({
        folder,
        tell,
        stacks: Object.fromEntries([...plan.clusters, ...plan.meshes].map(({ stack, config }) => [stack, config])),
    });
    const driver: DriverOptions = { folder: lab.project, env: lab.env, onEvent: watch(), signal: interrupted.signal };
    tell(`deploying ${stacks.clusters.join(" and ")}, then ${stacks.meshes.join(", ")}, over a simulated AWS`);
    await deployMesh({ ...stacks, meshes: [] }, driver);
    report(lab, "before the mesh stack");
    await deployMesh({ clusters: [], meshes: stacks.meshes }, driver);
    report(lab, "with the mesh");
    const changes = await previewMesh(stacks, { ...driver, onEvent: () => {} });
    for (const [stack, { same = 0, ...others }] of changes)
        tell(`preview of ${stack}: ${same} unchanged${Object.keys(others).length > 0 ? `, but ${JSON.stringify(others)}` : ""}`);
    if (options.keep) await stayUp(lab);
} catch (error) {
    const failures = error instanceof AggregateError ? error.errors : [error];
    for (const failure of failures) console.error(failure instanceof Error ? failure.message : failure);
    process.exitCode = 1;
} finally {
    await lab?.destroy();
}

/** The share of paths that are open, for each ordered pair of clusters. */
function report({ aws, clusters }: Lab, when: string): void {
    const tried = pathMatrix(aws, clusters.running(), { protocol: "tcp", port: 8080 });
    const pairs = new Map<string, { open: number; all: number; why?: string }>();
    for (const { from, to, open, path } of tried) {
        const pair = pairs.get(`${from} → ${to}`) ?? { open: 0, all: 0 };
        pairs.set(`${from} → ${to}`, { open: pair.open + (open ? 1 : 0), all: pair.all + 1, ...(!open && { why: path.said }) });
    }
    for (const [pair, { open, all, why }] of pairs)
        tell(`${when}: ${pair}: ${open} of ${all} paths between nodes and pods open${why ? `; ${why}` : ""}`);
}

/** Tells how to look around, and waits for an interrupt. */
async function stayUp({ project, env }: Lab): Promise<void> {
    const shown = Object.entries(env).map(([name, value]) => `export ${name}='${value}'`);
    console.log(
        [
            "",
            "The lab stays up. To look around:",
            ...shown,
            `export CLUSTERMESH_LAB_TOKENS='${process.env.CLUSTERMESH_LAB_TOKENS}'`,
            `cd ${project}`,
            "pulumi stack -s cluster1",
            "pulumi stack output kubeconfig --show-secrets -s cluster1 > /tmp/cluster1.kubeconfig && kubectl --kubeconfig /tmp/cluster1.kubeconfig get pods -A",
            "",
            "Ctrl-C ends it and removes everything.",
        ].join("\n"),
    );
    await new Promise((resolve) => interrupted.signal.addEventListener("abort", resolve, { once: true }));
}

import { once } from "node:events";
import type { EngineEvent } from "../cli/driver.ts";
import { advance, logLine, type Progress, START } from "../cli/progress.ts";
import type { Lab } from "./lab.ts";
import { pathMatrix } from "./matrix.ts";
import { inLab, PHASES, readOptions } from "./run.ts";
import { executable } from "./tools/on-path.ts";

const options = readOptions({ keep: { type: "boolean", default: false }, real: { type: "string" } });
const started = Date.now();
const elapsed = () => (Date.now() - started) / 1000;
const tell = (line: string) => console.log(`${String(Math.round(elapsed())).padStart(4)} s  ${line}`);

const code = await inLab({ tell, onEvent: watch(), real: options.real?.split(",").filter(Boolean) }, async (run, interrupted) => {
    const { lab, stacks } = run;
    tell(`deploying ${stacks.clusters.join(" and ")}, then ${stacks.meshes.join(", ")}, over a simulated AWS`);
    await PHASES.clusters(run);
    report(lab, "before the mesh stack");
    await PHASES.mesh(run);
    report(lab, "with the mesh");
    for (const [stack, { same = 0, ...others }] of await PHASES.preview(run))
        tell(`preview of ${stack}: ${same} unchanged${Object.keys(others).length > 0 ? `, but ${JSON.stringify(others)}` : ""}`);
    if (!options.keep) return;
    for (const line of howToLookAround(lab, stacks.clusters[0] ?? "")) console.log(line);
    if (!interrupted.aborted) await once(interrupted, "abort");
});
process.exit(code);

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

function howToLookAround({ shellFile, project }: Lab, cluster: string): string[] {
    return [
        "",
        "The lab stays up. To look around, in another shell:",
        `. ${shellFile}`,
        `cd ${project}`,
        `pulumi stack -s ${cluster}`,
        `pulumi stack output kubeconfig --show-secrets -s ${cluster} > ${cluster}.kubeconfig`,
        `kubectl --kubeconfig ${cluster}.kubeconfig get pods -A`,
        ...(process.env.PATH?.split(":").some((folder) => executable(`${folder}/kubectl`))
            ? []
            : ["(no kubectl is on the PATH: https://kubernetes.io/docs/tasks/tools/ says how to install one)"]),
        "",
        "Ctrl-C ends it and removes everything.",
    ];
}

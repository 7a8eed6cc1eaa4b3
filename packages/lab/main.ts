import { once } from "node:events";
import type { EngineEvent } from "../../cli/engine/driver.ts";
import { advance, logLine, type Progress, START } from "../../cli/ui/progress.ts";
import { allPassed } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import type { Lab } from "./lab.ts";
import { pathMatrix } from "./matrix.ts";
import { inLab, PHASES, readOptions, verifyLab } from "./run.ts";
import { executable } from "./tools/on-path.ts";

const options = readOptions({
    keep: { type: "boolean", default: false },
    real: { type: "string" },
    "simulated-nodes": { type: "boolean", default: false },
});
const started = Date.now();
const elapsed = () => (Date.now() - started) / 1000;
const log = (line: string) => console.log(`${String(Math.round(elapsed())).padStart(4)} s  ${line}`);

const settings = { log, onEvent: watch(), real: options.real?.split(",").filter(Boolean), simulatedNodes: options["simulated-nodes"] };
const code = await inLab(settings, async (run, interrupted) => {
    const { lab, stacks } = run;
    log(`deploying ${stacks.clusters.join(" and ")}, then ${stacks.meshes.join(", ")}, over a simulated AWS`);
    await PHASES.clusters(run);
    await showPaths(lab, "before the mesh stack", interrupted);
    await PHASES.mesh(run);
    const open = lab.dataPlane.network ? true : await showPaths(lab, "with the mesh", interrupted);
    const proven = open && (!lab.dataPlane.connected || (await proves(lab, interrupted)));
    for (const [stack, { same = 0, ...others }] of await PHASES.preview(run))
        log(`preview of ${stack}: ${same} unchanged${Object.keys(others).length > 0 ? `, but ${JSON.stringify(others)}` : ""}`);
    if (options.keep) {
        for (const line of howToLookAround(lab, stacks.clusters[0] ?? "")) console.log(line);
        if (!interrupted.aborted) await once(interrupted, "abort");
    }
    if (!proven) throw new Error("the mesh is not what it should be: see the table above");
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

/** Shows who reaches whom by IP, one line for each ordered pair of clusters: by real packets where there are any, else as computed. @returns whether all do */
async function showPaths(lab: Lab, when: string, signal: AbortSignal): Promise<boolean> {
    const pairs = lab.dataPlane.network ? await triedPaths(lab, signal) : computedPaths(lab);
    for (const { from, to, passed, tried, why } of pairs)
        log(`${when}: ${from} → ${to}: ${passed} of ${tried} paths open${why ? `; ${why}` : ""}`);
    return pairs.every(({ passed, tried }) => passed === tried);
}

interface Paths {
    from: string;
    to: string;
    passed: number;
    tried: number;
    /** Of one that did not pass. */
    why?: string | undefined;
}

async function triedPaths(lab: Lab, signal: AbortSignal): Promise<Paths[]> {
    const { pairs, checks } = await verifyLab(lab, { only: ["pairs"], nodesPerCluster: 1, signal });
    const failed = checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome === "failed");
    return pairs.map((pair) => ({ ...pair, why: failed.find(({ subject }) => subject.startsWith(`${pair.from}/`))?.why }));
}

function computedPaths({ aws, clusters }: Lab): Paths[] {
    const all = pathMatrix(aws, clusters.running(), { protocol: "tcp", port: 8080 });
    return [...Map.groupBy(all, ({ from, to }) => `${from} ${to}`).values()].map((tried) => {
        const [{ from, to } = { from: "", to: "" }] = tried;
        const closed = tried.filter(({ open }) => !open);
        return { from, to, passed: tried.length - closed.length, tried: tried.length, why: closed[0]?.path.said };
    });
}

/** Proves the mesh by everything that `verify` can do here, and shows it. */
async function proves(lab: Lab, signal: AbortSignal): Promise<boolean> {
    // Simulated nodes run no test pods.
    const only = lab.dataPlane.network ? {} : { only: ["agents" as const] };
    const report = await verifyLab(lab, { ...only, log: (line) => log(`verify: ${line}`), signal });
    console.log(reportTable(report));
    return allPassed(report);
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

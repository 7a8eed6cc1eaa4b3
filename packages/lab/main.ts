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
    const passed = open && (!lab.dataPlane.connected || (await verifyMesh(lab, interrupted)));
    for (const [stack, { same = 0, ...others }] of await PHASES.preview(run))
        log(`preview of ${stack}: ${same} unchanged${Object.keys(others).length > 0 ? `, but ${JSON.stringify(others)}` : ""}`);
    if (options.keep) {
        for (const line of instructions(lab, stacks.clusters[0] ?? "")) console.log(line);
        if (!interrupted.aborted) await once(interrupted, "abort");
    }
    if (!passed) throw new Error("the mesh does not work: see the failures above");
});
process.exit(code);

/** Prints the progress of all stacks: one line for each finished resource. */
function watch(): (stack: string, event: EngineEvent) => void {
    const progress = new Map<string, Progress>();
    return (stack, event) => {
        const next = advance(progress.get(stack) ?? START, event);
        progress.set(stack, next);
        const line = logLine(stack, next, elapsed());
        if (line) console.log(line);
    };
}

/**
 * Prints, for each ordered pair of clusters, how many IP paths are open: by real packets with real nodes, otherwise computed.
 *
 * @returns whether all paths are open
 */
async function showPaths(lab: Lab, when: string, signal: AbortSignal): Promise<boolean> {
    const pairs = lab.dataPlane.network ? await measuredPaths(lab, signal) : computedPaths(lab);
    for (const { from, to, passed, tried, why } of pairs)
        log(`${when}: ${from} → ${to}: ${passed} of ${tried} paths open${why ? `; ${why}` : ""}`);
    return pairs.every(({ passed, tried }) => passed === tried);
}

interface Paths {
    from: string;
    to: string;
    passed: number;
    tried: number;
    /** Why a path is closed. */
    why?: string | undefined;
}

async function measuredPaths(lab: Lab, signal: AbortSignal): Promise<Paths[]> {
    const { pairs, checks } = await verifyLab(lab, { only: ["pairs"], nodesPerCluster: 1, signal });
    const failed = checks.flatMap(({ findings }) => findings).filter(({ outcome }) => outcome === "failed");
    return pairs.map((pair) => ({ ...pair, why: failed.find(({ subject }) => subject.startsWith(`${pair.from}/`))?.why }));
}

function computedPaths({ aws, clusters }: Lab): Paths[] {
    const all = pathMatrix(aws, clusters.running(), { protocol: "tcp", port: 8080 });
    return [...Map.groupBy(all, ({ from, to }) => `${from} ${to}`).values()].map((tried) => {
        const [{ from, to } = { from: "", to: "" }] = tried;
        const closed = tried.filter(({ open }) => !open);
        return { from, to, passed: tried.length - closed.length, tried: tried.length, why: closed[0]?.path.summary };
    });
}

/** Runs all checks of `verify` that this lab supports, and prints the report. @returns whether all passed */
async function verifyMesh(lab: Lab, signal: AbortSignal): Promise<boolean> {
    // Simulated nodes cannot run test pods.
    const only = lab.dataPlane.network ? {} : { only: ["agents" as const] };
    const report = await verifyLab(lab, { ...only, log: (line) => log(`verify: ${line}`), signal });
    console.log(reportTable(report));
    return allPassed(report);
}

function instructions({ shellFile, project }: Lab, cluster: string): string[] {
    return [
        "",
        "The lab stays up. To look around, run in another shell:",
        `. ${shellFile}`,
        `cd ${project}`,
        `pulumi stack -s ${cluster}`,
        `pulumi stack output kubeconfig --show-secrets -s ${cluster} > ${cluster}.kubeconfig`,
        `kubectl --kubeconfig ${cluster}.kubeconfig get pods -A`,
        ...(process.env.PATH?.split(":").some((folder) => executable(`${folder}/kubectl`))
            ? []
            : ["(kubectl is not on the PATH; to install it, see https://kubernetes.io/docs/tasks/tools/)"]),
        "",
        "Press Ctrl-C to stop the lab and remove everything.",
    ];
}

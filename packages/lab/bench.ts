// Measures the lab and prints the figures: npm run bench. Options: --json prints JSON, --cold also measures building all programs, --sizes
// also measures meshes of 2, 3 and 4 clusters, --simulated-nodes measures the lab without real nodes.
import { rmSync } from "node:fs";
import { availableParallelism, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { defaultPool } from "../../core/network/cidr.ts";
import type { Project } from "../../core/settings/project.ts";
import { allPassed } from "../../core/verify/report.ts";
import { family, processTable, proportionalSize } from "./process/process-tree.ts";
import { inLab, makeFolder, PHASES, readOptions, verifyLab } from "./run.ts";
import { MODULES } from "./tools/catalog.ts";
import { ciliumChart } from "./tools/cilium.ts";
import { ensureTools } from "./tools/tools.ts";

const SAMPLE_MILLISECONDS = 500;

/** Names in the process table, which cuts them to 15 characters. */
const CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller", "kube-scheduler"];

interface Figure {
    name: string;
    value: number;
    unit: "s" | "MiB";
}

/** Numbers of clusters for --sizes. */
const SIZES = [2, 3, 4];

const options = readOptions({
    json: { type: "boolean", default: false },
    cold: { type: "boolean", default: false },
    sizes: { type: "boolean", default: false },
    "simulated-nodes": { type: "boolean", default: false },
});
const log = (line: string) => console.error(line);
const simulatedNodes = options["simulated-nodes"];
const machine = {
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadAverage: Number(loadavg()[0]?.toFixed(1)),
};

// Each function runs what it measures and returns the figures. A new figure gets a function of its own here.
const figures = [...(options.cold ? await coldSetUp() : []), ...(await labRun()), ...(options.sizes ? await sizes() : [])];

if (options.json) console.log(JSON.stringify({ machine, figures }, undefined, 4));
else {
    console.log(`${machine.cores} cores, ${machine.memoryGib} GiB, load average ${machine.loadAverage} in the minute before`);
    const width = Math.max(...figures.map(({ name }) => name.length));
    for (const { name, value, unit } of figures)
        console.log(`${name.padEnd(width)}  ${value.toFixed(unit === "s" ? 1 : 0).padStart(7)} ${unit}`);
}
process.exit();

/** Compiles all programs in empty caches. Go modules that are already downloaded are not downloaded again. */
async function coldSetUp(): Promise<Figure[]> {
    const folder = makeFolder();
    const cold = { log, cache: folder, env: { GOCACHE: join(folder, "go"), GOTMPDIR: folder } };
    try {
        const start = performance.now();
        const tools = MODULES.flatMap(({ tools }) => tools);
        await ensureTools(tools, { ...cold, path: "" });
        await ciliumChart(cold);
        return [{ name: "set-up, cold: compiling all programs", value: (performance.now() - start) / 1000, unit: "s" }];
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** Measures one run of `npm run lab`, then another deployment and the destroy. Exits this process if one of them fails. */
async function labRun(): Promise<Figure[]> {
    const seconds: [phase: string, seconds: number][] = [];
    let last = performance.now();
    const lap = (phase: string) => {
        seconds.push([phase, (performance.now() - last) / 1000]);
        log(`${phase}: done`);
        last = performance.now();
    };
    const memory = watchMemory();
    let parts: { node: number; controlPlane: number } | undefined;
    const code = await inLab({ log, simulatedNodes }, async (run) => {
        lap("start");
        for (const [phase, work] of Object.entries(PHASES)) {
            await work(run);
            lap(phase);
            if (phase !== "mesh" || !run.lab.dataPlane.network) continue;
            if (!allPassed(await verifyLab(run.lab, { log })))
                throw new Error("verify found failures in the mesh, so its figures mean nothing");
            lap("verify");
            parts = memoryOfParts(run.plan);
        }
    });
    if (code !== 0) process.exit(code);
    lap("stop");
    const { program, lab } = memory.peak();
    const notInLab = ["up without changes", "destroy"];
    return [
        ...seconds.map(([phase, value]): Figure => ({ name: `warm: ${phase}`, value, unit: "s" })),
        {
            name: `warm: npm run lab (all but ${notInLab.join(" and ")})`,
            value: seconds.filter(([phase]) => !notInLab.includes(phase)).reduce((sum, [, value]) => sum + value, 0),
            unit: "s",
        },
        { name: "peak memory of the program: engine, language host, node", value: program / 2 ** 20, unit: "MiB" },
        { name: "peak memory of the lab: control planes, nodes, providers, simulated AWS", value: lab / 2 ** 20, unit: "MiB" },
        ...(parts
            ? ([
                  { name: "memory of a cluster's control plane, a mesh of two", value: parts.controlPlane / 2 ** 20, unit: "MiB" },
                  { name: "memory of a node with what runs on it, a mesh of two", value: parts.node / 2 ** 20, unit: "MiB" },
              ] as const)
            : []),
    ];
}

/** Average memory, in bytes, of a node (its holder's process and all descendants) and of a cluster's control plane. */
function memoryOfParts({ clusters }: Project): { node: number; controlPlane: number } {
    const table = processTable();
    const all = family(table, process.pid);
    const nodes = new Set(
        all
            .filter(({ name }) => name === "unshare" || name === "nsenter")
            .flatMap(({ pid }) => family(table, pid).map((member) => member.pid)),
    );
    const controlPlanes = all.filter(({ pid, name }) => CONTROL_PLANE.includes(name) && !nodes.has(pid)).map(({ pid }) => pid);
    const size = (pids: Iterable<number>) => [...pids].reduce((sum, pid) => sum + proportionalSize(pid), 0);
    return {
        node: size(nodes) / clusters.reduce((sum, { config }) => sum + config.nodeGroup.desired, 0),
        controlPlane: size(controlPlanes) / clusters.length,
    };
}

/** Measures the time from nothing to a mesh whose gate has passed, for meshes of clusters with one node each. */
async function sizes(): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const size of SIZES) {
        const start = performance.now();
        const code = await inLab({ log, simulatedNodes, change: (plan) => meshOf(size, plan) }, async (run) => {
            await PHASES.clusters(run);
            const joined = performance.now();
            await PHASES.mesh(run);
            const end = performance.now();
            figures.push(
                { name: `${size} clusters of one node: from nothing to a ready mesh`, value: (end - start) / 1000, unit: "s" },
                { name: `${size} clusters of one node: the mesh stack`, value: (end - joined) / 1000, unit: "s" },
            );
        });
        if (code !== 0) process.exit(code);
    }
    return figures;
}

/** A project whose mesh joins clusters made after the first cluster of the given project. */
function meshOf(size: number, { clusters: [first], meshes: [mesh], ...files }: Project): Project {
    if (!first || !mesh) return { ...files, clusters: [], meshes: [] };
    const clusters = Array.from({ length: size }, (_, i) => {
        const [id, name] = [i + 1, `cluster${i + 1}`];
        const { config } = first;
        const own = { name, id, vpcCidr: `10.${id}.0.0/18`, nodeGroup: { ...config.nodeGroup, min: 1, desired: 1 } };
        return { stack: name, config: { ...config, ...own, cilium: { ...config.cilium, poolCidr: defaultPool(id) } } };
    });
    return { ...files, clusters, meshes: [{ ...mesh, config: { ...mesh.config, clusters: clusters.map(({ stack }) => stack) } }] };
}

/**
 * Samples the proportional set sizes of this process and its descendants. `pulumi` and its descendants count as the program, all others as
 * the lab.
 */
function watchMemory(): { peak(): { program: number; lab: number } } {
    const peak = { program: 0, lab: 0 };
    const timer = setInterval(() => {
        const table = processTable();
        const all = family(table, process.pid);
        const program = new Set(
            all.filter(({ name }) => name === "pulumi").flatMap(({ pid }) => family(table, pid).map((member) => member.pid)),
        );
        const size = (ofProgram: boolean) =>
            all.filter(({ pid }) => program.has(pid) === ofProgram).reduce((sum, { pid }) => sum + proportionalSize(pid), 0);
        peak.program = Math.max(peak.program, size(true));
        peak.lab = Math.max(peak.lab, size(false));
    }, SAMPLE_MILLISECONDS);
    return {
        peak() {
            clearInterval(timer);
            return peak;
        },
    };
}

// Measures the lab and prints its figures: npm run bench, with --json as JSON, with --cold the building of all programs too.
import { rmSync } from "node:fs";
import { availableParallelism, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { family, processTable, proportionalSize } from "./process-tree.ts";
import { inLab, makeFolder, PHASES, readOptions } from "./run.ts";
import { MODULES } from "./tools/catalog.ts";
import { ciliumChart, ensureTools } from "./tools/tools.ts";

const SAMPLE_MILLISECONDS = 500;

interface Figure {
    name: string;
    value: number;
    unit: "s" | "MiB";
}

const options = readOptions({ json: { type: "boolean", default: false }, cold: { type: "boolean", default: false } });
const tell = (line: string) => console.error(line);
const machine = {
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadAverage: Number(loadavg()[0]?.toFixed(1)),
};

// Each function runs what it measures; a figure that is asked for next gets one of its own here.
const figures = [...(options.cold ? await coldSetUp() : []), ...(await labRun())];

if (options.json) console.log(JSON.stringify({ machine, figures }, undefined, 4));
else {
    console.log(
        `${machine.cores} cores, ${machine.memoryGib} GiB; ${machine.loadAverage} programs ran or waited on average in the minute before`,
    );
    const width = Math.max(...figures.map(({ name }) => name.length));
    for (const { name, value, unit } of figures)
        console.log(`${name.padEnd(width)}  ${value.toFixed(unit === "s" ? 1 : 0).padStart(7)} ${unit}`);
}
process.exit();

/** Compiles everything, whatever Go or the lab has compiled before. Modules that Go has downloaded are not downloaded again. */
async function coldSetUp(): Promise<Figure[]> {
    const folder = makeFolder();
    const own = { GOCACHE: join(folder, "go"), GOTMPDIR: folder };
    const before = { ...process.env };
    Object.assign(process.env, own);
    try {
        const start = performance.now();
        const tools = MODULES.flatMap(({ tools }) => tools);
        await ensureTools(tools, { tell, cache: folder, path: "" });
        await ciliumChart({ tell, cache: folder });
        return [{ name: "set-up, cold: compiling all programs", value: (performance.now() - start) / 1000, unit: "s" }];
    } finally {
        for (const name of Object.keys(own)) delete process.env[name];
        Object.assign(process.env, before);
        rmSync(folder, { recursive: true, force: true });
    }
}

/** One lab, as `npm run lab` has it, which then is deployed once more and destroyed. Ends this process when that fails. */
async function labRun(): Promise<Figure[]> {
    const seconds: [phase: string, seconds: number][] = [];
    let last = performance.now();
    const lap = (phase: string) => {
        seconds.push([phase, (performance.now() - last) / 1000]);
        tell(`${phase}: done`);
        last = performance.now();
    };
    const memory = watchMemory();
    const code = await inLab({ tell }, async (run) => {
        lap("start");
        for (const [phase, work] of Object.entries(PHASES)) {
            await work(run);
            lap(phase);
        }
    });
    if (code !== 0) process.exit(code);
    lap("stop");
    const { program, lab } = memory.peak();
    const beyond = ["up without changes", "destroy"];
    return [
        ...seconds.map(([phase, value]): Figure => ({ name: `warm: ${phase}`, value, unit: "s" })),
        {
            name: `warm: npm run lab (all but ${beyond.join(" and ")})`,
            value: seconds.filter(([phase]) => !beyond.includes(phase)).reduce((sum, [, value]) => sum + value, 0),
            unit: "s",
        },
        { name: "peak memory of the program: engine, language host, node", value: program / 2 ** 20, unit: "MiB" },
        { name: "peak memory of the lab: control planes, providers, simulated AWS", value: lab / 2 ** 20, unit: "MiB" },
    ];
}

/** Samples the proportional set sizes of this process and all that came of it: the families of `pulumi` are the program, the others the lab. */
function watchMemory(): { peak(): { program: number; lab: number } } {
    const peak = { program: 0, lab: 0 };
    const timer = setInterval(() => {
        const table = processTable();
        const all = family(table, process.pid);
        const program = new Set(all.filter(({ name }) => name === "pulumi").flatMap(({ pid }) => family(table, pid).map((one) => one.pid)));
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

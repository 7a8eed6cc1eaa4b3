import { setTimeout as sleep } from "node:timers/promises";
import { type StatusReport as Report, StatusReport, statusReport, statusText } from "../../core/doctor/status.ts";
import { type Command, type Context, numberOption, type Outcome } from "../command.ts";
import { readValidProject, selectMesh } from "../project/selection.ts";

const INTERVAL_SECONDS = 5;
/** Reading the stacks takes more processor time than everything else, and they change only during an operation. */
const STACKS_SECONDS = 30;

export const status: Command<Report> = {
    name: "status",
    summary: "Show status of stacks, agents, certificates, load balancers and links",
    operands: "[<mesh>]",
    details:
        "Of every mesh in the folder, or of the one named. Exits with code 1 if something is unhealthy;\n`doctor` finds the cause. With --watch, redraws on a terminal and otherwise prints each change,\nuntil Ctrl-C; with --json too, one document per line. The stacks' state is then read every 30 s.",
    options: {
        watch: { type: "boolean", short: "w", help: "Repeat until Ctrl-C" },
        interval: { type: "string", value: "<s>", help: `Seconds between refreshes with --watch (default ${INTERVAL_SECONDS})` },
    },
    report: StatusReport,
    async run(context, options, [meshName]) {
        const seconds = numberOption(options, "interval") ?? INTERVAL_SECONDS;
        const readStatus = await statusReader(context, meshName);
        if (!options.watch) return outcome(await readStatus());
        // Output that is piped into another program is a result, even if standard error is a terminal.
        const terminal = process.stdout.isTTY ? context.terminal : undefined;
        const show = options.json ? printLine : terminal ? drawOn(terminal) : printChanges();
        let last: Report | undefined;
        try {
            for (;;) {
                last = await readStatus();
                show(last);
                await sleep(seconds * 1000, undefined, { signal: context.signal });
            }
        } catch (error) {
            if (!context.signal.aborted) throw error;
        }
        // Ctrl-C is the normal way to end --watch.
        return { ...outcome(last ?? EMPTY), code: 0, shown: true };
    },
};

const EMPTY: Report = { version: 1, at: new Date(0).toISOString(), stacks: [], clusters: [], pairs: [], problems: [] };

function outcome(report: Report): Outcome<Report> {
    return { code: report.problems.length > 0 ? 1 : 0, report, text: statusText(report) };
}

/** Returns a function that reads the current status of all meshes, or of the named one. */
async function statusReader(context: Context, meshName: string | undefined): Promise<() => Promise<Report>> {
    const project = readValidProject(context);
    const mesh = meshName === undefined ? undefined : selectMesh(project, meshName, "<mesh>").stack;
    const [{ readDeployed }, { stacksOf }, { gather }] = await Promise.all([
        import("../engine/deployed.ts"),
        import("../engine/meshes.ts"),
        import("../gather.ts"),
    ]);
    let deployed = await readDeployed(project, context);
    let readAt = performance.now();
    return async () => {
        if (performance.now() - readAt > STACKS_SECONDS * 1000) {
            deployed = await readDeployed(project, context);
            readAt = performance.now();
        }
        return statusReport(await gather(stacksOf(mesh, project, deployed), project, context, "status"));
    };
}

function printLine(report: Report): void {
    process.stdout.write(`${JSON.stringify(report)}\n`);
}

function printChanges(): (report: Report) => void {
    let before = "";
    return (report) => {
        const text = statusText(report);
        if (text !== before) process.stdout.write(`${before && "\n"}${report.at}\n${text}\n`);
        before = text;
    };
}

function drawOn(terminal: NonNullable<Context["terminal"]>): (report: Report) => void {
    return (report) => {
        const lines = [`${report.at}, Ctrl-C to end`, "", ...statusText(report).split("\n")];
        terminal.draw(lines.map((line) => line.slice(0, terminal.columns)).slice(0, terminal.rows - 1));
    };
}

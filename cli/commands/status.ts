import { setTimeout as sleep } from "node:timers/promises";
import { type StatusReport as Report, StatusReport, statusReport, statusText } from "../../core/doctor/status.ts";
import { type Command, type Context, numberOption, type Outcome } from "../command.ts";
import { choose } from "./up.ts";

const INTERVAL_SECONDS = 5;
/** Reading the stacks takes more processor time than all else, and they change only when somebody runs them. */
const STACKS_SECONDS = 30;

/** How a mesh stands, on one screen. */
export const status: Command<Report> = {
    name: "status",
    summary: "a line for each cluster and pair: stacks, agents, certificates, load balancers, links",
    details: [
        "Ends with 1 when something is not as it should be; `doctor` tells why. With --watch it is drawn anew on a terminal, and elsewhere printed when it has changed,",
        "until Ctrl-C; with --json too, a document a line. The stacks' own state is then read every half minute.",
    ].join("\n"),
    options: {
        watch: { type: "boolean", short: "w", help: "goes on until Ctrl-C" },
        interval: { type: "string", value: "<s>", help: `seconds between two looks (default ${INTERVAL_SECONDS})` },
    },
    report: StatusReport,
    async run(context, options) {
        const seconds = numberOption(options, "interval") ?? INTERVAL_SECONDS;
        const look = await looker(context);
        if (!options.watch) {
            const report = await look();
            return outcome(report);
        }
        // What is piped into something else is a result, whatever standard error is.
        const drawable = process.stdout.isTTY ? context.terminal : undefined;
        const show = options.json ? printLine : drawable ? drawn(drawable) : printChanged();
        let last: Report | undefined;
        try {
            for (;;) {
                last = await look();
                show(last);
                await sleep(seconds * 1000, undefined, { signal: context.signal });
            }
        } catch (error) {
            if (!context.signal.aborted) throw error;
        }
        // An interrupt is how it is meant to end.
        return { ...outcome(last ?? EMPTY), code: 0, shown: true };
    },
};

const EMPTY: Report = { version: 1, at: new Date(0).toISOString(), stacks: [], clusters: [], pairs: [], problems: [] };

function outcome(report: Report): Outcome<Report> {
    return { code: report.problems.length > 0 ? 1 : 0, report, text: statusText(report) };
}

async function looker(context: Context): Promise<() => Promise<Report>> {
    const { plan } = choose(context, [], { fit: false });
    const [{ readDeployed }, { gather }] = await Promise.all([import("../engine/deployed.ts"), import("../gather.ts")]);
    let deployed = await readDeployed(plan, context);
    let read = performance.now();
    return async () => {
        if (performance.now() - read > STACKS_SECONDS * 1000) {
            deployed = await readDeployed(plan, context);
            read = performance.now();
        }
        return statusReport(await gather(deployed, plan, context, "status"));
    };
}

function printLine(report: Report): void {
    process.stdout.write(`${JSON.stringify(report)}\n`);
}

function printChanged(): (report: Report) => void {
    let before = "";
    return (report) => {
        const text = statusText(report);
        if (text !== before) process.stdout.write(`${before && "\n"}${report.at}\n${text}\n`);
        before = text;
    };
}

function drawn(terminal: NonNullable<Context["terminal"]>): (report: Report) => void {
    return (report) => {
        const lines = [`${report.at}, Ctrl-C ends`, "", ...statusText(report).split("\n")];
        terminal.draw(lines.map((line) => line.slice(0, terminal.columns)).slice(0, terminal.rows - 1));
    };
}

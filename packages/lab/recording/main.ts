import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inLab } from "../run.ts";
import { type Span, screenLines } from "./screen.ts";
import { terminalSvg } from "./svg.ts";
import { onTerminal, type TerminalRun } from "./terminal.ts";

const FILE = "docs/terminal.svg";
const [COLUMNS, ROWS] = [100, 24];
const TITLE = "clustermesh up deploys two clusters and their mesh; clustermesh verify proves it";

// Records `up` and `verify` of the sample clusters, with one node each, as a picture for the README.
process.exit(
    await inLab(
        {
            log: (line) => console.log(line),
            change: (project) => ({
                ...project,
                clusters: project.clusters.map(({ stack, config }) => ({
                    stack,
                    config: { ...config, nodeGroup: { ...config.nodeGroup, min: 1, desired: 1 } },
                })),
            }),
        },
        async ({ lab }, signal) => {
            if (!lab.dataPlane.network) throw new Error("the recording needs real nodes: run it as root");
            const run = (command: string) => onTerminal(command, lab.project, { ...lab.env, FORCE_COLOR: "1" }, COLUMNS, ROWS);
            const up = await run("npx clustermesh up");
            const during = await busiest(up, signal);
            const verify = await run("npx clustermesh verify");
            await verify.ended;
            const lines = [
                ...prompt("npx clustermesh up"),
                ...during,
                [{ text: "...", dim: true }],
                ...from(screenLines(up.screen), /^[✓✖-] /),
                [],
                ...prompt("npx clustermesh verify"),
                ...from(screenLines(verify.screen), /^node lists/),
            ];
            writeFileSync(FILE, terminalSvg(lines, COLUMNS, TITLE));
            console.log(`wrote ${FILE}`);
        },
    ),
);

function prompt(command: string): Span[][] {
    return [
        [
            { text: "$ ", color: 2 },
            { text: command, bold: true },
        ],
    ];
}

/** The lines from the first match on. What stands above belongs to the lab: warnings with paths of this machine, progress of verify. */
function from(lines: Span[][], first: RegExp): Span[][] {
    return lines.slice(lines.findIndex((spans) => first.test(textOf(spans))));
}

function textOf(spans: readonly Span[]): string {
    return spans.map(({ text }) => text).join("");
}

/** Waits until the run ends. @returns its screen at the moment with the most resources in flight */
async function busiest(run: TerminalRun, signal: AbortSignal): Promise<Span[][]> {
    let ended = false;
    void run.ended.then(() => {
        ended = true;
    });
    let [most, screen]: [number, Span[][]] = [0, []];
    while (!ended) {
        signal.throwIfAborted();
        const lines = from(screenLines(run.screen), /^cluster1 +\d+\/\d+ resources/);
        const inFlight = lines.filter((spans) => /^ +\d/.test(textOf(spans))).length;
        if (inFlight > most) [most, screen] = [inFlight, lines];
        await sleep(50);
    }
    return screen;
}

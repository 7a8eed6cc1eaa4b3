import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inLab } from "../run.ts";
import { onTerminal, type TerminalRun } from "../terminal.ts";
import { type Span, screenLines } from "./screen.ts";
import { terminalSvg } from "./svg.ts";

const FILE = "docs/terminal.svg";
const [COLUMNS, ROWS] = [116, 26];
/** Resources in flight at which the picture of a running `up` is taken. */
const IN_FLIGHT = 12;

/** Records `up` and `verify` of the sample clusters, with one node each, as a picture for the README. */
const oneNode = { min: 1, desired: 1 };
process.exit(
    await inLab(
        {
            log: (line) => console.log(line),
            change: (project) => ({
                ...project,
                clusters: project.clusters.map(({ stack, config }) => ({
                    stack,
                    config: { ...config, nodeGroup: { ...config.nodeGroup, ...oneNode } },
                })),
            }),
        },
        async ({ lab }, signal) => {
            if (!lab.dataPlane.network) throw new Error("the recording needs real nodes: run it as root");
            const run = (command: string) => onTerminal(command, lab.project, { ...lab.env, FORCE_COLOR: "1" }, COLUMNS, ROWS);
            const up = await run("npx clustermesh up");
            const [during] = await Promise.all([busiest(up, signal), up.ended]);
            const verify = await run("npx clustermesh verify");
            await verify.ended;
            const screens = [
                ...prompt("npx clustermesh up"),
                ...during,
                ...pause("..."),
                ...screenLines(up.screen).slice(-summaryLength(up)),
                ...pause(""),
                ...prompt("npx clustermesh verify"),
                ...screenLines(verify.screen),
            ];
            writeFileSync(FILE, terminalSvg(screens, COLUMNS, "clustermesh up deploys two clusters and their mesh; clustermesh verify proves it"));
            console.log(`wrote ${FILE}`);
        },
    ),
);

function prompt(command: string): Span[][] {
    return [[{ text: "$ ", color: 2 }, { text: command, bold: true }]];
}

function pause(text: string): Span[][] {
    return [text === "" ? [] : [{ text, dim: true }]];
}

/** The screen of a run at the first moment with this many resources in flight; the last screen seen if there is none. */
async function busiest(run: TerminalRun, signal: AbortSignal): Promise<Span[][]> {
    let ended = false;
    void run.ended.then(() => {
        ended = true;
    });
    let lines = screenLines(run.screen);
    while (!ended && lines.filter(([first]) => /^ +\d/.test(first?.text ?? "")).length < IN_FLIGHT) {
        signal.throwIfAborted();
        await sleep(100);
        lines = screenLines(run.screen);
    }
    return lines;
}

/** One line per stack, and the time that all took. */
function summaryLength(up: TerminalRun): number {
    const lines = screenLines(up.screen).map((spans) => spans.map(({ text }) => text).join(""));
    return lines.length - lines.findIndex((line) => /^[✓✖-] /.test(line));
}

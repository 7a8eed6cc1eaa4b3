import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import xterm, { type Terminal } from "@xterm/headless";
import { until } from "../process/until.ts";

/** A program on a pseudo-terminal, with the screen that a person would see. */
export interface TerminalRun {
    /** The emulator that keeps the screen. */
    screen: Terminal;
    /** The lines of the screen, and before them those that have scrolled out of it. */
    lines(): Promise<string[]>;
    /** Types this text. */
    type(text: string): void;
    resize(columns: number, rows: number): Promise<void>;
    /** The exit code. */
    ended: Promise<number>;
}

/**
 * Runs a command on a pseudo-terminal of its own (`script`, of util-linux). A real terminal emulator keeps its screen.
 *
 * @param folder working directory of the command; the terminal's name is written to a file in it
 */
export async function onTerminal(
    command: string,
    folder: string,
    env: Record<string, string>,
    columns: number,
    rows: number,
): Promise<TerminalRun> {
    const nameFile = join(folder, "tty");
    const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true, convertEol: false });
    const child = spawn("script", ["-qefc", `stty cols ${columns} rows ${rows}; tty > tty; exec ${command}`, "/dev/null"], {
        cwd: folder,
        env: { ...process.env, ...env, TERM: "xterm-256color" },
        stdio: ["pipe", "pipe", "inherit"],
    });
    let written = Promise.resolve();
    child.stdout.on("data", (data: Buffer) => {
        written = new Promise((resolve) => screen.write(data, resolve));
    });
    const ended = once(child, "close").then(([code]) => code as number);
    await until(
        async () => (existsSync(nameFile) && readFileSync(nameFile, "utf8").trim()) || undefined,
        20_000,
        "the terminal did not start",
    );
    return {
        screen,
        async lines() {
            await written;
            const { buffer } = screen;
            return Array.from({ length: buffer.active.length }, (_, i) => buffer.active.getLine(i)?.translateToString(true) ?? "");
        },
        type: (text) => child.stdin.write(text),
        async resize(newColumns, newRows) {
            // The program first: what it draws for a screen that is already narrower would wrap, and leave lines behind.
            execFileSync("stty", ["-F", readFileSync(nameFile, "utf8").trim(), "cols", `${newColumns}`, "rows", `${newRows}`]);
            await written;
            screen.resize(newColumns, newRows);
        },
        ended,
    };
}
